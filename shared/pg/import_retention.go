package pg

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg/conn"
)

// Bounds of what upkeep does to imports at a time.
const (
	uploadTimeout = 10 * time.Minute // without a piece: nobody sends any more
	importBatch   = 1000             // imports, or files of imports
	reportBatch   = 10_000           // rows of reports deleted by one statement
)

// FailStaleUploads ends uploads of which nothing came for ten minutes: their gateway was killed. It looks across
// workspaces.
func (db *DB) FailStaleUploads(ctx context.Context) (failed int, err error) {
	const q = `
update imports set state = 'failed', reason = $2, updated_at = now(), finished_at = now()
 where state = 'uploading' and updated_at < now() - cast($1 as interval)`
	return conn.Exec(ctx, db, "fail stale uploads", q, interval(uploadTimeout), leadfile.UploadBrokeOff)
}

// DeleteOldImports deletes what is left of the files of imports that have ended, and imports with their reports that
// ended longer than keep ago or are more than KeptImports of their workspace. What is more than importBatch is for the
// next call. It looks across workspaces.
func (db *DB) DeleteOldImports(ctx context.Context, keep time.Duration) (deleted int, err error) {
	const files = `
select distinct c.workspace_id, c.import_id
  from import_chunks c
  left join imports i on i.workspace_id = c.workspace_id and i.id = c.import_id
 where i.id is null or i.state in ('done', 'failed', 'cancelled')
 limit $1`
	const old = `
select workspace_id, id from imports
 where finished_at < now() - cast($1 as interval)
 order by finished_at limit $2`
	left, err := db.importRefs(ctx, files, importBatch)
	if err != nil {
		return 0, err
	}
	for _, r := range left {
		if err := db.DeleteImportFile(ctx, r.Workspace, r.Import); err != nil {
			return 0, err
		}
	}
	all, err := db.importRefs(ctx, old, interval(keep), importBatch)
	if err != nil {
		return 0, err
	}
	if deleted, err = db.deleteImports(ctx, all); err != nil {
		return deleted, err
	}
	more, err := db.deleteSurplusImports(ctx, importBatch-deleted)
	return deleted + more, err
}

// deleteSurplusImports deletes imports, limit at most, that are more than KeptImports of their workspace: one workspace
// after the other, so that no statement reads many.
func (db *DB) deleteSurplusImports(ctx context.Context, limit int) (deleted int, err error) {
	const next = `select workspace_id from imports where workspace_id > $1 order by workspace_id limit 1`
	const surplus = `
select workspace_id, id from imports
 where workspace_id = $1
   and id <= (select id from imports where workspace_id = $1 order by id desc offset $2 limit 1)
   and finished_at is not null
 order by workspace_id, id limit $3`
	var workspace id.UUID
	for deleted < limit {
		found := false
		if workspace, found, err = conn.Find(ctx, db, "find old imports", conn.Value[id.UUID], next, workspace); err != nil ||
			!found {
			return deleted, err
		}
		all, err := db.importRefs(ctx, surplus, workspace, KeptImports, limit-deleted)
		if err != nil {
			return deleted, err
		}
		n, err := db.deleteImports(ctx, all)
		if deleted += n; err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// deleteImports deletes imports, the report of each first and in batches.
func (db *DB) deleteImports(ctx context.Context, all []ImportRef) (deleted int, err error) {
	const report = `
delete from import_errors
 where workspace_id = $1 and import_id = $2
   and row <= (
    select max(row) from (
        select row from import_errors where workspace_id = $1 and import_id = $2 order by row limit $3) as b)`
	const q = `delete from imports where workspace_id = $1 and id = $2`
	for _, r := range all {
		for n := 1; n > 0; {
			if n, err = conn.Exec(ctx, db, "delete the report of an import", report, r.Workspace, r.Import,
				reportBatch); err != nil {
				return deleted, err
			}
		}
		if _, err := conn.Exec(ctx, db, "delete import", q, r.Workspace, r.Import); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, nil
}
