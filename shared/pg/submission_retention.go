package pg

import (
	"context"

	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// DeleteExpiredSubmissions deletes, in bounded batches, submissions that were held, or were spam and made no lead, for
// longer than lead.HeldFor. It looks across workspaces.
func (db *DB) DeleteExpiredSubmissions(ctx context.Context) (int, error) {
	const q = `
with expired as materialized (
    select workspace_id, id from submissions
     where verdict in ('held', 'spam') and lead_id is null and id < uuid_floor(now() - cast($1 as interval))
     order by workspace_id, verdict, id limit $2
)
delete from submissions s using expired e where s.workspace_id = e.workspace_id and s.id = e.id
   and s.verdict in ('held', 'spam') and s.lead_id is null -- still, where it was decided meanwhile`
	return conn.DeleteInBatches(ctx, db, "delete expired submissions", q, interval(lead.HeldFor))
}
