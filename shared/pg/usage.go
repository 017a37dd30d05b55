package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// AddUsage adds counts to days of workspaces, all or nothing.
func (db *DB) AddUsage(ctx context.Context, all []tenant.Usage) error {
	return addUsage(ctx, db, all)
}

// addUsage is AddUsage in a transaction. Several rows of one workspace and day are summed. Rows are locked in one
// order, so that gateways and workers that add at the same time cannot deadlock.
func addUsage(ctx context.Context, on sqlx.ExecerContext, all []tenant.Usage) error {
	const q = `
insert into usage (workspace_id, day, accepted, duplicates, rejected, limited)
select workspace_id, day, sum(accepted), sum(duplicates), sum(rejected), sum(limited)
  from unnest($1::uuid[], $2::date[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    as u (workspace_id, day, accepted, duplicates, rejected, limited)
 group by 1, 2 order by 1, 2
on conflict (workspace_id, day) do update
   set accepted = usage.accepted + excluded.accepted,
       duplicates = usage.duplicates + excluded.duplicates,
       rejected = usage.rejected + excluded.rejected,
       limited = usage.limited + excluded.limited`
	if len(all) == 0 {
		return nil
	}
	workspaces, days := newColumn(len(all), 36), newColumn(len(all), 10)
	var counts [4]*column
	for i := range counts {
		counts[i] = newColumn(len(all), 8)
	}
	for _, u := range all {
		workspaces.uuid(u.WorkspaceID)
		days.string(u.Day.UTC().Format(time.DateOnly))
		for i, n := range [4]int64{u.Accepted, u.Duplicates, u.Rejected, u.Limited} {
			counts[i].int(n)
		}
	}
	_, err := conn.Exec(ctx, on, "add usage", q, workspaces.done(), days.done(),
		counts[0].done(), counts[1].done(), counts[2].done(), counts[3].done())
	return err
}

// ReadUsage returns the days of a workspace from one day to before another, newest first, without those that have no
// requests.
func (db *DB) ReadUsage(ctx context.Context, workspace id.UUID, from, until time.Time) ([]tenant.Usage, error) {
	const q = `
select workspace_id, day, accepted, duplicates, rejected, limited from usage
 where workspace_id = $1 and day >= $2::date and day < $3::date
 order by day desc
 limit $4`
	scan := func(row conn.Row) (u tenant.Usage, err error) {
		err = row.Scan(&u.WorkspaceID, &u.Day, &u.Accepted, &u.Duplicates, &u.Rejected, &u.Limited)
		u.Day = u.Day.UTC()
		return u, err
	}
	return conn.Collect(ctx, db, "read usage", scan, q,
		workspace, from.Format(time.DateOnly), until.Format(time.DateOnly), maxPage)
}
