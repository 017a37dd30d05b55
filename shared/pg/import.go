package pg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/leadfile"
)

// Bounds of the imports of a workspace.
const (
	MaxImports    = 5    // that have not ended
	HourlyImports = 100  // can be made
	KeptImports   = 1000 // the newest, with their reports; upkeep deletes the others
)

const importColumns = `i.workspace_id, i.id, i.state, i.format, i.options, i.bytes, i.position, i.rows, i.created, i.updated, i.duplicates, i.rejected,
       coalesce(i.reason, ''), i.created_at, i.updated_at, i.finished_at`

func scanImport(row interface{ Scan(...any) error }) (i leadfile.Import, err error) {
	var options []byte
	if err := row.Scan(&i.WorkspaceID, &i.ID, &i.State, &i.Format, &options, &i.Bytes, &i.Position, &i.Rows, &i.Created, &i.Updated, &i.Duplicates, &i.Rejected,
		&i.Reason, &i.CreatedAt, &i.UpdatedAt, &i.FinishedAt); err != nil {
		return i, err
	}
	return i, json.Unmarshal(options, &i.Options)
}

// CreateImport stores an import whose file is still to come. Where MaxImports of its workspace have not ended it is a CONFLICT,
// where HourlyImports were made within the hour it is RATE_LIMITED.
func (db *DB) CreateImport(ctx context.Context, i leadfile.Import) error {
	const turn = `select from workspaces where id = $1 for no key update` // simultaneous creations one by one, so that each counts the others
	const q = `
insert into imports (workspace_id, id, state, format, options, position, created_at, updated_at)
select $1, $2, '` + string(leadfile.Uploading) + `', $3, $4, $5, $6, now()
 where (select count(*) from imports where workspace_id = $1 and state in ('uploading', 'waiting', 'running')) < $7`
	options, err := json.Marshal(i.Options)
	if err != nil {
		return fail(ctx, "create import", err)
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, turn, i.WorkspaceID); err != nil {
			return fail(ctx, "create import", err)
		}
		if err := limitImports(ctx, tx, i.WorkspaceID); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, q, i.WorkspaceID, i.ID, i.Format, string(options), i.Position, i.CreatedAt, MaxImports)
		if err != nil {
			return fail(ctx, "create import", err)
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return fault.New(fault.Conflict, fmt.Sprintf("A workspace can have %d unfinished imports at most", MaxImports))
		}
		return nil
	})
}

// limitImports is RATE_LIMITED when a workspace has made as many imports as it may in an hour.
func limitImports(ctx context.Context, tx *sqlx.Tx, workspace id.UUID) error {
	const q = `
select extract(epoch from created_at + interval '1 hour' - now()) from imports
 where workspace_id = $1 and id >= uuid_floor(now() - interval '1 hour') order by id desc offset $2 - 1 limit 1`
	var wait float64
	err := tx.QueryRowContext(ctx, q, workspace, HourlyImports).Scan(&wait)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fail(ctx, "count imports", err)
	}
	return &fault.Error{Kind: fault.RateLimited, Public: fmt.Sprintf("A workspace can make %d imports an hour", HourlyImports),
		RetryAfter: max(time.Second, time.Duration(wait*float64(time.Second)))}
}

// AddImportChunk stores the piece of the file that begins at start, where the last one ended. CONFLICT when the import takes none: it was cancelled, or given up.
func (db *DB) AddImportChunk(ctx context.Context, workspace, imp id.UUID, start int64, data []byte) error {
	const q = `
with i as (
    update imports set bytes = bytes + $4, updated_at = now()
     where workspace_id = $1 and id = $2 and state = 'uploading' and bytes = $3
    returning workspace_id, id
)
insert into import_chunks (workspace_id, import_id, start, data) select workspace_id, id, $3, $5 from i`
	res, err := db.ExecContext(ctx, q, workspace, imp, start, len(data), data)
	return fail(ctx, "store a piece of an import", taken(res, err))
}

// CompleteImport says that the whole file is there. CONFLICT as AddImportChunk has it.
func (db *DB) CompleteImport(ctx context.Context, workspace, imp id.UUID) (leadfile.Import, error) {
	const q = `
update imports i set state = 'waiting', updated_at = now() where i.workspace_id = $1 and i.id = $2 and i.state = 'uploading' returning ` + importColumns
	i, err := scanImport(db.QueryRowContext(ctx, q, workspace, imp))
	if errors.Is(err, sql.ErrNoRows) {
		return i, notUploading()
	}
	return i, fail(ctx, "complete import", err)
}

func taken(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return notUploading()
	}
	return nil
}

func notUploading() error {
	return fault.New(fault.Conflict, "The import was cancelled, or its upload was given up")
}

// FailUpload ends an import whose file did not come, and deletes what came of it.
func (db *DB) FailUpload(ctx context.Context, workspace, imp id.UUID, reason string) error {
	const q = `
update imports set state = 'failed', reason = $3, updated_at = now(), finished_at = now() where workspace_id = $1 and id = $2 and state = 'uploading'`
	if _, err := db.ExecContext(ctx, q, workspace, imp, reason); err != nil {
		return fail(ctx, "fail upload", err)
	}
	return db.DeleteImportFile(ctx, workspace, imp)
}

// GetImport returns a workspace's import.
func (db *DB) GetImport(ctx context.Context, workspace, imp id.UUID) (leadfile.Import, error) {
	const q = `select ` + importColumns + ` from imports i where i.workspace_id = $1 and i.id = $2`
	i, err := scanImport(db.QueryRowContext(ctx, q, workspace, imp))
	if errors.Is(err, sql.ErrNoRows) {
		return i, fault.New(fault.NotFound, "Import not found")
	}
	return i, fail(ctx, "get import", err)
}

// ListImports returns a workspace's imports older than before, newest first; a zero before starts at the newest. At most 1000.
func (db *DB) ListImports(ctx context.Context, workspace, before id.UUID, limit int) ([]leadfile.Import, error) {
	const q = `select ` + importColumns + ` from imports i where i.workspace_id = $1 and i.id < $2 order by i.id desc limit $3`
	rows, err := db.QueryContext(ctx, q, workspace, orNewest(before), page(limit))
	if err != nil {
		return nil, fail(ctx, "list imports", err)
	}
	defer rows.Close()
	var all []leadfile.Import
	for rows.Next() {
		i, err := scanImport(rows)
		if err != nil {
			return nil, fail(ctx, "list imports", err)
		}
		all = append(all, i)
	}
	return all, fail(ctx, "list imports", rows.Err())
}

// CancelImport ends an import: the leads it made stay. One that was cancelled before is returned as it is, one that has ended otherwise is a CONFLICT.
func (db *DB) CancelImport(ctx context.Context, workspace, imp id.UUID) (leadfile.Import, error) {
	const q = `
update imports i set state = 'cancelled', updated_at = now(), finished_at = now()
 where i.workspace_id = $1 and i.id = $2 and i.state in ('uploading', 'waiting', 'running') returning ` + importColumns
	i, err := scanImport(db.QueryRowContext(ctx, q, workspace, imp))
	if !errors.Is(err, sql.ErrNoRows) {
		return i, fail(ctx, "cancel import", err)
	}
	if i, err = db.GetImport(ctx, workspace, imp); err == nil && i.State != leadfile.Cancelled {
		return i, fault.New(fault.Conflict, "The import has ended already: it is "+string(i.State))
	}
	return i, err
}

// ImportErrors returns what was wrong with rows of an import after one of them, at most 1000.
func (db *DB) ImportErrors(ctx context.Context, workspace, imp id.UUID, after int) ([]leadfile.Mistake, error) {
	const q = `
select row, code, field, coalesce(value, ''), message, coalesce(lead_id, '00000000-0000-0000-0000-000000000000') from import_errors
 where workspace_id = $1 and import_id = $2 and row > $3 order by row limit $4`
	rows, err := db.QueryContext(ctx, q, workspace, imp, after, maxPage)
	if err != nil {
		return nil, fail(ctx, "read the errors of an import", err)
	}
	defer rows.Close()
	var all []leadfile.Mistake
	for rows.Next() {
		var m leadfile.Mistake
		if err := rows.Scan(&m.Row, &m.Code, &m.Field, &m.Value, &m.Message, &m.Lead); err != nil {
			return nil, fail(ctx, "read the errors of an import", err)
		}
		if m.Lead != (id.UUID{}) {
			m.Message += ": " + id.Lead.Format(m.Lead)
		}
		all = append(all, m)
	}
	return all, fail(ctx, "read the errors of an import", rows.Err())
}
