package intake_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/lead"
)

// freeze makes Redis silent, and returns what makes it answer again, with what it knew.
func (b *bundle) freeze(t *testing.T) (thaw func()) {
	t.Helper()
	pid := b.redis.PID()
	if pid == 0 {
		if err := b.redis.Stop(); err != nil {
			t.Fatal(err)
		}
		return func() { _ = b.redis.Start(t.Context()) }
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thaw = func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	t.Cleanup(thaw)
	return thaw
}

// Emails that were given up while Redis was away are free soon after it is back, without any sweep.
func TestReleasesAreToldLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const many = 5
	for i := range many {
		b.mustCreate(t, fmt.Sprintf("p%d@example.com", i))
	}
	thaw := b.freeze(t)
	for i := range many {
		holder := lead.Lead{}
		if err := b.db.GetContext(t.Context(), &holder.ID, `select id from leads where email = $1`,
			fmt.Sprintf("p%d@example.com", i)); err != nil {
			t.Fatal(err)
		}
		u, err := b.db.DeleteLead(t.Context(), b.principal.WorkspaceID, holder.ID, func(*lead.Lead) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		b.Publish(t.Context(), intake.ChangeOf(&u))
	}
	if n := b.rows(t, "releases"); n != many {
		t.Fatalf("%d releases are pending, want %d", n, many)
	}
	thaw()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); b.rows(t, "releases") > 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d releases are still pending", b.rows(t, "releases"))
		}
	}
	for i := range many {
		b.mustCreate(t, fmt.Sprintf("p%d@example.com", i))
	}
}
