package pg

import (
	"context"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

const findSandbox = `select id from workspaces where test_of = $1`

// Sandbox returns the workspace that holds the test data of live; zero means that there is none yet.
func (db *DB) Sandbox(ctx context.Context, live id.UUID) (sandbox id.UUID, err error) {
	sandbox, _, err = conn.Find(ctx, db, "find sandbox", conn.Value[id.UUID], findSandbox, live)
	return sandbox, err
}

// EnsureSandbox returns the workspace that holds the test data of sandbox.TestOf. When there is none it creates
// sandbox, with the live workspace's name and current settings, but none of its suppressed emails, and suspended as it is. Simultaneous callers
// get the same one, and only who created it writes the audit entries. NOT_FOUND when there is no such workspace, or it
// is a sandbox itself or being deleted.
func (db *DB) EnsureSandbox(ctx context.Context, sandbox tenant.Workspace, entries ...*tenant.AuditEntry) (
	found id.UUID, err error) {
	// $1 live workspace, $2 id of the sandbox, $3 its creation
	const q = `
insert into workspaces (id, name, settings, test_of, created_at, updated_at, suspended_at, suspended_reason)
select $2::uuid, left(name, 93) || ' (test)', settings - 'suppressing', id, $3::timestamptz, $3, suspended_at,
       suspended_reason
  from workspaces
 where id = $1 and test_of is null and not exists (select from workspace_deletions d where d.id = $1)
   for no key update
on conflict (test_of) do nothing`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		const doing = "create sandbox"
		created, err := conn.Exec(ctx, tx, doing, q, sandbox.TestOf, sandbox.ID, sandbox.CreatedAt)
		if err != nil {
			return err
		}
		// A simultaneous creator has committed by now, and a new statement sees what it created.
		found, err = conn.One(ctx, tx, doing, conn.Value[id.UUID], workspaceNotFound(), findSandbox, sandbox.TestOf)
		if err != nil || created == 0 {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
	return found, err
}
