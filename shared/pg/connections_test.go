package pg_test

import (
	"log/slog"
	"strings"
	"testing"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// A process whose pool may need more than Postgres has left is told so at its start, and any other is not.
func TestTooFewConnectionsAreToldAtTheStart(t *testing.T) {
	pgtest.NotOnCitus(t, "Citus makes connections of its own")
	t.Parallel()
	url := pgtest.OwnerURL(t) // a pooler has connections of its own, and the run role sets no limits
	start := func() string {
		t.Helper()
		db, err := pg.Open(url, pg.Options{MaxConns: 8})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var log strings.Builder
		if err := db.Start(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), pg.StartOptions{AllowUnsafe: true}); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	const warning = "postgres has too few connections left for this process"
	if log := start(); strings.Contains(log, warning) || strings.Contains(log, "not counted") {
		t.Errorf("Start() with a pool of 8 logs\n%s", log)
	}
	db, err := pg.Open(url, pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const limit = `do $$ begin execute format('alter database %I connection limit 5', current_database()); end $$`
	if _, err := db.ExecContext(t.Context(), limit); err != nil {
		t.Fatal(err)
	}
	log := start() // this one and that of the test are open
	if !strings.Contains(log, warning) || !strings.Contains(log, "pool=8 left=4") {
		t.Errorf("Start() with a pool of 8, where 5 connections may be open and one is another's, logs\n%s", log)
	}
}
