package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/hook"
	"leadgate/shared/id"
)

// CreateEndpoint stores e; beyond hook.MaxEndpoints of its workspace it is a CONFLICT.
func (db *DB) CreateEndpoint(ctx context.Context, e hook.Endpoint) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error { return insertEndpoint(ctx, tx, e) })
}

func insertEndpoint(ctx context.Context, tx *sqlx.Tx, e hook.Endpoint) error {
	const turn = `select from workspaces where id = $1 for no key update` // simultaneous creations one by one, so that each counts the others
	if _, err := tx.ExecContext(ctx, turn, e.WorkspaceID); err != nil {
		return fail(ctx, "create endpoint", err)
	}
	const q = `
insert into endpoints (workspace_id, id, url, description, event_types, secret, enabled, created_at, updated_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $8
 where (select count(*) from endpoints where workspace_id = $1) < $9`
	res, err := tx.ExecContext(ctx, q, e.WorkspaceID, e.ID, e.URL, e.Description, pqStrings(&e.EventTypes), e.Secret, e.Enabled, e.CreatedAt, hook.MaxEndpoints)
	if err != nil {
		return fail(ctx, "create endpoint", err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return fault.New(fault.Conflict, fmt.Sprintf("A workspace can have %d webhook endpoints at most", hook.MaxEndpoints))
	}
	return nil
}

const endpointColumns = `workspace_id, id, url, description, event_types, secret, enabled, created_at, updated_at`

func scanEndpoint(row interface{ Scan(...any) error }) (e hook.Endpoint, err error) {
	err = row.Scan(&e.WorkspaceID, &e.ID, &e.URL, &e.Description, pqStrings(&e.EventTypes), &e.Secret, &e.Enabled, &e.CreatedAt, &e.UpdatedAt)
	return e, err
}

// GetEndpoint returns a workspace's endpoint.
func (db *DB) GetEndpoint(ctx context.Context, workspace, endpoint id.UUID) (hook.Endpoint, error) {
	const q = `select ` + endpointColumns + ` from endpoints where workspace_id = $1 and id = $2`
	e, err := scanEndpoint(db.QueryRowContext(ctx, q, workspace, endpoint))
	if errors.Is(err, sql.ErrNoRows) {
		return e, fault.New(fault.NotFound, "Webhook endpoint not found")
	}
	return e, fail(ctx, "get endpoint", err)
}

// ListEndpoints returns a workspace's endpoints, newest first; there are never more than hook.MaxEndpoints.
func (db *DB) ListEndpoints(ctx context.Context, workspace id.UUID) ([]hook.Endpoint, error) {
	const q = `select ` + endpointColumns + ` from endpoints where workspace_id = $1 order by id desc limit $2`
	rows, err := db.QueryContext(ctx, q, workspace, hook.MaxEndpoints)
	if err != nil {
		return nil, fail(ctx, "list endpoints", err)
	}
	defer rows.Close()
	var all []hook.Endpoint
	for rows.Next() {
		e, err := scanEndpoint(rows)
		if err != nil {
			return nil, fail(ctx, "list endpoints", err)
		}
		all = append(all, e)
	}
	return all, fail(ctx, "list endpoints", rows.Err())
}
