package intake_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/devstack"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// bundle is an intake on stores of its own, with one workspace.
type bundle struct {
	*intake.Service
	db        *pg.DB
	redis     *devstack.Redis
	principal *tenant.Principal
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupAt(t, time.Now)
}

func setupAt(t *testing.T, now func() time.Time) *bundle {
	t.Helper()
	db := pgtest.New(t)
	store := redistest.Start(t)
	client, err := rdb.Open(store.URL(), rdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s := intake.New(intake.Deps{
		DB: db, Redis: client, Waker: task.NewWaker(client), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registry: prometheus.NewRegistry(), Now: now,
	})
	t.Cleanup(s.Stop)
	return &bundle{s, db, store, mustWorkspace(t, db)}
}

func mustWorkspace(t *testing.T, db *pg.DB) *tenant.Principal {
	t.Helper()
	return &tenant.Principal{WorkspaceID: pgtest.Workspace(t, db).ID, Settings: tenant.Settings{Rate: 100_000, Burst: 100_000}.WithDefaults()}
}

func draft(email string) lead.Draft {
	return lead.Draft{Email: email, AddressKey: strings.ToLower(email), Source: "api", Status: "new",
		Metadata: []byte(`{}`)}
}

// create admits and puts a lead as the API does.
func create(
	ctx context.Context, s *intake.Service, p *tenant.Principal, i intake.Item,
) (lead.Lead, intake.Admission, error) {
	r := intake.Request{Lead: intake.NewLead(p, &i.Draft, i.Chatbot, i.ID), Draft: i.Draft}
	r.Admission = s.Admit(ctx, p, &r.Lead)
	out, err := s.Put(ctx, p, r)
	return out.Lead, r.Admission, err
}

func (b *bundle) mustCreate(t *testing.T, email string) lead.Lead {
	t.Helper()
	l, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(email)})
	if err != nil {
		t.Fatalf("Create(%s) = %v, want a lead", email, err)
	}
	return l
}

// wantDuplicate checks that email is refused in favour of holder, which can be read.
func (b *bundle) wantDuplicate(t *testing.T, email string, holder id.UUID) {
	t.Helper()
	_, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(email)})
	if !fault.Is(err, fault.Duplicate) {
		t.Fatalf("Create(%s) again = %v, want DUPLICATE_EMAIL", email, err)
	}
	if got, want := fmt.Sprint(fault.From(err).Details), id.Lead.Format(holder); !strings.Contains(got, want) {
		t.Errorf("details = %s, want existing lead %s", got, want)
	}
	if _, err := b.db.GetLead(t.Context(), b.principal.WorkspaceID, holder); err != nil {
		t.Errorf("the lead named by a 409 cannot be read: %v", err)
	}
}

func (b *bundle) rows(t *testing.T, table string) (n int) {
	t.Helper()
	if err := b.db.GetContext(t.Context(), &n, "select count(*) from "+table+" where workspace_id = $1",
		b.principal.WorkspaceID); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCreateWritesEverythingAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, types := range [][]string{{"lead.created"}, {"lead.*"}, {"lead.enriched"}} {
		e := webhook.Endpoint{WorkspaceID: b.principal.WorkspaceID, ID: id.New(), URL: "https://example.com/",
			EventTypes: types, Secret: webhook.NewSecret(), Enabled: true, CreatedAt: time.Now()}
		if err := b.db.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	d := draft("a\"\\{},é@example.com")
	d.Name, d.Phone, d.Metadata = "Zoë \"Q\" \\ O'Neil\nNULL", "+1-555-123-4567", []byte(`{"z":1,"a":["x\\y\"", 1.50]}`)
	l, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: d, Chatbot: id.New()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.db.GetLead(t.Context(), b.principal.WorkspaceID, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := string(got.AppendJSON(nil, false)), string(l.AppendJSON(nil, false)); g != w {
		t.Errorf("stored lead = %s, want %s", g, w)
	}
	for table, want := range map[string]int{"leads": 1, "enrichment_queue": 1, "events": 1, "deliveries": 2} {
		if got := b.rows(t, table); got != want {
			t.Errorf("%s = %d rows, want %d", table, got, want)
		}
	}
}

func TestOneEmailManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const posts = 300
	var wg sync.WaitGroup
	errs := make([]error, posts)
	ids := make([]id.UUID, posts)
	for i := range posts {
		wg.Go(func() {
			l, _, err := create(context.Background(), b.Service, b.principal, intake.Item{Draft: draft("one@example.com")})
			ids[i], errs[i] = l.ID, err
		})
	}
	wg.Wait()
	var winner id.UUID
	created := 0
	for i, err := range errs {
		if err == nil {
			created++
			winner = ids[i]
		}
	}
	if created != 1 || b.rows(t, "leads") != 1 {
		t.Fatalf("created = %d, rows = %d, want 1 and 1", created, b.rows(t, "leads"))
	}
	for _, err := range errs {
		if err != nil && !(fault.Is(err, fault.Duplicate) && strings.Contains(fmt.Sprint(fault.From(err).Details),
			id.Lead.Format(winner))) {
			t.Fatalf("loser got %v, want DUPLICATE_EMAIL naming %s", err, id.Lead.Format(winner))
		}
	}
}

func TestTenantsDoNotShareEmails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCreate(t, "same@example.com")
	b.principal = mustWorkspace(t, b.db)
	b.mustCreate(t, "same@example.com")
}

func TestDuplicateSurvivesAFlushOfRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := b.mustCreate(t, "kept@example.com")
	b.flush(t)
	b.wantDuplicate(t, "kept@example.com", l.ID)
}

func (b *bundle) flush(t *testing.T) {
	t.Helper()
	c, err := rdb.Open(b.redis.URL(), rdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestIngestGoesOnWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.mustCreate(t, "before@example.com")
	b.redis.Kill()
	b.wantDuplicate(t, "before@example.com", before.ID)
	during := b.mustCreate(t, "during@example.com")
	b.wantDuplicate(t, "during@example.com", during.ID)

	b.principal.Settings.Rate, b.principal.Settings.Burst = 1, 2
	limited := 0
	for range 4 {
		if b.Admit(t.Context(), b.principal, nil).Limited {
			limited++
		}
	}
	if limited == 0 {
		t.Error("no request was limited while Redis is away, want the in-process limiter")
	}
}

func TestRateLimitReservesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.principal.Settings.Rate, b.principal.Settings.Burst = 1, 1
	b.mustCreate(t, "first@example.com")
	_, v, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft("second@example.com")})
	if !fault.Is(err, fault.RateLimited) || fault.From(err).RetryAfter <= 0 || !v.Limited {
		t.Fatalf("Create over the limit = %v, %+v, want RATE_LIMITED with Retry-After", err, v)
	}
	b.principal.Settings.Rate, b.principal.Settings.Burst = 1000, 1000
	b.mustCreate(t, "second@example.com")
}

// Without Postgres nothing is answered 409 either: it could be untrue.
func TestPostgresAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCreate(t, "known@example.com")
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"new@example.com", "known@example.com"} {
		_, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(email)})
		if !fault.Is(err, fault.Unavailable) || fault.From(err).RetryAfter <= 0 {
			t.Errorf("Create(%s) without Postgres = %v, want UNAVAILABLE with Retry-After", email, err)
		}
	}
}

// A row Postgres refuses costs only itself. Validation lets none through, so the test goes round it.
func TestPoisonRowCostsOnlyItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		wg.Go(func() {
			d := draft(fmt.Sprintf("p%d@example.com", i))
			if i == 17 {
				d.Metadata = []byte(`{not json`)
			}
			_, _, errs[i] = create(context.Background(), b.Service, b.principal, intake.Item{Draft: d})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if (err != nil) != (i == 17) {
			t.Errorf("Create(%d) = %v", i, err)
		}
	}
}

// While Postgres hangs the queue must not keep clients for many commits: who waited too long is refused untried, and
// nothing is written.
func TestLeadThatWaitedTooLongIsRefused(t *testing.T) {
	t.Parallel()
	var readings atomic.Int32
	start := time.Now()
	b := setupAt(t, func() time.Time {
		if readings.Add(1) == 1 { // its admission
			return start
		}
		return start.Add(time.Minute)
	})
	late := draft("late@example.com")
	l := intake.NewLead(b.principal, &late, id.UUID{}, id.UUID{})
	_, err := b.Put(t.Context(), b.principal, intake.Request{Lead: l, Draft: late})
	if !fault.Is(err, fault.Unavailable) || fault.From(err).RetryAfter <= 0 || b.rows(t, "leads") != 0 {
		t.Errorf("Create after a long wait = %v and %d rows, want UNAVAILABLE with Retry-After and none", err,
			b.rows(t, "leads"))
	}
	b.mustCreate(t, "late@example.com")
}
