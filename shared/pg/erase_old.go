package pg

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// LeadRef names a lead.
type LeadRef struct {
	Workspace id.UUID
	Lead      id.UUID
}

// DuePurges returns up to limit leads that were deleted longer than lead.RestoreWithin ago, and have to be erased. It looks across workspaces.
func (db *DB) DuePurges(ctx context.Context, limit int) ([]LeadRef, error) {
	const q = `select workspace_id, id from leads where deleted_at < now() - cast($1 as interval) order by deleted_at limit $2`
	rows, err := db.QueryContext(ctx, q, interval(lead.RestoreWithin), limit)
	if err != nil {
		return nil, fail(ctx, "due purges", err)
	}
	defer rows.Close()
	var all []LeadRef
	for rows.Next() {
		var r LeadRef
		if err := rows.Scan(&r.Workspace, &r.Lead); err != nil {
			return nil, fail(ctx, "due purges", err)
		}
		all = append(all, r)
	}
	return all, fail(ctx, "due purges", rows.Err())
}

// KeyLife is how long the answer to a request with an Idempotency-Key is kept.
const KeyLife = 24 * time.Hour

// DeleteOldKeys deletes up to limit answers that were kept for KeyLife. It looks across workspaces; what somebody is about to use is left for the next time.
func (db *DB) DeleteOldKeys(ctx context.Context, limit int) (deleted int, err error) {
	const q = `
delete from idempotency where (workspace_id, key_hash) in (
    select workspace_id, key_hash from idempotency where created_at < now() - cast($1 as interval) order by created_at limit $2 for update skip locked)`
	res, err := db.ExecContext(ctx, q, interval(KeyLife), limit)
	if err != nil {
		return 0, fail(ctx, "delete old idempotency keys", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
