package pg_test

import (
	"log/slog"
	"strings"
	"testing"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// On Citus each statement about a workspace goes to the one node that has the workspace, with all that it reads and
// writes there.
func TestStatementsGoToOneNode(t *testing.T) {
	t.Parallel()
	if !pgtest.OnCitus() {
		t.Skip("runs on Citus: go run ./shared/devstack/matrix -citus")
	}
	f := fillTables(t)
	db := mustOpen(t, f.url, pg.Options{MaxConns: 1})
	x := &explainer{generic: db, custom: db, silent: db}
	executed := func(t *testing.T) (one, several int) {
		t.Helper()
		const q = `
select query_execution_single_shard, query_execution_multi_shard from citus_stat_counters where name = current_database()`
		if err := db.QueryRowContext(t.Context(), q).Scan(&one, &several); err != nil {
			t.Fatal(err)
		}
		return one, several
	}
	for name, run := range f.statements() {
		if name == "sweep endpoints with due deliveries" {
			continue // it is about all workspaces
		}
		t.Run(name, func(t *testing.T) {
			one, several := executed(t)
			run(t, x)
			oneAfter, severalAfter := executed(t)
			if severalAfter != several || oneAfter == one {
				t.Errorf("executed on one node: %d, on several: %d, want none of several", oneAfter-one, severalAfter-several)
			}
			t.Logf("%d commands", oneAfter-one)
		})
	}
}

// Tables are spread once, those that a later migration makes too, and only where there is a cluster.
func TestDistribute(t *testing.T) {
	t.Parallel()
	db, quiet := pgtest.New(t), slog.New(slog.DiscardHandler)
	if !pgtest.OnCitus() {
		if _, err := db.Distribute(t.Context(), quiet); err == nil || !strings.Contains(err.Error(), "create extension citus") {
			t.Errorf("Distribute() = %v, want that there is no extension", err)
		}
		return
	}
	if n, err := db.Distribute(t.Context(), quiet); n != 0 || err != nil {
		t.Errorf("Distribute() again = %d, %v, want nothing left", n, err)
	}
	ws := pgtest.Workspace(t, db).ID
	for _, q := range []string{`create table later (workspace_id uuid not null references workspaces, id uuid not null, primary key (workspace_id, id))`,
		`insert into later select id, id from workspaces`} {
		pgtest.Exec(t, db, q)
	}
	if _, err := db.Migrate(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	var where string
	var rows, local int
	const q = `
select (select partmethod from pg_dist_partition where logicalrelid = 'later'::regclass), (select count(*) from later where workspace_id = $1)`
	if err := db.QueryRowContext(t.Context(), q, ws).Scan(&where, &rows); err != nil || where != "h" || rows != 1 {
		t.Errorf("a later table is %q with %d rows, %v, want it spread with its row", where, rows, err)
	}
	if err := db.GetContext(t.Context(), &local, `select pg_relation_size('later')`); err != nil || local != 0 {
		t.Errorf("%d bytes of it are left on the coordinator, %v, want none", local, err)
	}
}
