package pg

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// Release is a reservation in Redis that is to be given up, because its lead has the email no longer.
type Release struct {
	Workspace id.UUID
	UniqueKey string
	LeadID    id.UUID
}

// DueReleases returns up to limit releases that Redis may not know of. It looks across workspaces.
func (db *DB) DueReleases(ctx context.Context, limit int) ([]Release, error) {
	const q = `select workspace_id, email_key, lead_id from releases limit $1`
	return conn.Collect(ctx, db, "due releases", func(row conn.Row) (r Release, err error) {
		err = row.Scan(&r.Workspace, &r.UniqueKey, &r.LeadID)
		return r, err
	}, q, limit)
}

// DeleteReleases deletes releases that Redis knows of.
func (db *DB) DeleteReleases(ctx context.Context, done []Release) error {
	const q = `
delete from releases where ctid = any(array(
    select r.ctid
      from unnest($1::uuid[], $2::text[], $3::uuid[]) as d (workspace_id, email_key, lead_id)
     cross join lateral (
        select ctid from releases
         where workspace_id = d.workspace_id and email_key = d.email_key and lead_id between d.lead_id and d.lead_id
         order by lead_id limit 1) r))`
	n := len(done)
	workspaces, keys, leads := newColumn(n, 36), newColumn(n, 24), newColumn(n, 36)
	for i := range done {
		workspaces.uuid(done[i].Workspace)
		keys.string(done[i].UniqueKey)
		leads.uuid(done[i].LeadID)
	}
	_, err := conn.Exec(ctx, db, "delete releases", q, workspaces.done(), keys.done(), leads.done())
	return err
}

// releaseLife is how long a release waits for Redis: much longer than a reservation lives there.
const releaseLife = 7 * 24 * time.Hour

// DeleteOldReleases deletes releases that Redis needs no more, in bounded batches: they have emails in clear. It looks
// across workspaces.
func (db *DB) DeleteOldReleases(ctx context.Context) (deleted int, err error) {
	const q = `
delete from releases where ctid = any(array(
    select ctid from releases where created_at < now() - cast($1 as interval) limit $2))`
	return conn.DeleteInBatches(ctx, db, "delete old releases", q, interval(releaseLife))
}
