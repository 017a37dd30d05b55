package pgtest

import (
	"context"
	"os"
	"testing"

	"leadgate/shared/devstack"
)

// OnCitus reports whether tests run on a Citus cluster: of one node, which is all that its planner needs to be as it is
// on several.
func OnCitus() bool { return os.Getenv(devstack.CitusEnv) != "" }

// NotOnCitus skips a test that does to tables what Citus refuses, or asks for what a server alone tells.
func NotOnCitus(t testing.TB, why string) {
	t.Helper()
	if OnCitus() {
		t.Skip("not on Citus: " + why)
	}
}

// ensureTemplate makes the template database where there is none.
func ensureTemplate(ctx context.Context, p *devstack.Postgres) error {
	return settle(ctx, p, templateDB)
}

// settle makes a database where there is none, and tells one that was copied where it is now.
func settle(ctx context.Context, p *devstack.Postgres, name string) error {
	if OnCitus() {
		return (&devstack.Citus{Postgres: p}).EnsureDatabase(ctx, name)
	}
	return p.EnsureDatabase(ctx, name)
}
