package pg

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// Sandbox returns the workspace that holds the test data of live; zero: there is none yet.
func (db *DB) Sandbox(ctx context.Context, live id.UUID) (sandbox id.UUID, err error) {
	err = db.QueryRowContext(ctx, findSandbox, live).Scan(&sandbox)
	if errors.Is(err, sql.ErrNoRows) {
		return sandbox, nil
	}
	return sandbox, fail(ctx, "look up sandbox", err)
}

const findSandbox = `select id from workspaces where test_of = $1`

// EnsureSandbox returns the workspace that holds the test data of sandbox.TestOf, making it as sandbox says when there is none: with the live
// workspace's name and settings as they are now, but none of its suppressed emails. However many ask at once, there is one, and the notes
// are written by who made it. NOT_FOUND where there is no such workspace, or it is a sandbox itself.
func (db *DB) EnsureSandbox(ctx context.Context, sandbox tenant.Workspace, entries ...*tenant.AuditEntry) (made id.UUID, err error) {
	const q = `
insert into workspaces (id, name, settings, test_of, created_at, updated_at)
select $2::uuid, left(name, 93) || ' (test)', settings - 'suppressing', id, $3::timestamptz, $3 from workspaces where id = $1 and test_of is null
on conflict (test_of) do nothing`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, q, sandbox.TestOf, sandbox.ID, sandbox.CreatedAt)
		if err != nil {
			return fail(ctx, "make sandbox", err)
		}
		// Whoever was faster has committed by now, and a new statement sees it.
		err = tx.QueryRowContext(ctx, findSandbox, sandbox.TestOf).Scan(&made)
		if errors.Is(err, sql.ErrNoRows) {
			return workspaceNotFound()
		}
		if err != nil {
			return fail(ctx, "make sandbox", err)
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return nil
		}
		return insertAudit(ctx, tx, entries...)
	})
	return made, err
}
