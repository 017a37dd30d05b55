package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// FindWorkspaces is ListWorkspaces of those whose name has text in it, in whatever case. It looks across workspaces.
func (db *DB) FindWorkspaces(ctx context.Context, text string, after id.UUID, limit int) ([]tenant.Workspace, error) {
	const q = `
select ` + workspaceColumns + `
  from workspaces w
 where w.id > $1 and position(lower($2) in lower(w.name)) > 0
 order by w.id limit $3`
	return conn.Collect(ctx, db, "find workspaces", scanWorkspace, q, after, text, page(limit))
}

// Volume is how much a workspace receives.
type Volume struct {
	Today, Month int        // what its books have as received today (UTC), and in the 30 days that end with it
	Refused      int        // of those 30 days, invalid and such; duplicates are not among them
	Limited      int        // of those 30 days, beyond a rate limit
	LastLeadAt   *time.Time // nil: it has no lead
}

// Volumes returns those of workspaces, at a cost that grows with what their books have of a month, and not with their
// leads. It looks across workspaces.
func (db *DB) Volumes(ctx context.Context, workspaces []id.UUID, today time.Time) (map[id.UUID]Volume, error) {
	// $1 workspaces, $2 today, $3 the first day
	q := `
select v.id, b.today, b.month, b.refused, b.limited, l.created_at
  from unnest($1::uuid[]) as v (id)
 cross join lateral (
    select coalesce(cast(sum(n) filter (where outcome = 'received' and day = $2::date) as bigint), 0) as today,
           coalesce(cast(sum(n) filter (where outcome = 'received') as bigint), 0) as month,
           coalesce(cast(sum(n) filter (where outcome like 'refused:%' and outcome <> 'refused:duplicate') as bigint), 0)
               as refused,
           coalesce(cast(sum(n) filter (where outcome = 'limited') as bigint), 0) as limited
      from (select day, outcome, n from books
             where workspace_id = ` + batchWorkspace("v.id") + ` and day >= $3::date and day <= $2::date
             union all
            select day, outcome, n from book_entries
             where workspace_id = ` + batchWorkspace("v.id") + ` and day >= $3::date and day <= $2::date) c) b
  left join lateral (select created_at from leads where workspace_id = ` + batchWorkspace("v.id") + ` order by id desc limit 1) l on true`
	all := make(map[id.UUID]Volume, len(workspaces))
	today = today.UTC()
	read := func(part []id.UUID) ([]struct{}, error) {
		return make([]struct{}, len(part)), db.inOrderOfIndex(ctx, func(tx *sqlx.Tx) error {
			return conn.Each(ctx, tx, "read volumes", func(row conn.Row) error {
				var workspace id.UUID
				var v Volume
				err := row.Scan(&workspace, &v.Today, &v.Month, &v.Refused, &v.Limited, &v.LastLeadAt)
				all[workspace] = v
				return err
			}, q, optionalIDs(part), today.Format(time.DateOnly), today.AddDate(0, 0, -29).Format(time.DateOnly))
		})
	}
	_, err := splitBatch(ctx, db, workspaces, func(w *id.UUID) id.UUID { return *w }, read)
	return all, err
}
