package pgtest

import (
	"context"
	"log/slog"
	"net/url"
	"testing"

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
