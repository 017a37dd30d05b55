package pg

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// Held is how much of a form is in quarantine.
type Held struct {
	Rows  int
	Bytes int64 // of fields, as they are stored
}

// CountHeld returns how much of a form was held since a time, counting at most limit.
func (db *DB) CountHeld(ctx context.Context, workspace, form id.UUID, since time.Time, limit int) (Held, error) {
	const q = `
select count(*), coalesce(sum(size), 0)
  from (select coalesce(pg_column_size(fields), 0) as size from submissions
         where workspace_id = (select $1::uuid) and form_id between $2 and $2 and verdict = 'held' and id >= uuid_floor($3)
         order by workspace_id, form_id, id limit $4) s`
	return conn.One(ctx, db, "count held", func(row conn.Row) (h Held, err error) {
		err = row.Scan(&h.Rows, &h.Bytes)
		return h, err
	}, nil, q, workspace, form, since, limit)
}
