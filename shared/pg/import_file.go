package pg

import (
	"context"
	"errors"
	"io"

	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg/conn"
)

// ErrImportFileGone is the error of reading a file of which a piece is deleted, as when its import was cancelled
// meanwhile.
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

// Read implements io.Reader.
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

// readPiece is how many bytes are read at a time, of a piece that holds more.
const readPiece = 128 << 10

// next reads on from the position.
func (f *ImportFile) next() error {
	const q = `
select start, octet_length(data), substring(data from cast($3 - start + 1 as integer) for $4)
  from import_chunks
 where workspace_id = $1 and import_id = $2 and start <= $3
 order by start desc limit 1`
	var start, size int64
	scan := func(row conn.Row) (piece []byte, err error) {
		err = row.Scan(&start, &size, &piece)
		return piece, err
	}
	piece, err := conn.One(f.ctx, f.db, "read a piece of an import", scan, ErrImportFileGone, q, f.workspace, f.imp, f.at,
		readPiece)
	if err == nil && f.at-start >= size {
		return ErrImportFileGone
	}
	f.piece = piece
	return err
}

// chunksBatch is how many pieces one statement deletes: each is some five hundred rows to Postgres.
const chunksBatch = 64

// DeleteReadChunks deletes the pieces of a file that end before position.
func (db *DB) DeleteReadChunks(ctx context.Context, workspace, imp id.UUID, position int64) error {
	const q = `
delete from import_chunks
 where workspace_id = $1 and import_id = $2
   and start <= (
    select max(start) from (
        select start from import_chunks
         where workspace_id = $1 and import_id = $2
           and start < (select max(start) from import_chunks where workspace_id = $1 and import_id = $2 and start <= $3)
         order by start limit $4) as b)`
	return db.deleteChunks(ctx, q, workspace, imp, position)
}

// DeleteImportFile deletes the file of an import that has ended.
func (db *DB) DeleteImportFile(ctx context.Context, workspace, imp id.UUID) error {
	const q = `
delete from import_chunks
 where workspace_id = $1 and import_id = $2
   and start <= (
    select max(start) from (
        select start from import_chunks where workspace_id = $1 and import_id = $2 order by start limit $3) as b)
   and not exists (
    select from imports where workspace_id = $1 and id = $2 and state in ('uploading', 'waiting', 'running'))`
	return db.deleteChunks(ctx, q, workspace, imp)
}

// deleteChunks repeats a statement that deletes up to chunksBatch pieces, its last parameter, until it finds fewer.
func (db *DB) deleteChunks(ctx context.Context, q string, args ...any) error {
	args = append(args, chunksBatch)
	for {
		n, err := conn.Exec(ctx, db, "delete pieces of an import", q, args...)
		if err != nil || n < chunksBatch {
			return err
		}
	}
}
