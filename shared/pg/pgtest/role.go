package pgtest

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"testing"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
)

// RunRole is a role that may do what gateways and workers do in each database made of the template, and no more.
const RunRole = "leadgate_run"

const runPassword = "run"

// makeRunRole makes it, with the limits of time that stand for those of a connection behind a pooler.
func makeRunRole(ctx context.Context, db *pg.DB, log *slog.Logger) error {
	for _, q := range []string{
		"create role " + RunRole + " login password '" + runPassword + "'",
		"grant pg_read_all_stats to " + RunRole,
		"alter role " + RunRole + " set statement_timeout = '10s'",
		"alter role " + RunRole + " set lock_timeout = '500ms'",
		"alter role " + RunRole + " set idle_in_transaction_session_timeout = '5min'",
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
	pooler, err := devstack.StartPooler(t.Context(), devstack.PoolerOptions{Dir: t.TempDir(), Of: p, Size: size,
		Accounts: map[string]string{RunRole: runPassword}, Getenv: os.Getenv})
	if errors.Is(err, devstack.ErrNoPooler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { pooler.Kill() })
	return pooler.URL
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
