package pg_test

import (
	"testing"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// While statistics lag behind, what waits for one endpoint is settled without reading what waits for others.
func TestSettleGoesByKey(t *testing.T) {
	t.Parallel()
	// one connection counts what it reads, and a pooler has several
	db, err := pg.Open(pgtest.OwnerURL(t), pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := newDesk(t, db)
	const owe = `
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
select $1, e, $2, e, 'pending', now(), now(), now()
  from (select overlay(uuid_floor(now())::text placing lpad(to_hex($3::int + n), 12, '0') from 25)::uuid from generate_series(1, $4::int) n) as v (e)`
	other := d.mustEndpoint(true)
	d.mustExec(owe, d.ws, d.endpoint.ID, 0, 2000)
	d.mustExec(`analyze deliveries`)
	keepStatistics(t, db)
	d.mustExec(owe, d.ws, other.ID, 2000, 20_000)
	read := func() (n int) {
		if _, err := db.ExecContext(t.Context(), `select pg_stat_force_next_flush()`); err != nil {
			t.Skip("Postgres before version 15 tells no numbers in time")
		}
		if err := db.GetContext(t.Context(), &n,
			`select sum(seq_tup_read) + sum(idx_tup_fetch) from pg_stat_user_tables where relname like 'deliveries\_2%'`); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := read()
	if _, err := db.UpdateEndpoint(t.Context(), d.ws, d.endpoint.ID, d.now,
		func(e *webhook.Endpoint) error { e.Enabled = false; return nil }, nil); err != nil {
		t.Fatal(err)
	}
	if got := read() - before; got > 10_000 {
		t.Errorf("settling 2000 deliveries read %d, want a few for each", got)
	}
	if got := d.states(d.endpoint); got[webhook.Held] != 2000 {
		t.Errorf("states = %v, want 2000 held", got)
	}
}
