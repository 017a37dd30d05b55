package devstack_test

import (
	"errors"
	"testing"

	"leadgate/shared/devstack"
)

// After a power cut there is what was synced, and nothing else: what a session committed asynchronously a moment before
// is gone, and tables, indexes and the catalog are whole.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	p, err := devstack.StartPostgres(t.Context(), devstack.PostgresOptions{Dir: dir, Durable: true, PowerCuts: true})
	if errors.Is(err, devstack.ErrNoPowerCuts) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() })
	if err := p.CreateDatabase(t.Context(), "app", ""); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, p.URL("app"))
	mustExec(t, db, "alter system set wal_writer_delay = '10s'") // nothing is synced by itself meanwhile
	mustExec(t, db, "select pg_reload_conf()")
	mustExec(t, db, "create table t (n int primary key)")
	for name, keep := range map[string]bool{"nothing else is kept": false, "all else is kept": true} {
		mustExec(t, db, "truncate t")
		mustExec(t, db, "insert into t select generate_series(1, 1000)")
		mustExec(t, db, "checkpoint")
		mustExec(t, db, "insert into t select generate_series(1001, 2000)")
		mustExec(t, db, "set synchronous_commit = off; insert into t values (2001)")
		for range 2 { // the second finds nothing that runs
			if err := p.CutPower(func() bool { return keep }); err != nil {
				t.Fatalf("%s: CutPower() = %v", name, err)
			}
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatalf("%s: Start() = %v", name, err)
		}
		const q = `select count(*), count(*) filter (where n = 2001) from t where n > 0`
		var all, lost int
		if err := db.QueryRowContext(t.Context(), q).Scan(&all, &lost); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if all-lost != 2000 || lost > 0 && !keep {
			t.Errorf("%s: %d rows are there, %d of which were not synced, want 2000 and those only if kept", name, all, lost)
		}
	}
}
