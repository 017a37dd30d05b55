package pg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// maxPage is how many rows a listing returns at most, whatever its caller asks for.
const maxPage = 1000

// page is limit within 1..maxPage.
func page(limit int) int { return min(max(limit, 1), maxPage) }

const workspaceColumns = `id, name, settings, test_of, created_at, updated_at`

func scanWorkspace(row interface{ Scan(...any) error }) (w tenant.Workspace, err error) {
	var settings []byte
	var testOf uuid.NullUUID
	if err := row.Scan(&w.ID, &w.Name, &settings, &testOf, &w.CreatedAt, &w.UpdatedAt); err != nil {
		return w, err
	}
	w.TestOf = testOf.UUID
	return w, json.Unmarshal(settings, &w.Settings)
}

// CreateWorkspace stores w, and the notes with it.
func (db *DB) CreateWorkspace(ctx context.Context, w tenant.Workspace, entries ...*tenant.AuditEntry) error {
	const q = `insert into workspaces (` + workspaceColumns + `) values ($1, $2, $3, $4, $5, $6)`
	settings, err := json.Marshal(w.Settings)
	if err != nil {
		return fail(ctx, "create workspace", err)
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, q, w.ID, w.Name, string(settings), optionalID(w.TestOf), w.CreatedAt, w.UpdatedAt); err != nil {
			return fail(ctx, "create workspace", err)
		}
		return insertAudit(ctx, tx, entries...)
	})
}

// GetWorkspace returns a workspace; NOT_FOUND when there is none.
func (db *DB) GetWorkspace(ctx context.Context, workspace id.UUID) (tenant.Workspace, error) {
	const q = `select ` + workspaceColumns + ` from workspaces where id = $1`
	w, err := scanWorkspace(db.QueryRowContext(ctx, q, workspace))
	if errors.Is(err, sql.ErrNoRows) {
		return w, workspaceNotFound()
	}
	return w, fail(ctx, "get workspace", err)
}

// ListWorkspaces returns the workspaces after one of them, oldest first; a zero after begins at the start. At most 1000.
func (db *DB) ListWorkspaces(ctx context.Context, after id.UUID, limit int) ([]tenant.Workspace, error) {
	const q = `select ` + workspaceColumns + ` from workspaces where id > $1 order by id limit $2`
	rows, err := db.QueryContext(ctx, q, after, page(limit))
	if err != nil {
		return nil, fail(ctx, "list workspaces", err)
	}
	defer rows.Close()
	var all []tenant.Workspace
	for rows.Next() {
		w, err := scanWorkspace(rows)
		if err != nil {
			return nil, fail(ctx, "list workspaces", err)
		}
		all = append(all, w)
	}
	return all, fail(ctx, "list workspaces", rows.Err())
}

// UpdateWorkspace lets change alter a workspace's name and settings, one caller at a time, and returns what it is now; gateways follow within a second.
// The notes are written as change leaves them. NOT_FOUND when there is none.
func (db *DB) UpdateWorkspace(ctx context.Context, workspace id.UUID, change func(*tenant.Workspace) error, entries ...*tenant.AuditEntry) (w tenant.Workspace, err error) {
	const read = `select ` + workspaceColumns + ` from workspaces where id = $1 for no key update`
	const write = `update workspaces set name = $2, settings = $3, updated_at = $4 where id = $1`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		w, err = scanWorkspace(tx.QueryRowContext(ctx, read, workspace))
		if errors.Is(err, sql.ErrNoRows) {
			return workspaceNotFound()
		}
		if err != nil {
			return fail(ctx, "update workspace", err)
		}
		if err := change(&w); err != nil {
			return err
		}
		settings, err := json.Marshal(w.Settings)
		if err != nil {
			return fail(ctx, "update workspace", err)
		}
		if _, err = tx.ExecContext(ctx, write, w.ID, w.Name, string(settings), w.UpdatedAt); err != nil {
			return fail(ctx, "update workspace", err)
		}
		return insertAudit(ctx, tx, entries...)
	})
	return w, err
}

func workspaceNotFound() error { return fault.New(fault.NotFound, "Workspace not found") }

// ownerMissing tells a violated reference to workspaces from other failures.
func ownerMissing(err error) bool { return Code(err) == "23503" }
