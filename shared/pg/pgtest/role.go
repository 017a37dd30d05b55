package pgtest

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
)

// RunRole is a role that may do what gateways and workers do in each database made of the template, and no more.
const RunRole = "leadgate_run"

const runPassword = "run"

// How tests connect: as who owns their database, as the run role, or as that through a pgbouncer in transaction mode.
const (
	asEnv    = "PG_TEST_AS"
	asRun    = "run"
	asPooled = "pooled"
)

// makeRunRole makes it, with limits of time as a pooler's connections need them, but longer: machines
// that run tests are slow.
func makeRunRole(ctx context.Context, db *pg.DB, log *slog.Logger) error {
	for _, q := range []string{
		"create role " + RunRole + " login password '" + runPassword + "'",
		"alter role " + RunRole + " set statement_timeout = '1min'",
		"alter role " + RunRole + " set lock_timeout = '10s'",
		"alter role " + RunRole + " set idle_in_transaction_session_timeout = '5min'",
		"alter role " + RunRole + " set jit = off",
		"revoke create on schema public from public",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return db.Grant(ctx, log, RunRole)
}

// Pooler starts a pgbouncer in transaction mode in front of the databases of this test process, with size connections
// to each, and returns the way through it. It skips t where there is none.
func Pooler(t testing.TB, size int) (through func(direct string) string) {
	t.Helper()
	p, err := cluster()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	pooler, err := startPooler(t.Context(), p, t.TempDir(), size)
	if errors.Is(err, devstack.ErrNoPooler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { pooler.Kill() })
	return pooler.URL
}

// Exec runs a statement of a test, which is not the run role's: as the owner of db's database where db is not.
func Exec(t testing.TB, db *pg.DB, query string, args ...any) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if os.Getenv(asEnv) != "" {
		var name, user string
		if err := db.QueryRowContext(ctx, `select current_database(), current_user`).Scan(&name, &user); err != nil {
			t.Fatalf("pgtest: %v", err)
		}
		if user == RunRole {
			db = mustOwn(t, name)
			defer db.Close()
		}
	}
	if _, err := db.ExecContext(ctx, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// mustOwn returns a connection of the owner of a database.
func mustOwn(t testing.TB, name string) *pg.DB {
	t.Helper()
	p, err := cluster()
	var db *pg.DB
	if err == nil {
		db, err = pg.Open(p.URL(name), pg.Options{MaxConns: 1, StatementTimeout: time.Minute})
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return db
}

// pooler is that of all tests, where PG_TEST_AS says so.
var pooler = sync.OnceValues(func() (*devstack.Pooler, error) {
	p, err := cluster()
	if err != nil {
		return nil, err
	}
	return startPooler(context.Background(), p, p.Dir(), 8)
})

func startPooler(ctx context.Context, p *devstack.Postgres, dir string, size int) (*devstack.Pooler, error) {
	return devstack.StartPooler(ctx, devstack.PoolerOptions{Dir: dir, Of: p, Size: size,
		Accounts: map[string]string{RunRole: runPassword}, Getenv: os.Getenv})
}

// as is owner's URL for whom PG_TEST_AS names.
func as(t testing.TB, owner string) string {
	t.Helper()
	switch how := os.Getenv(asEnv); how {
	case "":
		return owner
	case asRun:
		return RunURL(t, owner)
	case asPooled:
		p, err := pooler()
		if err != nil {
			t.Fatalf("pgtest: %v", err)
		}
		return p.URL(RunURL(t, owner))
	default:
		t.Fatalf("pgtest: %s = %s, want %s or %s", asEnv, how, asRun, asPooled)
		return ""
	}
}

// RunURL is a connection URL of pgtest for the run role.
func RunURL(t testing.TB, owner string) string {
	t.Helper()
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	u.User = url.UserPassword(RunRole, runPassword)
	return u.String()
}
