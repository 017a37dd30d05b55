package pg

import (
	"context"
	"encoding/json"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg/conn"
	"leadgate/shared/trace"
)

// Bounds of the imports of a workspace.
const (
	MaxImports    = 5    // that have not ended
	HourlyImports = 100  // can be made
	KeptImports   = 1000 // the newest, with their reports; upkeep deletes the others
)

const importColumns = `
       i.workspace_id, i.id, i.state, i.format, i.options, i.bytes, i.position, i.rows, i.created, i.updated, i.duplicates,
       i.rejected, i.warnings, coalesce(i.reason, ''), coalesce(i.trace, ''), i.created_at, i.updated_at, i.finished_at`

func scanImport(row conn.Row) (i leadfile.Import, err error) {
	var options []byte
	if err := row.Scan(&i.WorkspaceID, &i.ID, &i.State, &i.Format, &options, &i.Bytes, &i.Position, &i.Rows, &i.Created,
		&i.Updated,
		&i.Duplicates, &i.Rejected, &i.Warnings, &i.Reason, &i.Trace, &i.CreatedAt, &i.UpdatedAt, &i.FinishedAt); err != nil {
		return i, err
	}
	return i, json.Unmarshal(options, &i.Options)
}

// CreateImport stores an import whose file is still to come, with the trace of ctx. Where MaxImports of its workspace
// have not ended it is a CONFLICT, where HourlyImports were made within the hour it is RATE_LIMITED.
func (db *DB) CreateImport(ctx context.Context, i leadfile.Import) error {
	const hourly = `
select extract(epoch from created_at + interval '1 hour' - now())
  from imports
 where workspace_id = $1 and id >= uuid_floor(now() - interval '1 hour')
 order by id desc offset $2 - 1 limit 1`
	const q = `
insert into imports (workspace_id, id, state, format, options, position, created_at, updated_at, trace)
select $1, $2, 'uploading', $3, $4, $5, $6, now(), nullif($8, '')
 where (select count(*) from imports where workspace_id = $1 and state in ('uploading', 'waiting', 'running')) < $7`
	options, err := json.Marshal(i.Options)
	if err != nil {
		return conn.Fail(ctx, "create import", err)
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := lockWorkspace(ctx, tx, i.WorkspaceID); err != nil {
			return err
		}
		if err := limitHourly(ctx, tx, HourlyImports, "imports", hourly, i.WorkspaceID, HourlyImports); err != nil {
			return err
		}
		made, err := conn.Exec(ctx, tx, "create import", q, i.WorkspaceID, i.ID, i.Format, string(options), i.Position,
			i.CreatedAt, MaxImports, trace.From(ctx).Text())
		if err == nil && made == 0 {
			return tooMany(MaxImports, "unfinished imports")
		}
		return err
	})
}

// AddImportChunk stores the piece of the file that begins at start, where the last one ended. It is a CONFLICT when the
// import takes none, because it was cancelled or its upload was given up.
func (db *DB) AddImportChunk(ctx context.Context, workspace, imp id.UUID, start int64, data []byte) error {
	const q = `
with i as (
    update imports set bytes = bytes + $4, updated_at = now()
     where workspace_id = $1 and id = $2 and state = 'uploading' and bytes = $3
    returning workspace_id, id
)
insert into import_chunks (workspace_id, import_id, start, data)
select workspace_id, id, $3, $5 from i`
	stored, err := conn.Exec(ctx, db, "store a piece of an import", q, workspace, imp, start, len(data), data)
	if err == nil && stored == 0 {
		return notUploading()
	}
	return err
}

// CompleteImport notes that the whole file is there. It is a CONFLICT where AddImportChunk is.
func (db *DB) CompleteImport(ctx context.Context, workspace, imp id.UUID) (leadfile.Import, error) {
	const q = `
update imports i set state = 'waiting', updated_at = now()
 where i.workspace_id = $1 and i.id = $2 and i.state = 'uploading'
returning ` + importColumns
	return conn.One(ctx, db, "complete import", scanImport, notUploading(), q, workspace, imp)
}

func notUploading() error {
	return fault.New(fault.Conflict, "The import was cancelled, or its upload was given up")
}

// FailUpload ends an import whose file did not come, and deletes the part that came.
func (db *DB) FailUpload(ctx context.Context, workspace, imp id.UUID, reason string) error {
	const q = `
update imports set state = 'failed', reason = $3, updated_at = now(), finished_at = now()
 where workspace_id = $1 and id = $2 and state = 'uploading'`
	if _, err := conn.Exec(ctx, db, "fail upload", q, workspace, imp, reason); err != nil {
		return err
	}
	return db.DeleteImportFile(ctx, workspace, imp)
}

// GetImport returns a workspace's import.
func (db *DB) GetImport(ctx context.Context, workspace, imp id.UUID) (leadfile.Import, error) {
	const q = `select ` + importColumns + ` from imports i where i.workspace_id = $1 and i.id = $2`
	return conn.One(ctx, db, "get import", scanImport, fault.New(fault.NotFound, "Import not found"), q, workspace, imp)
}

// ListImports returns a workspace's imports older than before, newest first; a zero before starts at the newest. At
// most 1000.
func (db *DB) ListImports(ctx context.Context, workspace, before id.UUID, limit int) ([]leadfile.Import, error) {
	const q = `
select ` + importColumns + `
  from imports i
 where i.workspace_id = $1 and i.id < $2
 order by i.id desc limit $3`
	return conn.Collect(ctx, db, "list imports", scanImport, q, workspace, orNewest(before), page(limit))
}

// CancelImport ends an import; the leads that it made stay. One that was cancelled before is returned as it is, one
// that has ended otherwise is a CONFLICT.
func (db *DB) CancelImport(ctx context.Context, workspace, imp id.UUID) (leadfile.Import, error) {
	const q = `
update imports i set state = 'cancelled', updated_at = now(), finished_at = now()
 where i.workspace_id = $1 and i.id = $2 and i.state in ('uploading', 'waiting', 'running')
returning ` + importColumns
	i, ok, err := conn.Find(ctx, db, "cancel import", scanImport, q, workspace, imp)
	if ok || err != nil {
		return i, err
	}
	if i, err = db.GetImport(ctx, workspace, imp); err == nil && i.State != leadfile.Cancelled {
		return i, jobEnded("import", string(i.State))
	}
	return i, err
}

// ImportErrors returns what was wrong or odd with the rows of an import after one of them, at most 1000.
func (db *DB) ImportErrors(ctx context.Context, workspace, imp id.UUID, after int) ([]leadfile.Mistake, error) {
	const q = `
select row, code, field, coalesce(value, ''), message, coalesce(lead_id, '00000000-0000-0000-0000-000000000000')
  from import_errors
 where workspace_id = $1 and import_id = $2 and row > $3
 order by row limit $4`
	scan := func(row conn.Row) (m leadfile.Mistake, err error) {
		err = row.Scan(&m.Row, &m.Code, &m.Field, &m.Value, &m.Message, &m.Lead)
		m.NameLead()
		return m, err
	}
	return conn.Collect(ctx, db, "read the errors of an import", scan, q, workspace, imp, after, maxPage)
}
