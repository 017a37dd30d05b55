package pg_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

func TestOwed(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if got, err := db.Backlog(t.Context()); err != nil || got != (pg.Backlog{OldestSnapshot: got.OldestSnapshot}) {
		t.Errorf("Backlog of an empty database = %+v, %v, want nothing", got, err)
	}
	d, other := newDesk(t, db), newDesk(t, db) // closed both
	set := func(e webhook.Endpoint, what string) { d.exec(`update endpoints set `+what+` where id = $1`, e.ID) }
	failing, open, disabled, deleted := d.mustEndpoint(true), d.mustEndpoint(true), d.mustEndpoint(true),
		d.mustEndpoint(true)
	set(failing, `failures = 3`)
	set(open, `failures = 7, probe_at = now() - interval '1 s'`)
	set(disabled, `enabled = false, failures = 7, probe_at = now()`)
	set(deleted, `deleted_at = now()`)
	d.mustLeads(2) // for each of the endpoints that take them: due, but for the disabled one's, which are held
	other.mustLeads(1)
	d.exec(`update deliveries set next_at = now() + interval '1 h' where endpoint_id = $1`, other.endpoint.ID)
	d.exec(`update deliveries set next_at = now() - interval '1 h' where endpoint_id = $1`, open.ID)
	d.exec(
		`update deliveries set next_at = now() - interval '1 min' where id = (select id from deliveries where endpoint_id = $1 limit 1)`, d.endpoint.ID)
	d.exec(
		`update deliveries set state = 'exhausted', next_at = null where id = (select id from deliveries where endpoint_id = $1 limit 1)`, failing.ID)
	for _, state := range []webhook.ReplayState{webhook.ReplayRunning, webhook.ReplayRunning, webhook.ReplayDone} {
		d.exec(
			`insert into replays (workspace_id, id, filter, rate, state, created_at, updated_at) values ($1, $2, '{}', 1, $3, now(), now())`, d.ws, id.New(), string(state))
	}
	got, err := db.Backlog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.OldestDue < time.Minute || got.OldestDue > 5*time.Minute {
		t.Errorf("OldestDue = %s, want the minute of a closed breaker's, not the hour of an open one's", got.OldestDue)
	}
	got.OldestDue, got.OldestSnapshot = 0, 0 // no time is certain
	if diff := cmp.Diff(pg.Backlog{Due: 3, Later: 3, Closed: 2, Failing: 1, Open: 1, Disabled: 1, Replays: 2},
		got); diff != "" {
		t.Errorf("Backlog (-want +got):\n%s", diff)
	}
}

// A transaction that stays open, such as a dump, is told of, for as long as it does.
func TestBacklogTellsOfTheOldestSnapshot(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	tx, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "select from leads"); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	testwait.Until(t, "the snapshot's age", func() bool {
		b, err := db.Backlog(t.Context())
		return err == nil && b.OldestSnapshot > 0 && b.OldestSnapshot >= time.Since(since)-time.Second
	})
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if b, err := db.Backlog(t.Context()); err != nil || b.OldestSnapshot > 0 {
		t.Errorf("OldestSnapshot = %v, %v, want 0: nothing is open", b.OldestSnapshot, err)
	}
}
