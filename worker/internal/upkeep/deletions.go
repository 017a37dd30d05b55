package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// Bounds of deleting workspaces.
const (
	deletionLimit = 20   // deletions that one sweep goes on with
	deletionBatch = 2000 // rows of one commit
	// settleTime is longer than a gateway that cannot ask Postgres takes a key for live, and than any request or commit
	// takes: whoever knew the workspace has ended by then.
	settleTime = 3 * time.Minute
)

// deletion is how far this process has come with one. What is lost with the process is only where it was: it begins
// another pass, which finds less.
type deletion struct {
	begun  bool
	pass   pg.WorkspacePass
	owner  int    // whose keys in Redis are looked for: of the sandbox, of the workspace
	cursor uint64 // where that goes on
}

// deleteWorkspaces goes on with deletions, each in turn for a while:
//
//	rows, pass by pass --> the workspace's own row --> settleTime --> rows once more --> keys in Redis --> receipt
func (u *Upkeep) deleteWorkspaces(ctx context.Context) (n int, more bool, err error) {
	running, err := u.DB.RunningDeletions(ctx, u.settle, deletionLimit)
	errs := []error{err}
	known := u.deleting
	u.deleting = map[id.UUID]*deletion{}
	end := time.Now().Add(u.purgeTime)
	for _, r := range running {
		d := known[r.Workspace]
		if d == nil {
			d = &deletion{}
		}
		u.deleting[r.Workspace] = d
		erased, err := u.deleteWorkspace(ctx, r, d, end)
		n += erased
		if err != nil && !errors.Is(err, pg.ErrElsewhere) {
			errs = append(errs, fmt.Errorf("delete %s: %w", id.Workspace.Format(r.Workspace), err))
		}
	}
	return n, true, errors.Join(errs...)
}

// deleteWorkspace does one batch of a deletion at least, and others until end.
func (u *Upkeep) deleteWorkspace(ctx context.Context, r pg.RunningDeletion, d *deletion, end time.Time) (n int,
	err error) {
	if r.ErasedAt != nil && !r.Settled {
		return 0, nil
	}
	if !d.begun {
		if err := u.removeProbeTasks(ctx, r.Workspace, r.Sandbox); err != nil {
			return 0, err
		}
		d.begun = true
	}
	for done := false; !done; {
		var rows int
		if rows, done, err = u.DB.EraseWorkspace(ctx, r.Workspace, r.Sandbox, &d.pass, u.deletionBatch); err != nil {
			return n, err
		}
		if n += rows; !done && !time.Now().Before(end) {
			return n, nil
		}
	}
	if r.ErasedAt == nil {
		d.pass = pg.WorkspacePass{}
		return n, u.DB.EndWorkspace(ctx, r.Workspace)
	}
	for owners := []id.UUID{r.Sandbox, r.Workspace}; d.owner < len(owners); d.owner++ {
		next, keys, err := rdb.DeleteKeys(ctx, u.Redis, owners[d.owner], d.cursor, end)
		err = errors.Join(err, u.DB.CountErasedKeys(ctx, r.Workspace, keys))
		if d.cursor = next; err != nil || next != 0 {
			return n, err
		}
	}
	ended, err := u.DB.FinishDeletion(ctx, r.Workspace)
	if ended {
		u.Log.Info("workspace deleted", "workspace", id.Workspace.Format(r.Workspace), "receipt", r.Erased)
	}
	return n, err
}

// removeProbeTasks takes the tasks of failing endpoints out of their queue, where they would wait for up to an hour.
func (u *Upkeep) removeProbeTasks(ctx context.Context, workspaces ...id.UUID) error {
	for _, ws := range workspaces {
		endpoints, err := u.DB.ListEndpoints(ctx, ws)
		if err != nil {
			return err
		}
		for _, e := range endpoints {
			u.Waker.RemoveProbeTask(task.Drain(ws, e.ID))
		}
	}
	return nil
}
