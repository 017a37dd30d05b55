// Package pgtest gives each test a migrated Postgres database of its own. PG_BINDIR names the programs to run, where
// not the newest installed ones are meant: `go run ./shared/devstack/matrix` runs the tests on all supported versions.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
)

// cluster is this test process' Postgres, started by the first test that asks. It ends with the process (devstack sees
// to that). It is the one thing in leadgate that is shared by package variable: tests have no main in which to make it.
var cluster = sync.OnceValues(func() (*devstack.Postgres, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return startCluster(ctx)
})

// New returns a pool on a new migrated database, which is dropped when t ends.
func New(t testing.TB) *pg.DB {
	t.Helper()
	db, err := pg.Open(URL(t), pg.Options{MaxConns: 8, Application: t.Name(), StatementTimeout: time.Minute})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// URL makes a migrated database for t and returns its connection URL, for who owns it, or as PG_TEST_AS says. A
// connection may take longer than a gateway gives it: a busy test machine is not an outage.
func URL(t testing.TB) string {
	t.Helper()
	return as(t, OwnerURL(t))
}

// OwnerURL is URL for who owns the database, whatever PG_TEST_AS says: for tests of plans, and of what a session is set
// to.
func OwnerURL(t testing.TB) string {
	t.Helper()
	p, err := cluster()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := "t_" + strings.ToLower(rand.Text()[:16])
	if err := p.CreateDatabase(t.Context(), name, templateDB); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	if OnCitus() {
		if err := settle(t.Context(), p, name); err != nil {
			t.Fatalf("pgtest: %v", err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := p.DropDatabase(ctx, name); err != nil {
			t.Logf("pgtest: %v", err)
		}
	})
	return p.URL(name) + "&connect_timeout=30"
}

// Start returns a cluster for t alone, started as the changes make it, which it may stop and start, and a migrated
// database in it.
func Start(t testing.TB, changes ...func(*devstack.PostgresOptions)) (p *devstack.Postgres, database string) {
	t.Helper()
	cache, err := cacheDir()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	dir := filepath.Join(cache, "own-"+rand.Text())
	release, err := devstack.Lock(dir+lockSuffix, false) // until this process ends, or its cluster is removed
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.RemoveAll(dir), os.Remove(dir+lockSuffix)); err != nil {
			t.Logf("pgtest: %v", err)
		}
		release()
	})
	if err = CopyCluster(t.Context(), dir); err == nil {
		p, err = start(t.Context(), dir, changes...)
	}
	if err == nil && OnCitus() {
		err = settle(t.Context(), p, templateDB)
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { p.Kill() })
	return p, p.URL(templateDB)
}
