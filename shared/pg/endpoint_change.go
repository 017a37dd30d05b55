package pg

import (
	"context"
)

// SettlePending ends the waiting of up to limit pending deliveries whose endpoint is disabled (they become held) or deleted (cancelled).
// Disabling and deleting settle most themselves; this is for the many, and for those written at the same moment. It looks across workspaces.
// An endpoint or delivery that somebody else is changing is left for the next time.
func (db *DB) SettlePending(ctx context.Context, limit int) (moved int, err error) {
	const q = `
with owed as (
    select e.workspace_id, d.id, e.deleted_at is not null as deleted
      from endpoints e
     cross join lateral (
        select id from deliveries
         where workspace_id = e.workspace_id and endpoint_id = e.id and state = 'pending'
         order by next_at, id limit $1 for update skip locked) d
     where not e.enabled or e.deleted_at is not null
     limit $1 for share of e skip locked
)
update deliveries d set state = case when o.deleted then 'cancelled' else 'held' end, next_at = null, updated_at = now()
  from owed o where d.workspace_id = o.workspace_id and d.id = o.id and d.state = 'pending'`
	res, err := db.ExecContext(ctx, q, limit)
	if err != nil {
		return 0, fail(ctx, "settle pending deliveries", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
