package pg

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"leadgate/shared/id"
)

// Bounds of what upkeep does to imports at a time.
const (
	uploadRests = 10 * time.Minute // without a piece: nobody sends any more
	reportBatch = 10_000           // rows of reports deleted by one statement
)

// FailStaleUploads ends uploads of which nothing came for ten minutes: their gateway was killed.
func (db *DB) FailStaleUploads(ctx context.Context) (failed int, err error) {
	const q = `
update imports set state = 'failed', reason = 'The upload broke off', updated_at = now(), finished_at = now()
 where state = 'uploading' and updated_at < now() - cast($1 as interval)`
	res, err := db.ExecContext(ctx, q, interval(uploadRests))
	if err != nil {
		return 0, fail(ctx, "fail stale uploads", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// DeleteOldImports deletes what is left of the files of imports that have ended, and imports with their reports that ended longer than keep ago or are
// more than KeptImports of their workspace. What it cannot do in batches of one call is for the next.
func (db *DB) DeleteOldImports(ctx context.Context, keep time.Duration) (deleted int, err error) {
	const files = `
select distinct c.workspace_id, c.import_id from import_chunks c
  left join imports i on i.workspace_id = c.workspace_id and i.id = c.import_id
 where i.id is null or i.state in ('done', 'failed', 'cancelled') limit $1`
	const old = `select workspace_id, id from imports where finished_at < now() - cast($1 as interval) order by finished_at limit $2`
	left, err := db.importRefs(ctx, files, deleteBatch)
	if err != nil {
		return 0, err
	}
	for _, r := range left {
		if err := db.DeleteImportFile(ctx, r.Workspace, r.Import); err != nil {
			return 0, err
		}
	}
	all, err := db.importRefs(ctx, old, interval(keep), deleteBatch)
	if err != nil {
		return 0, err
	}
	if deleted, err = db.deleteImports(ctx, all); err != nil {
		return deleted, err
	}
	more, err := db.deleteSurplus(ctx, deleteBatch-deleted)
	return deleted + more, err
}

// deleteSurplus deletes imports, limit at most, that are more than KeptImports of their workspace: one workspace after the other, so that no
// statement looks at many.
func (db *DB) deleteSurplus(ctx context.Context, limit int) (deleted int, err error) {
	const next = `select workspace_id from imports where workspace_id > $1 order by workspace_id limit 1`
	const surplus = `
select workspace_id, id from imports
 where workspace_id = $1 and id <= (select id from imports where workspace_id = $1 order by id desc offset $2 limit 1) and finished_at is not null
 order by workspace_id, id limit $3`
	var w id.UUID
	for deleted < limit {
		if err := db.GetContext(ctx, &w, next, w); errors.Is(err, sql.ErrNoRows) {
			return deleted, nil
		} else if err != nil {
			return deleted, fail(ctx, "find old imports", err)
		}
		all, err := db.importRefs(ctx, surplus, w, KeptImports, limit-deleted)
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

func (db *DB) deleteImports(ctx context.Context, all []ImportRef) (deleted int, err error) {
	for _, r := range all {
		if err := db.deleteImport(ctx, r); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, nil
}

// deleteImport deletes an import, its report first and in batches.
func (db *DB) deleteImport(ctx context.Context, r ImportRef) error {
	const report = `
delete from import_errors where workspace_id = $1 and import_id = $2
   and row <= (select max(row) from (select row from import_errors where workspace_id = $1 and import_id = $2 order by row limit $3) as b)`
	const q = `delete from imports where workspace_id = $1 and id = $2`
	for {
		res, err := db.ExecContext(ctx, report, r.Workspace, r.Import, reportBatch)
		var n int64
		if err == nil {
			n, err = res.RowsAffected()
		}
		if err != nil {
			return fail(ctx, "delete the report of an import", err)
		}
		if n == 0 {
			break
		}
	}
	_, err := db.ExecContext(ctx, q, r.Workspace, r.Import)
	return fail(ctx, "delete import", err)
}
