package pg_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	neturl "net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// Whoever asks again and again for what changed since ends with every lead as it is, however many write at once through
// two gateways: leads that are much older than their insert, as of a retry with an Idempotency-Key, or dated by a clock
// that is wrong, and changes, deletions and restorations, of which some take longer to commit than anything settles.
func TestPollerMissesNothing(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it needs a trigger")
	url := pgtest.OwnerURL(t)
	patient := pg.Options{MaxConns: 8, StatementTimeout: time.Minute} // what is slow waits for all who write
	gateways := [2]*pg.DB{mustOpen(t, url, patient), mustOpen(t, url, patient)}
	ws := pgtest.Workspace(t, gateways[0]).ID
	// What is called slow stays uncommitted for as long as the test has this lock.
	const slow = `
create function hold() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock_shared(7); return null; end';
create constraint trigger hold after insert or update on leads deferrable initially deferred
   for each row when (new.name like 'slow%') execute function hold()`
	pgtest.Exec(t, gateways[0], slow)
	holder, err := gateways[0].Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), `select pg_advisory_lock(7)`); err != nil {
		t.Fatal(err)
	}
	p := poll(t, gateways[0], ws)
	var writing, held sync.WaitGroup
	for w := range 4 {
		writing.Go(func() { writeAtRandom(t, gateways[w%2], ws) })
	}
	changed := pgtest.Lead(t, gateways[0], ws)
	held.Go(func() {
		pgtest.Lead(t, gateways[1], ws, func(l *lead.Lead) { l.Name = "slow to come" })
	})
	held.Go(func() {
		_, err := gateways[1].UpdateLead(t.Context(), ws, changed.ID, func(l *lead.Lead) error { l.Name = "slow"; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	writing.Wait()
	time.Sleep(7 * time.Second) // longer than updates settle
	if _, err := holder.ExecContext(t.Context(), `select pg_advisory_unlock(7)`); err != nil {
		t.Fatal(err)
	}
	held.Wait()
	p.wantAll(t, gateways[0], ws)
}

// writeAtRandom makes leads and changes them.
func writeAtRandom(t *testing.T, db *pg.DB, ws id.UUID) {
	nothing := func(*lead.Lead) error { return nil }
	var own []id.UUID
	for n := range 120 {
		age := []time.Duration{0, time.Second, time.Minute, 4 * time.Second, -time.Second}[n%5]
		made := pgtest.Lead(t, db, ws, func(l *lead.Lead) { l.CreatedAt, l.UpdatedAt = l.CreatedAt.Add(-age), l.UpdatedAt.Add(-age) })
		own = append(own, made.ID)
		one := own[rand.IntN(len(own))]
		_, err := db.UpdateLead(t.Context(), ws, one, func(l *lead.Lead) error { l.Name = strconv.Itoa(n); return nil })
		if err == nil && n%3 == 0 {
			_, err = db.DeleteLead(t.Context(), ws, one, nothing)
		}
		if err == nil && n%6 == 0 {
			_, err = db.RestoreLead(t.Context(), ws, one, tenant.Settings{}, nothing)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Error(err)
			return
		}
	}
}

// poller asks for what changed since, again and again, and keeps the last version of each lead that it is told.
type poller struct {
	last chan map[id.UUID]lead.Lead
	stop context.CancelFunc
}

func poll(t *testing.T, db *pg.DB, ws id.UUID) *poller {
	ctx, stop := context.WithCancel(t.Context())
	p := &poller{make(chan map[id.UUID]lead.Lead, 1), stop}
	go func() {
		all := map[id.UUID]lead.Lead{}
		var at pg.LeadKey
		for ended := false; ; {
			found, next, more, err := db.LeadsSince(t.Context(), ws, at, 7)
			if err != nil {
				t.Error(err)
			}
			if next.UpdatedAt.Before(at.UpdatedAt) {
				t.Errorf("the place went back from %v to %v", at, next)
			}
			for _, l := range found {
				all[l.ID] = l
			}
			at = next
			if ended && !more {
				p.last <- all
				return
			}
			if !more {
				time.Sleep(10 * time.Millisecond)
			}
			ended = ended || ctx.Err() != nil
		}
	}()
	return p
}

// wantAll checks, once everything that was written must have been told, that each lead was told as it is.
func (p *poller) wantAll(t *testing.T, db *pg.DB, ws id.UUID) {
	t.Helper()
	time.Sleep(6 * time.Second) // until the last update has settled
	p.stop()
	told := <-p.last
	rows := []struct {
		ID        id.UUID    `db:"id"`
		Name      string     `db:"name"`
		UpdatedAt time.Time  `db:"updated_at"`
		DeletedAt *time.Time `db:"deleted_at"`
	}{}
	const q = `select id, coalesce(name, '') as name, updated_at, deleted_at from leads where workspace_id = $1`
	if err := db.SelectContext(t.Context(), &rows, q, ws); err != nil || len(rows) < 400 {
		t.Fatalf("%d leads, %v, want hundreds", len(rows), err)
	}
	missed := 0
	for _, r := range rows {
		got, ok := told[r.ID]
		if !ok || got.Name != r.Name || !got.UpdatedAt.Equal(r.UpdatedAt) || (got.DeletedAt == nil) != (r.DeletedAt == nil) {
			if missed++; missed < 5 {
				t.Errorf("lead %q as of %v was last told as %q of %v", r.Name, r.UpdatedAt, got.Name, got.UpdatedAt)
			}
		}
	}
	if missed > 0 || len(told) != len(rows) {
		t.Errorf("%d of %d leads were missed, %d told", missed, len(rows), len(told))
	}
}

// A lead that is written long after its id was made counts as updated when it was written, to its event as well.
func TestLateLeadsCountAsUpdatedWhenTheyAreWritten(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws := pgtest.Workspace(t, db).ID
	pgtest.Endpoint(t, db, ws)
	for name, c := range map[string]struct {
		age  time.Duration
		late bool
	}{"fresh": {0, false}, "a second old": {time.Second, false}, "a retry": {time.Hour, true}} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			at := start.UTC().Truncate(time.Millisecond).Add(-c.age)
			email := fmt.Sprintf("%d@example.com", c.age)
			l := lead.Lead{WorkspaceID: ws, ID: id.New(), Email: email, UniqueKey: email, Source: "api", Status: "new",
				Metadata: []byte(`{}`), CreatedAt: at, UpdatedAt: at}
			done, err := db.InsertLeads(t.Context(), []pg.NewLead{{Lead: l, EventID: id.New()}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := db.GetLead(t.Context(), ws, l.ID)
			if err != nil || !got.CreatedAt.Equal(at) {
				t.Fatalf("GetLead() = %v, %v, want one created at %v", got, err, at)
			}
			told := done.Leads[0].UpdatedAt
			if late := !told.IsZero(); late != c.late || late && !told.Equal(got.UpdatedAt) {
				t.Errorf("the insert told %v, the row has %v, want late %v", told, got.UpdatedAt, c.late)
			}
			if !c.late && !got.UpdatedAt.Equal(at) || c.late && got.UpdatedAt.Before(start.Add(-time.Second)) {
				t.Errorf("updated at %v, created at %v, written at %v", got.UpdatedAt, at, start)
			}
			var inEvent time.Time
			const q = `select cast(data ->> 'updatedAt' as timestamptz) from events where workspace_id = $1 and lead_id = $2`
			if err := db.GetContext(t.Context(), &inEvent, q, ws, l.ID); err != nil || !inEvent.Equal(got.UpdatedAt) {
				t.Errorf("the event says %v, %v, the row %v", inEvent, err, got.UpdatedAt)
			}
		})
	}
}

// The place stays before the begin of a transaction that may have written leads, and so it does where Postgres hides
// when that began. One that only reads does not hold it up.
func TestPlaceStaysBeforeOpenChanges(t *testing.T) {
	t.Parallel()
	url := pgtest.OwnerURL(t)
	db := mustOpen(t, url, pg.Options{MaxConns: 4})
	role := mustRole(t, db)
	limited, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	limited.User = neturl.UserPassword(role, "limited")
	ws := pgtest.Workspace(t, db).ID
	for _, c := range []struct {
		name, open, reader string
		want               func(begin, place time.Time) bool
	}{
		{"a backup", `select from leads`, url, func(begin, place time.Time) bool { return place.After(begin.Add(-5 * time.Second)) }},
		{"a change", `select from workspaces for update`, url, func(begin, place time.Time) bool {
			return place.Equal(begin.Add(-5 * time.Second))
		}},
		{"a change of a role that hides it", `select from workspaces for update`, limited.String(),
			func(_, place time.Time) bool { return place.IsZero() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			reader := mustOpen(t, c.reader, pg.Options{MaxConns: 1})
			tx, err := db.BeginTxx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			tx.MustExecContext(t.Context(), c.open)
			var begin time.Time
			if err := tx.GetContext(t.Context(), &begin, `select now()`); err != nil {
				t.Fatal(err)
			}
			found, next, more, err := reader.LeadsSince(t.Context(), ws, pg.LeadKey{}, 10)
			if err != nil || len(found) > 0 || more || !c.want(begin, next.UpdatedAt) {
				t.Errorf("LeadsSince() = %v, %v, %v, %v, with a transaction of %v", found, next, more, err, begin)
			}
		})
	}
}

// mustRole makes a role with the password "limited" that may read leads and is shown nothing of other roles' sessions.
func mustRole(t *testing.T, db *pg.DB) (role string) {
	t.Helper()
	role = "reader_" + id.New().String()[24:]
	for _, q := range []string{"create role " + role + " login password 'limited'", "grant select on leads, enrichments to " + role} {
		pgtest.Exec(t, db, q)
	}
	t.Cleanup(func() {
		for _, q := range []string{"drop owned by " + role, "drop role " + role} {
			pgtest.Exec(t, db, q)
		}
	})
	return role
}
