package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// isActive is the condition that the workspace whose id is column is there and not suspended. What leads to attempts and
// imports has it in its own statement, so that a suspension needs no message to any process. It looks across workspaces.
// The column is that of a statement, which names one or says why not.
func isActive(column string) string {
	return `exists (select from workspaces active where active.id = ` + column + ` and active.suspended_at is null)`
}

// IsActive reports whether a workspace is there and not suspended.
func (db *DB) IsActive(ctx context.Context, workspace id.UUID) (bool, error) {
	const q = `select exists (select from workspaces where id = $1 and suspended_at is null)`
	return conn.One(ctx, db.Prepared(), "look for a suspension", conn.Value[bool], nil, q, workspace)
}

// SuspendWorkspace suspends a workspace and its sandbox; one that is suspended already gets the reason, and stays
// suspended since it was. Gateways follow within a second, workers before they send anything more. NOT_FOUND when there
// is no such workspace, CONFLICT for a sandbox and for one that is being deleted.
func (db *DB) SuspendWorkspace(ctx context.Context, workspace id.UUID, at time.Time, reason string,
	entries ...*tenant.AuditEntry) (tenant.Workspace, error) {
	const q = `
update workspaces
   set suspended_at = coalesce(suspended_at, $2::timestamptz), suspended_reason = $3
 where id = $1 or test_of = $1`
	return db.changeSuspension(ctx, workspace, func(tx *sqlx.Tx, _ *tenant.Workspace) error {
		if _, err := conn.Exec(ctx, tx, "suspend workspace", q, workspace, at, reason); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

// ResumeWorkspace ends the suspension of a workspace and its sandbox; what waits for its endpoints is due as before. Of
// one that is not suspended it changes nothing, and writes no audit entries. Its errors are those of SuspendWorkspace.
func (db *DB) ResumeWorkspace(ctx context.Context, workspace id.UUID, entries ...*tenant.AuditEntry) (tenant.Workspace,
	error) {
	const q = `
update workspaces set suspended_at = null, suspended_reason = null, exported_at = null
 where id = $1 or test_of = $1`
	return db.changeSuspension(ctx, workspace, func(tx *sqlx.Tx, w *tenant.Workspace) error {
		if w.Suspension == nil {
			return nil
		}
		if _, err := conn.Exec(ctx, tx, "resume workspace", q, workspace); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

// changeSuspension lets change alter whether a workspace is suspended, one caller at a time, and returns it as it is
// then.
func (db *DB) changeSuspension(ctx context.Context, workspace id.UUID,
	change func(*sqlx.Tx, *tenant.Workspace) error) (w tenant.Workspace, err error) {
	const read = `select ` + workspaceColumns + ` from workspaces w where w.id = $1`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		w, err = conn.One(ctx, tx, "suspend workspace", scanWorkspace, workspaceNotFound(), read+` for no key update of w`,
			workspace)
		if err == nil {
			err = maySuspend(&w)
		}
		if err == nil {
			err = change(tx, &w)
		}
		if err == nil {
			w, err = conn.One(ctx, tx, "suspend workspace", scanWorkspace, workspaceNotFound(), read, workspace)
		}
		return err
	})
	return w, err
}

func maySuspend(w *tenant.Workspace) error {
	switch {
	case w.TestOf != id.UUID{}:
		return fault.New(fault.Conflict, "This workspace holds the test data of "+id.Workspace.Format(w.TestOf)+
			": suspend, resume or delete that, and this one follows")
	case w.Suspension != nil && w.Suspension.Deleting:
		return fault.New(fault.Conflict, "The workspace is being deleted, which nothing ends")
	}
	return nil
}

// EndExport notes that an export of a workspace has ended, which began at a time, with its audit entries. It counts for
// a deletion where the workspace was suspended by then.
func (db *DB) EndExport(ctx context.Context, workspace id.UUID, began time.Time, entries ...*tenant.AuditEntry) error {
	const q = `update workspaces set exported_at = now() where id = $1 and suspended_at <= $2`
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := conn.Exec(ctx, tx, "end export", q, workspace, began); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}
