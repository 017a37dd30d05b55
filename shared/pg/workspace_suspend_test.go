package pg_test

import (
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// A lease that is held and one that is asked for are both of no use while the workspace is suspended; what waits is due
// again afterwards.
func TestSuspensionEndsLeases(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(3)
	token := id.New()
	if got := d.take(token, 0, 1); len(got) != 1 {
		t.Fatalf("leased %d, want one", len(got))
	}
	if _, err := d.db.SuspendWorkspace(t.Context(), d.ws, d.now, "unpaid"); err != nil {
		t.Fatal(err)
	}
	if held, err := d.db.HasLease(t.Context(), d.ws, d.endpoint.ID, token); err != nil || held {
		t.Errorf("HasLease while suspended = %v, %v, want false", held, err)
	}
	if held := d.record(token, 0, 0); !held {
		t.Errorf("the lease cannot be given back while suspended, want that it can")
	}
	for _, mode := range []pg.LeaseMode{pg.LeaseForDrain, pg.LeaseForProbe, pg.LeaseNow} {
		if got := d.takeAs(mode, 0).Due; len(got) != 0 {
			t.Errorf("leased %d in mode %d while suspended, want none", len(got), mode)
		}
	}
	if d.due(0) {
		t.Error("the endpoint is due while suspended, want that the sweep leaves it alone")
	}
	if b, err := d.db.Backlog(t.Context()); err != nil || b.Due != 0 || b.Later != 3 || b.OldestDue != 0 {
		t.Errorf("Backlog = %+v, %v, want three that go later: nobody is late with them", b, err)
	}
	if _, err := d.db.ResumeWorkspace(t.Context(), d.ws); err != nil {
		t.Fatal(err)
	}
	if got := d.takeAs(pg.LeaseForDrain, 0).Due; len(got) != 3 || !d.due(0) {
		t.Errorf("leased %d after it, want all three", len(got))
	}
}

// A sandbox is suspended with its live workspace, also one that is made meanwhile, and not by itself.
func TestSandboxFollowsItsWorkspace(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	live, other := pgtest.Workspace(t, db).ID, pgtest.Workspace(t, db).ID
	sandbox := func(of id.UUID) id.UUID {
		made, err := db.EnsureSandbox(t.Context(), tenant.Workspace{ID: id.New(), TestOf: of, CreatedAt: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	at := time.Now().Truncate(time.Millisecond)
	first := sandbox(live)
	for _, reason := range []string{"unpaid", "still unpaid"} {
		for _, ws := range []id.UUID{live, other} {
			if _, err := db.SuspendWorkspace(t.Context(), ws, at, reason); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, ws := range []id.UUID{live, first, sandbox(other)} {
		w, err := db.GetWorkspace(t.Context(), ws)
		if err != nil || w.Suspension == nil || w.Suspension.Reason != "still unpaid" || !w.Suspension.At.Equal(at) {
			t.Errorf("workspace = %+v, %v, want it suspended since %v", w, err, at)
		}
	}
	if _, err := db.SuspendWorkspace(t.Context(), first, at, "x"); !fault.Is(err, fault.Conflict) {
		t.Errorf("SuspendWorkspace(sandbox) = %v, want CONFLICT", err)
	}
	if _, err := db.SuspendWorkspace(t.Context(), id.New(), at, "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("SuspendWorkspace(unknown) = %v, want NOT_FOUND", err)
	}
	for range 2 {
		if w, err := db.ResumeWorkspace(t.Context(), live); err != nil || w.Suspension != nil {
			t.Errorf("ResumeWorkspace = %+v, %v, want it resumed", w, err)
		}
	}
	if ok, err := db.IsActive(t.Context(), first); err != nil || !ok {
		t.Errorf("IsActive(sandbox) = %v, %v, want true after its workspace was resumed", ok, err)
	}
}
