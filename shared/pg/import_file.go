package pg

import (
	"context"
	"database/sql"
	"errors"
	"io"

	"leadgate/shared/id"
	"leadgate/shared/leadfile"
)

// ErrImportFileGone is what reading a file comes to of which a piece is gone, as when its import was cancelled meanwhile.
var ErrImportFileGone = errors.New("the file of the import is not there any more")

// ImportFile reads the file of an import from its position on, a piece at a time.
type ImportFile struct {
	ctx            context.Context
	db             *DB
	workspace, imp id.UUID
	at, end        int64
	piece          []byte // what is unread of the last one
}

// OpenImport returns the file of an import, to be read while ctx lasts.
func (db *DB) OpenImport(ctx context.Context, i *leadfile.Import) *ImportFile {
	return &ImportFile{ctx: ctx, db: db, workspace: i.WorkspaceID, imp: i.ID, at: i.Position, end: i.Bytes}
}

// Read reads.
func (f *ImportFile) Read(b []byte) (int, error) {
	if len(f.piece) == 0 {
		if f.at >= f.end {
			return 0, io.EOF
		}
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, f.piece)
	f.piece = f.piece[n:]
	f.at += int64(n)
	return n, nil
}

// readPiece is how many octets are read at a time, of a piece that holds more.
const readPiece = 128 << 10

// next reads on from the position.
func (f *ImportFile) next() error {
	const q = `
select start, octet_length(data), substring(data from cast($3 - start + 1 as integer) for $4) from import_chunks where workspace_id = $1 and import_id = $2 and start <= $3 order by start desc limit 1`
	var start, size int64
	err := f.db.QueryRowContext(f.ctx, q, f.workspace, f.imp, f.at, readPiece).Scan(&start, &size, &f.piece)
	if errors.Is(err, sql.ErrNoRows) || err == nil && f.at-start >= size {
		return ErrImportFileGone
	}
	if err != nil {
		return fail(f.ctx, "read a piece of an import", err)
	}
	return nil
}

// dropBatch is how many pieces one statement deletes: each is some five hundred rows to Postgres.
const dropBatch = 64

// DeleteReadChunks deletes the pieces of a file that end before position.
func (db *DB) DeleteReadChunks(ctx context.Context, workspace, imp id.UUID, position int64) error {
	const q = `
delete from import_chunks where workspace_id = $1 and import_id = $2
   and start in (
    select start from import_chunks where workspace_id = $1 and import_id = $2
       and start < (select max(start) from import_chunks where workspace_id = $1 and import_id = $2 and start <= $3) order by start limit $4)`
	return fail(ctx, "delete read pieces of an import", db.drop(ctx, q, workspace, imp, position, dropBatch))
}

// drop runs a statement that deletes up to dropBatch rows until it deletes fewer.
func (db *DB) drop(ctx context.Context, q string, args ...any) error {
	for {
		res, err := db.ExecContext(ctx, q, args...)
		var n int64
		if err == nil {
			n, err = res.RowsAffected()
		}
		if err != nil || n < dropBatch {
			return err
		}
	}
}

// DeleteImportFile deletes the file of an import that has ended.
func (db *DB) DeleteImportFile(ctx context.Context, workspace, imp id.UUID) error {
	const q = `
delete from import_chunks where workspace_id = $1 and import_id = $2
   and start in (select start from import_chunks where workspace_id = $1 and import_id = $2 order by start limit $3)
   and not exists (select from imports where workspace_id = $1 and id = $2 and state in ('uploading', 'waiting', 'running'))`
	return fail(ctx, "delete the file of an import", db.drop(ctx, q, workspace, imp, dropBatch))
}
