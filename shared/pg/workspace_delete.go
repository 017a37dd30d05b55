package pg

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

const deletionColumns = `d.id, d.sandbox_id, d.requested_by, d.exported_at, d.erased, d.requested_at, d.erased_at, d.finished_at`

func scanDeletion(row conn.Row) (tenant.Deletion, error) { return scanDeletionAnd(row) }

// scanDeletionAnd reads a deletion, and other columns behind it.
func scanDeletionAnd(row conn.Row, others ...any) (d tenant.Deletion, err error) {
	var sandbox uuid.NullUUID
	var erased []byte
	err = row.Scan(append([]any{&d.Workspace, &sandbox, &d.RequestedBy, &d.ExportedAt, &erased, &d.RequestedAt, &d.ErasedAt,
		&d.FinishedAt}, others...)...)
	if err != nil {
		return d, err
	}
	d.Sandbox = sandbox.UUID
	return d, json.Unmarshal(erased, &d.Erased)
}

// DeleteWorkspace makes a job of deleting a workspace with its sandbox, which upkeep does. check looks at the workspace
// first. Asked again it returns the job that there is. NOT_FOUND when there is no such workspace, CONFLICT for a
// sandbox and for one that is not suspended.
func (db *DB) DeleteWorkspace(ctx context.Context, d tenant.Deletion, check func(*tenant.Workspace) error) (
	made tenant.Deletion, err error) {
	const read = `select ` + workspaceColumns + ` from workspaces w where w.id = $1 for no key update of w`
	const q = `
insert into workspace_deletions as d (id, sandbox_id, requested_by, exported_at, requested_at)
select w.id, (select id from workspaces where test_of = w.id), $2, w.exported_at, $3
  from workspaces w where w.id = $1
returning ` + deletionColumns
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		w, err := conn.One(ctx, tx, "delete workspace", scanWorkspace, workspaceNotFound(), read, d.Workspace)
		if err != nil {
			return err
		}
		if err := check(&w); err != nil {
			return err
		}
		if w.Suspension != nil && w.Suspension.Deleting {
			made, err = conn.One(ctx, tx, "delete workspace", scanDeletion, nil, getDeletion, d.Workspace)
			return err
		}
		if err := maySuspend(&w); err != nil {
			return err
		}
		if w.Suspension == nil {
			return fault.New(fault.Conflict, "The workspace is not suspended: suspend it first, and export it")
		}
		made, err = conn.One(ctx, tx, "delete workspace", scanDeletion, nil, q, d.Workspace, d.RequestedBy, d.RequestedAt)
		return err
	})
	return made, err
}

const getDeletion = `select ` + deletionColumns + ` from workspace_deletions d where d.id = $1`

// GetDeletion returns the deletion of a workspace, which is there when the workspace is no more; NOT_FOUND when there
// is none. It looks across workspaces. The deletion is the administrator's.
func (db *DB) GetDeletion(ctx context.Context, workspace id.UUID) (tenant.Deletion, error) {
	return conn.One(ctx, db, "get deletion", scanDeletion, fault.New(fault.NotFound, "Nobody has deleted this workspace"),
		getDeletion, workspace)
}

// ListDeletions returns deletions of workspaces before one of them, the newest workspace first; a zero before means
// from the newest. At most 1000. It looks across workspaces.
func (db *DB) ListDeletions(ctx context.Context, before id.UUID, limit int) ([]tenant.Deletion, error) {
	const q = `select ` + deletionColumns + ` from workspace_deletions d where d.id < $1 order by d.id desc limit $2`
	return conn.Collect(ctx, db, "list deletions", scanDeletion, q, orNewest(before), page(limit))
}

// RunningDeletion is one that has not ended.
type RunningDeletion struct {
	tenant.Deletion
	Settled bool // the workspace's row has been gone for long enough: nobody can write for it any more
}

// RunningDeletions returns up to limit deletions that have not ended, in any order, so that those that fail keep no
// others waiting. It looks across workspaces.
func (db *DB) RunningDeletions(ctx context.Context, settle time.Duration, limit int) ([]RunningDeletion, error) {
	const q = `
select ` + deletionColumns + `, coalesce(d.erased_at <= now() - cast($1 as interval), false)
  from workspace_deletions d
 where d.finished_at is null
 order by random() limit $2`
	return conn.Collect(ctx, db, "running deletions", func(row conn.Row) (r RunningDeletion, err error) {
		r.Deletion, err = scanDeletionAnd(row, &r.Settled)
		return r, err
	}, q, interval(settle), limit)
}

// ErrElsewhere is of a step of a deletion that another worker is at, or that has ended.
var ErrElsewhere = errors.New("another worker is at the deletion")

// inDeletion does a step of a deletion, of which no two are done at a time. It looks across workspaces. The deletion is
// that of one.
func (db *DB) inDeletion(ctx context.Context, workspace id.UUID, do func(tx *sqlx.Tx) error) error {
	const lock = `
select true from workspace_deletions where id = $1 and finished_at is null for update skip locked`
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		_, locked, err := conn.Find(ctx, tx, "lock deletion", conn.Value[bool], lock, workspace)
		if err == nil && !locked {
			err = ErrElsewhere
		}
		if err != nil {
			return err
		}
		return do(tx)
	})
}

// countErased adds to what a deletion has erased. It looks across workspaces. The deletion is that of one.
func countErased(ctx context.Context, tx *sqlx.Tx, workspace id.UUID, what string, n int) error {
	const q = `
update workspace_deletions
   set erased = erased || jsonb_build_object($2::text, coalesce(cast(erased ->> $2 as bigint), 0) + $3)
 where id = $1`
	if n == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, tx, "count what is erased", q, workspace, what, n)
	return err
}

// EndWorkspace deletes the row of a workspace, and of its sandbox, of which nothing else is left: nobody finds its keys
// any more. Where something came meanwhile nothing is done, and another pass deletes that.
func (db *DB) EndWorkspace(ctx context.Context, workspace id.UUID) error {
	const sandbox = `delete from workspaces where test_of = (select id from workspaces where id = $1)`
	const live = `delete from workspaces where id = $1`
	note := `update workspace_deletions set erased_at = ` + conn.Either("clock_timestamp()", "now()") + ` where id = $1`
	err := db.inDeletion(ctx, workspace, func(tx *sqlx.Tx) error {
		rows := 0
		for _, q := range []string{sandbox, live} {
			n, err := conn.Exec(ctx, tx, "delete workspace", q, workspace)
			if err != nil {
				return err
			}
			rows += n
		}
		if err := countErased(ctx, tx, workspace, "workspaces", rows); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, tx, "delete workspace", note, workspace)
		return err
	})
	if ownerMissing(err) {
		return nil
	}
	return err
}

// CountErasedKeys adds to how many keys in Redis a deletion has erased.
func (db *DB) CountErasedKeys(ctx context.Context, workspace id.UUID, n int) error {
	return db.inDeletion(ctx, workspace, func(tx *sqlx.Tx) error { return countErased(ctx, tx, workspace, "redis", n) })
}

// FinishDeletion ends a deletion, once, and reports whether it did. It looks across workspaces. The workspace is no
// more.
func (db *DB) FinishDeletion(ctx context.Context, workspace id.UUID) (ended bool, err error) {
	const q = `
update workspace_deletions set finished_at = now()
 where id = $1 and finished_at is null`
	n, err := conn.Exec(ctx, db, "finish deletion", q, workspace)
	return n == 1, err
}
