package pg_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

func anyWorkspace(*tenant.Workspace) error { return nil }

// mustDelete asks for the deletion of a workspace, which it suspends.
func mustDelete(t *testing.T, db *pg.DB, ws id.UUID) tenant.Deletion {
	t.Helper()
	if _, err := db.SuspendWorkspace(t.Context(), ws, time.Now(), "left"); err != nil {
		t.Fatal(err)
	}
	d, err := db.DeleteWorkspace(t.Context(), tenant.Deletion{Workspace: ws, RequestedAt: time.Now()}, anyWorkspace)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Whatever table the schema has, nothing of a deleted workspace and its sandbox is left in it, and everything of a
// neighbour is, in whatever batches it goes and wherever the process is killed. Each row is counted once.
func TestEraseWorkspaceLeavesNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws, neighbour := pgtest.Workspace(t, db).ID, pgtest.Workspace(t, db).ID
	sandbox, err := db.EnsureSandbox(t.Context(), tenant.Workspace{ID: id.New(), TestOf: ws, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []id.UUID{ws, sandbox, neighbour} {
		pgtest.Fill(t, db, of, 5)
	}
	want := pgtest.Rows(t, db, ws)
	before := pgtest.Rows(t, db, neighbour)
	d := mustDelete(t, db, ws)
	if d.Sandbox != sandbox {
		t.Fatalf("DeleteWorkspace = %+v, want it with the sandbox %v", d, sandbox)
	}
	rows, steps := 0, 0
	for done, pass := false, (pg.WorkspacePass{}); !done; steps++ {
		if steps%7 == 3 { // a kill: its commit is undone, and another process begins anew
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, _, err := db.EraseWorkspace(ctx, ws, sandbox, &pass, 2); err == nil {
				t.Fatal("EraseWorkspace of a process that was killed = nil")
			}
			if steps < 60 {
				pass = pg.WorkspacePass{}
			}
		}
		n := 0
		if n, done, err = db.EraseWorkspace(t.Context(), ws, sandbox, &pass, 2); err != nil {
			t.Fatal(err)
		}
		rows += n
	}
	for _, of := range []id.UUID{ws, sandbox} {
		if left := pgtest.Rows(t, db, of); len(left) > 0 {
			t.Errorf("left of the workspace: %v, want nothing", left)
		}
	}
	if diff := cmp.Diff(before, pgtest.Rows(t, db, neighbour)); diff != "" {
		t.Errorf("rows of a neighbour (-before +after):\n%s", diff)
	}
	if err := db.EndWorkspace(t.Context(), ws); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []id.UUID{ws, sandbox} {
		if _, err := db.GetWorkspace(t.Context(), gone); !fault.Is(err, fault.NotFound) {
			t.Errorf("GetWorkspace(deleted) = %v, want NOT_FOUND", err)
		}
	}
	if d, err = db.GetDeletion(t.Context(), ws); err != nil || d.ErasedAt == nil {
		t.Fatalf("GetDeletion = %+v, %v, want it erased", d, err)
	}
	counts := maps.Clone(d.Erased)
	delete(counts, "workspaces")
	for table := range want {
		want[table] = 2 * 5 // and those of the sandbox
	}
	want["audit"] = counts["audit"] // which has what was done meanwhile
	if diff := cmp.Diff(want, counts); diff != "" || d.Erased["workspaces"] != 2 {
		t.Errorf("erased = %v (-want +got):\n%s", d.Erased, diff)
	}
}

// A workspace is deleted once, and only one that is suspended; nobody resumes it, and nobody gives it a sandbox.
func TestDeleteWorkspaceIsRefused(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws := pgtest.Workspace(t, db).ID
	ask := func() error {
		_, err := db.DeleteWorkspace(t.Context(), tenant.Deletion{Workspace: ws, RequestedAt: time.Now()}, anyWorkspace)
		return err
	}
	if err := ask(); !fault.Is(err, fault.Conflict) {
		t.Errorf("DeleteWorkspace of one that works = %v, want CONFLICT", err)
	}
	first := mustDelete(t, db, ws)
	if err := ask(); err != nil {
		t.Errorf("DeleteWorkspace again = %v, want the deletion there is", err)
	}
	if _, err := db.ResumeWorkspace(t.Context(), ws); !fault.Is(err, fault.Conflict) {
		t.Errorf("ResumeWorkspace of one that is being deleted = %v, want CONFLICT", err)
	}
	_, err := db.EnsureSandbox(t.Context(), tenant.Workspace{ID: id.New(), TestOf: ws, CreatedAt: time.Now()})
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("EnsureSandbox of one that is being deleted = %v, want NOT_FOUND", err)
	}
	pgtest.Key(t, db, ws) // which the command line can still make
	if err := db.EndWorkspace(t.Context(), ws); err != nil {
		t.Errorf("EndWorkspace with something left = %v, want that it waits", err)
	}
	if w, err := db.GetWorkspace(t.Context(), ws); err != nil || !w.Suspension.Deleting {
		t.Errorf("GetWorkspace = %+v, %v, want it being deleted", w, err)
	}
	running, err := db.RunningDeletions(t.Context(), 0, 10)
	if err != nil || len(running) != 1 || running[0].Workspace != first.Workspace || running[0].Settled {
		t.Errorf("RunningDeletions = %+v, %v, want one that is not erased", running, err)
	}
	if ended, err := db.FinishDeletion(t.Context(), ws); err != nil || !ended {
		t.Errorf("FinishDeletion = %v, %v", ended, err)
	}
	if err := db.EndWorkspace(t.Context(), ws); !errors.Is(err, pg.ErrElsewhere) {
		t.Errorf("EndWorkspace of a deletion that has ended = %v, want ErrElsewhere", err)
	}
}
