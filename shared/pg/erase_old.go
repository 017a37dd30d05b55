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

// Purge is a lead that has to be erased. Zero: before the first.
type Purge struct {
	LeadRef
	DeletedAt time.Time
}

// DuePurges returns up to limit leads after one of them that were deleted longer than lead.RestoreWithin ago, and have to be erased, those that
// were deleted first before the others. It looks across workspaces.
func (db *DB) DuePurges(ctx context.Context, after Purge, limit int) ([]Purge, error) {
	const q = `
select workspace_id, id, deleted_at from leads
 where deleted_at < now() - cast($1 as interval) and deleted_at >= $2 and (deleted_at, workspace_id, id) > ($2, $3, $4)
 order by deleted_at, workspace_id, id limit $5`
	if after.DeletedAt.IsZero() {
		after.DeletedAt = dawn
	}
	rows, err := db.QueryContext(ctx, q, interval(lead.RestoreWithin), after.DeletedAt, after.Workspace, after.Lead, limit)
	if err != nil {
		return nil, fail(ctx, "due purges", err)
	}
	defer rows.Close()
	var all []Purge
	for rows.Next() {
		var p Purge
		if err := rows.Scan(&p.Workspace, &p.Lead, &p.DeletedAt); err != nil {
			return nil, fail(ctx, "due purges", err)
		}
		all = append(all, p)
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
