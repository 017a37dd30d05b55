package pg

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
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

// DuePurges returns up to limit leads after one of them that were deleted longer than lead.RestoreWithin ago, and have
// to be erased: those that were deleted first before the others. It looks across workspaces.
func (db *DB) DuePurges(ctx context.Context, after Purge, limit int) ([]Purge, error) {
	// $1 how long a lead can be restored, $2 to $4 the last one, $5 limit
	const q = `
select workspace_id, id, deleted_at from leads
 where deleted_at < now() - cast($1 as interval) and deleted_at >= $2 and (deleted_at, workspace_id, id) > ($2, $3, $4)
 order by deleted_at, workspace_id, id limit $5`
	if after.DeletedAt.IsZero() {
		after.DeletedAt = minTime
	}
	return conn.Collect(ctx, db, "due purges", func(row conn.Row) (p Purge, err error) {
		err = row.Scan(&p.Workspace, &p.Lead, &p.DeletedAt)
		return p, err
	}, q, interval(lead.RestoreWithin), after.DeletedAt, after.Workspace, after.Lead, limit)
}
