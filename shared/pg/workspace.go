package pg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// maxPage is how many rows a list returns at most, whatever its caller asks for.
const maxPage = 1000

// page returns limit, bounded to 1..maxPage.
func page(limit int) int { return min(max(limit, 1), maxPage) }

const workspaceColumns = `w.id, w.name, ` + settingsOf + `, w.test_of, w.created_at, w.updated_at,
       w.suspended_at, coalesce(w.suspended_reason, ''), w.exported_at,
       exists (select from workspace_deletions d where d.id = coalesce(w.test_of, w.id))`

// settingsOf are the settings of workspace w. A sandbox has the limits of its live workspace, whatever its own row
// says: both have one budget.
const settingsOf = `case when w.test_of is null then w.settings else (
            select (w.settings - array['rate', 'burst', 'ownRate', 'ownBurst']) || jsonb_strip_nulls(jsonb_build_object(
                   'rate', l.settings -> 'rate', 'burst', l.settings -> 'burst',
                   'ownRate', l.settings -> 'ownRate', 'ownBurst', l.settings -> 'ownBurst'))
              from workspaces l where l.id = w.test_of) end`

func scanWorkspace(row conn.Row) (w tenant.Workspace, err error) {
	var settings []byte
	var testOf uuid.NullUUID
	var suspended *time.Time
	var s tenant.Suspension
	if err := row.Scan(&w.ID, &w.Name, &settings, &testOf, &w.CreatedAt, &w.UpdatedAt, &suspended, &s.Reason,
		&s.ExportedAt, &s.Deleting); err != nil {
		return w, err
	}
	if w.TestOf = testOf.UUID; suspended != nil {
		s.At = *suspended
		w.Suspension = &s
	}
	return w, json.Unmarshal(settings, &w.Settings)
}

// CreateWorkspace stores w and the audit entries.
func (db *DB) CreateWorkspace(ctx context.Context, w tenant.Workspace, entries ...*tenant.AuditEntry) error {
	const q = `insert into workspaces (id, name, settings, test_of, created_at, updated_at) values ($1, $2, $3, $4, $5, $6)`
	settings, err := json.Marshal(w.Settings)
	if err != nil {
		return conn.Fail(ctx, "create workspace", err)
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		_, err := conn.Exec(ctx, tx, "create workspace", q,
			w.ID, w.Name, string(settings), optionalID(w.TestOf), w.CreatedAt, w.UpdatedAt)
		if err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

// GetWorkspace returns a workspace; NOT_FOUND when there is none.
func (db *DB) GetWorkspace(ctx context.Context, workspace id.UUID) (tenant.Workspace, error) {
	const q = `select ` + workspaceColumns + ` from workspaces w where w.id = $1`
	return conn.One(ctx, db, "get workspace", scanWorkspace, workspaceNotFound(), q, workspace)
}

// ListWorkspaces returns the workspaces after one of them, oldest first; a zero after means from the start. At most
// 1000. It looks across workspaces.
func (db *DB) ListWorkspaces(ctx context.Context, after id.UUID, limit int) ([]tenant.Workspace, error) {
	const q = `select ` + workspaceColumns + ` from workspaces w where w.id > $1 order by w.id limit $2`
	return conn.Collect(ctx, db, "list workspaces", scanWorkspace, q, after, page(limit))
}

// UpdateWorkspace lets change alter a workspace's name and settings, one caller at a time, and returns the workspace as
// it is then; gateways follow within a second. The audit entries are written as change leaves them. NOT_FOUND when
// there is no such workspace.
func (db *DB) UpdateWorkspace(ctx context.Context, workspace id.UUID, change func(*tenant.Workspace) error,
	entries ...*tenant.AuditEntry) (w tenant.Workspace, err error) {
	const read = `select ` + workspaceColumns + ` from workspaces w where w.id = $1 for no key update of w`
	const write = `update workspaces set name = $2, settings = $3, updated_at = $4 where id = $1`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		w, err = conn.One(ctx, tx, "update workspace", scanWorkspace, workspaceNotFound(), read, workspace)
		if err != nil {
			return err
		}
		if err := change(&w); err != nil {
			return err
		}
		settings, err := json.Marshal(w.Settings)
		if err != nil {
			return conn.Fail(ctx, "update workspace", err)
		}
		_, err = conn.Exec(ctx, tx, "update workspace", write, w.ID, w.Name, string(settings), w.UpdatedAt)
		if err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
	return w, err
}

// Payers returns the workspaces whose share others use up: of each itself, or of a sandbox the live one. It never
// changes. Of a workspace that is not there it has nothing.
func (db *DB) Payers(ctx context.Context, workspaces []id.UUID) (map[id.UUID]id.UUID, error) {
	const q = `
select w.id, w.payer
  from unnest((select $1::uuid[])) as asked (workspace_id)
 cross join lateral (
    select id, coalesce(test_of, id) as payer from workspaces
     where id between asked.workspace_id and asked.workspace_id order by id limit 1) w`
	all := make(map[id.UUID]id.UUID, len(workspaces))
	err := conn.Each(ctx, db.Prepared(), "find payers", func(row conn.Row) error {
		var workspace, payer id.UUID
		err := row.Scan(&workspace, &payer)
		all[workspace] = payer
		return err
	}, q, idArray(workspaces))
	return all, err
}

func workspaceNotFound() error { return fault.New(fault.NotFound, "Workspace not found") }

// ownerMissing reports whether err is a violated reference to workspaces.
func ownerMissing(err error) bool { return conn.SQLState(err) == "23503" }
