package pg

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// Twin returns the workspace that holds the test data of live; zero: there is none yet.
func (db *DB) Twin(ctx context.Context, live id.UUID) (twin id.UUID, err error) {
	err = db.QueryRowContext(ctx, findTwin, live).Scan(&twin)
	if errors.Is(err, sql.ErrNoRows) {
		return twin, nil
	}
	return twin, fail(ctx, "look up twin", err)
}

const findTwin = `select id from workspaces where test_of = $1`

// MakeTwin returns the workspace that holds the test data of twin.TestOf, making it as twin says when there is none: with the live
// workspace's name and settings as they are now, but none of its suppressed emails. However many ask at once, there is one, and the notes
// are written by who made it. NOT_FOUND where there is no such workspace, or it is a twin itself.
func (db *DB) MakeTwin(ctx context.Context, twin tenant.Workspace, notes ...*tenant.Audit) (made id.UUID, err error) {
	const q = `
insert into workspaces (id, name, settings, test_of, created_at, updated_at)
select $2::uuid, left(name, 93) || ' (test)', settings - 'suppressing', id, $3::timestamptz, $3 from workspaces where id = $1 and test_of is null
on conflict (test_of) do nothing`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, q, twin.TestOf, twin.ID, twin.CreatedAt)
		if err != nil {
			return fail(ctx, "make twin", err)
		}
		// Whoever was faster has committed by now, and a new statement sees it.
		err = tx.QueryRowContext(ctx, findTwin, twin.TestOf).Scan(&made)
		if errors.Is(err, sql.ErrNoRows) {
			return workspaceNotFound()
		}
		if err != nil {
			return fail(ctx, "make twin", err)
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return nil
		}
		return insertAudit(ctx, tx, notes...)
	})
	return made, err
}
