package intake_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
)

// setupLanes is setup with a pool as a gateway has it, a clock that stands still, and the metrics.
func setupLanes(t *testing.T) (*bundle, *prometheus.Registry) {
	t.Helper()
	db, err := pg.Open(pgtest.URL(t), pg.Options{LockTimeout: 500 * time.Millisecond, Application: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	store := redistest.Start(t)
	client := redistest.Open(t, store)
	metrics, now := prometheus.NewRegistry(), time.Now()
	s := intake.New(intake.Deps{DB: db, Redis: client, Waker: task.NewWaker(client),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Registry: metrics, Now: func() time.Time { return now }})
	t.Cleanup(s.Stop)
	return &bundle{s, db, store, mustWorkspace(t, db)}, metrics
}

// mustHold begins a transaction that has made leads with these emails.
func (b *bundle) mustHold(t *testing.T, emails ...string) *sqlx.Tx {
	t.Helper()
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	const q = `
insert into leads (workspace_id, id, email, email_key, source, status, metadata, created_at, updated_at)
values ($1, $2, $3, $3, 'api', 'new', '{}', now(), now())`
	for _, email := range emails {
		if _, err := tx.ExecContext(t.Context(), q, b.principal.WorkspaceID, id.New(), email); err != nil {
			t.Fatal(err)
		}
	}
	return tx
}

// waiting returns how many statements wait for another transaction.
func (b *bundle) waiting(t *testing.T) (n int) {
	t.Helper()
	const q = `select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
	if err := b.db.GetContext(t.Context(), &n, q); err != nil {
		t.Fatal(err)
	}
	return n
}

// answers are those of posts under way.
type answers struct {
	sync.WaitGroup
	mu  sync.Mutex
	all []posted
}

type posted struct {
	email string
	err   error
}

func (a *answers) post(b *bundle, p *tenant.Principal, emails ...string) {
	for _, email := range emails {
		a.Go(func() {
			_, _, err := create(context.Background(), b.Service, p, intake.Item{Draft: draft(email)})
			a.mu.Lock()
			defer a.mu.Unlock()
			a.all = append(a.all, posted{email, err})
		})
	}
}

// given returns those that there are by now.
func (a *answers) given() []posted {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

// mustPost posts emails all at once, and checks that each becomes a lead.
func (b *bundle) mustPost(t *testing.T, p *tenant.Principal, emails ...string) {
	t.Helper()
	var posts answers
	posts.post(b, p, emails...)
	posts.Wait()
	for _, a := range posts.all {
		if a.err != nil {
			t.Errorf("Create(%s) beside a held email = %v, want a lead", a.email, a.err)
		}
	}
}

func numbered(name string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d@example.com", name, i))
	}
	return all
}

// While another transaction has an email of one workspace, the leads of others and the workspace's own others are
// written; those with the email wait for what becomes of it.
func TestHeldEmailHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end     func(*sqlx.Tx) error
		created int // of the leads with the email; the others are duplicates
	}{
		"committed":   {(*sqlx.Tx).Commit, 0},
		"rolled back": {(*sqlx.Tx).Rollback, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := setupLanes(t)
			other := mustWorkspace(t, b.db)
			tx := b.mustHold(t, "held@example.com")
			var held answers
			for round := range 2 {
				held.post(b, b.principal, "held@example.com", "held@example.com")
				testwait.Until(t, "a post of the held email to wait", func() bool { return b.waiting(t) > 0 })
				var beside sync.WaitGroup
				beside.Go(func() { b.mustPost(t, other, numbered(fmt.Sprintf("other%d.", round), 20)...) })
				beside.Go(func() { b.mustPost(t, b.principal, numbered(fmt.Sprintf("own%d.", round), 20)...) })
				held.post(b, b.principal, "held@example.com")
				beside.Wait()
			}
			if early := held.given(); len(early) > 0 {
				t.Fatalf("Create(held) = %v before the other transaction ended", early)
			}
			if err := tc.end(tx); err != nil {
				t.Fatal(err)
			}
			held.Wait()
			created := 0
			for _, a := range held.all {
				if a.err == nil {
					created++
				} else if !fault.Is(a.err, fault.Duplicate) {
					t.Errorf("Create(held) = %v, want DUPLICATE_EMAIL", a.err)
				}
			}
			if created != tc.created {
				t.Errorf("%d leads have the email, want %d", created, tc.created)
			}
		})
	}
}

// A lead whose email is suppressed while it waits for another transaction is refused at once: one by one, in a batch,
// and in either lane.
func TestHeldEmailIsSuppressed(t *testing.T) {
	t.Parallel()
	b, _ := setupLanes(t)
	ws := b.principal.WorkspaceID
	tx := b.mustHold(t, "gone@example.com")
	var held answers
	held.post(b, b.principal, "gone@example.com")
	testwait.Until(t, "the workspace to be contended", func() bool { return b.Contended(ws) })
	held.post(b, b.principal, "gone@example.com", "gone@example.com")
	var batch []intake.BulkResult
	var err error
	held.Go(func() {
		batch, err = b.CreateMany(t.Context(), b.principal, requests("gone@example.com", "other@example.com"),
			lead.RefuseDuplicate)
	})
	testwait.Until(t, "all of them to wait", func() bool { return b.waiting(t) > 1 })
	suppressed := make(chan error, 1)
	go func() { suppressed <- b.db.Suppress(t.Context(), ws, "gone@example.com", nil) }()
	held.Wait()
	for _, a := range held.all {
		if !fault.Is(a.err, fault.Suppressed) {
			t.Errorf("Create(gone) = %v, want EMAIL_SUPPRESSED", a.err)
		}
	}
	if err != nil || !fault.Is(batch[0].Err, fault.Suppressed) || batch[1].Err != nil {
		t.Errorf("CreateMany(gone, other) = %+v, %v, want EMAIL_SUPPRESSED and a lead", batch, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-suppressed; err != nil {
		t.Errorf("Suppress() = %v", err)
	}
}

// However many emails of a workspace are held, its waiting leads take a few connections, the rest of them are refused,
// and others notice nothing.
func TestHeldEmailsAreBounded(t *testing.T) {
	t.Parallel()
	b, _ := setupLanes(t)
	other := mustWorkspace(t, b.db)
	emails := numbered("held", 200)
	tx := b.mustHold(t, emails...)
	var held answers
	held.post(b, b.principal, emails...)
	refused := func() int {
		all := held.given()
		for _, a := range all {
			if !fault.Is(a.err, fault.Unavailable) || fault.From(a.err).RetryAfter <= 0 {
				t.Errorf("Create(%s) = %v while it is held, want UNAVAILABLE with Retry-After", a.email, a.err)
			}
		}
		return len(all)
	}
	testwait.Until(t, "half of them to be refused", func() bool {
		b.mustPost(t, other, fmt.Sprintf("other%s@example.com", id.Lead.Format(id.New())))
		if n := b.waiting(t); n > 6 {
			t.Fatalf("%d statements wait for the other transaction", n)
		}
		return refused() > len(emails)/2
	})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	held.Wait()
	for _, a := range held.all {
		if !fault.Is(a.err, fault.Unavailable) && !fault.Is(a.err, fault.Duplicate) {
			t.Errorf("Create(%s) = %v, want DUPLICATE_EMAIL or UNAVAILABLE", a.email, a.err)
		}
	}
	_, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(emails[0])})
	if !fault.Is(err, fault.Duplicate) {
		t.Errorf("Create(%s) in the end = %v, want DUPLICATE_EMAIL", emails[0], err)
	}
}

// The batches of others wait once for a workspace's held emails, and not again while they are posted.
func TestHeldEmailsSplitOneBatch(t *testing.T) {
	t.Parallel()
	b, metrics := setupLanes(t)
	other := mustWorkspace(t, b.db)
	tx := b.mustHold(t, numbered("held", 40)...)
	var held answers
	held.post(b, b.principal, "held0@example.com")
	testwait.Until(t, "the workspace to be contended", func() bool { return b.Contended(b.principal.WorkspaceID) })
	for _, email := range numbered("held", 40)[1:] {
		held.post(b, b.principal, email)
		b.mustPost(t, other, "beside."+email)
	}
	if n := counted(t, metrics, "leadgate_intake_splits_total"); n != 1 {
		t.Errorf("%v batches were split, want the first", n)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	held.Wait()
}

func counted(t *testing.T, metrics *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
