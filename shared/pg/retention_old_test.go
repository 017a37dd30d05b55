package pg_test

import (
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// A week that version 0.1.0 has detached is brought back with what is pending in it, though its tables have got columns
// since.
func TestDetachedByAnOlderVersion(t *testing.T) {
	t.Parallel()
	p, _ := pgtest.Start(t)
	d := &desk{T: t, db: mustRelease(t, p, released), ws: id.New()}
	d.endpoint.ID = id.New()
	d.exec(`insert into workspaces (id, name, settings, created_at, updated_at) values ($1, 'w', '{}', now(), now())`, d.ws)
	waits, gone := d.mustPast(8, webhook.Pending), d.mustPast(9, webhook.Delivered)
	for _, table := range []string{"deliveries", "events", "attempts"} {
		for _, n := range []int{8, 9} {
			d.exec(`alter table ` + table + ` detach partition ` + part(table, n))
			d.exec(`comment on table ` + part(table, n) + ` is 'leadgate: retention drops this'`)
		}
	}
	if _, err := d.db.Migrate(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	dropped, kept := d.mustDrop()
	same(t, "dropped", dropped, []string{part("deliveries", 9), part("events", 9), part("attempts", 8), part("attempts", 9)})
	same(t, "kept", kept, []string{part("deliveries", 8)})
	for delivery, want := range map[id.UUID]int{waits: 1, gone: 0} {
		if got := d.count(`select from deliveries where id = $1 and state = 'pending' and not delivered_before`, delivery); got != want {
			t.Errorf("%d deliveries, want %d", got, want)
		}
	}
}
