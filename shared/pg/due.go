package pg

import (
	"context"
	"time"

	"leadgate/shared/webhook"
)

// These and DueEnrichments, DueReplays, DueNotices, Backlog, EnsurePartitions, DropOldPartitions, DeleteOld, HoldOrCancelPending, ListWorkspaces, TouchKeys and
// PrincipalByHash are the statements that look across workspaces.

// WaitingEndpoint is an endpoint that has pending deliveries.
type WaitingEndpoint struct {
	EndpointRef
	DrainDue       bool // a drain would send now, and there is none
	NeedsProbeTask bool // a task should stand for it, and nobody is at it
	ProbeDue       bool // it is failing, its breaker lets one through, and one is due: that task should run now
	NotEnabled     bool // it is disabled or deleted: its deliveries are pending no longer
}

// WaitingEndpoints returns up to limit endpoints with pending deliveries that come after one, hopping from each to the next in the index
// of pending deliveries: it costs about 20 us for each of them, however many endpoints there are and however much waits for one.
func (db *DB) WaitingEndpoints(ctx context.Context, after EndpointRef, now time.Time, limit int) ([]WaitingEndpoint, error) {
	const q = `
with recursive hop (workspace_id, endpoint_id, next_at) as (
    select cast($1 as uuid), cast($2 as uuid), cast(null as timestamptz)
    union all
    select d.workspace_id, d.endpoint_id, d.next_at from hop cross join lateral (
        select workspace_id, endpoint_id, next_at from deliveries
         where state = 'pending' and (workspace_id, endpoint_id) > (hop.workspace_id, hop.endpoint_id)
         order by workspace_id, endpoint_id, next_at limit 1) d
)
select h.workspace_id, h.endpoint_id, e.usable and e.free and e.probe_at is null and h.next_at <= coalesce($3, now()),
       e.usable and e.free and (e.probe_at is not null or e.failures >= $5),
       e.usable and e.free and e.probe_at is not null and greatest(e.probe_at, h.next_at) <= coalesce($3, now()), not e.usable
  from (select * from hop where next_at is not null limit $4) h
 cross join lateral (
    select enabled and deleted_at is null as usable, drain_until is null or drain_until <= coalesce($3, now()) as free, probe_at, failures
      from endpoints where workspace_id = h.workspace_id and id = h.endpoint_id limit 1) e`
	stmt, err := db.prepared(ctx, q)
	if err != nil {
		return nil, fail(ctx, "prepare waiting endpoints", err)
	}
	rows, err := stmt.QueryContext(ctx, after.Workspace, after.Endpoint, clock(now), limit, webhook.FailingThreshold)
	if err != nil {
		return nil, fail(ctx, "waiting endpoints", err)
	}
	defer rows.Close()
	var all []WaitingEndpoint
	for rows.Next() {
		var w WaitingEndpoint
		if err := rows.Scan(&w.Workspace, &w.Endpoint, &w.DrainDue, &w.NeedsProbeTask, &w.ProbeDue, &w.NotEnabled); err != nil {
			return nil, fail(ctx, "waiting endpoints", err)
		}
		all = append(all, w)
	}
	return all, fail(ctx, "waiting endpoints", rows.Err())
}

// DueEndpoints returns, of the first limit endpoints with pending deliveries, those with work nobody is doing:
// enabled, with a closed breaker, due deliveries and no live lease.
func (db *DB) DueEndpoints(ctx context.Context, now time.Time, limit int) (due []EndpointRef, err error) {
	all, err := db.WaitingEndpoints(ctx, EndpointRef{}, now, limit)
	for _, w := range all {
		if w.DrainDue {
			due = append(due, w.EndpointRef)
		}
	}
	return due, err
}
