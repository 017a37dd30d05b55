package pg

import (
	"context"
	"time"

	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// WaitingEndpoint is an endpoint that has pending deliveries.
type WaitingEndpoint struct {
	EndpointRef
	// DrainDue is that a drain would send now, also what waits for a batch, and there is none. As the next two it is
	// never of a suspended workspace.
	DrainDue       bool
	NeedsProbeTask bool // its breaker is open or it fails, and nobody has its lease
	ProbeDue       bool // its breaker is open and lets one through, and one is due: its probe task should run now
	NotEnabled     bool // it is disabled or deleted: its deliveries are pending no longer
}

// WaitingEndpoints returns up to limit endpoints with pending deliveries that come after one. It skips from each to the
// next in the index of pending deliveries: it costs about 20 us for each of them, however many endpoints there are and
// however much waits for one. It looks across workspaces.
func (db *DB) WaitingEndpoints(ctx context.Context, after EndpointRef, now time.Time, limit int) ([]WaitingEndpoint,
	error) {
	// $1 and $2 workspace and endpoint to begin after, $3 now, $4 limit, $5 failures from which an endpoint is failing
	q := conn.Either(`
with recursive skip (workspace_id, endpoint_id, next_at) as (
    select cast($1 as uuid), cast($2 as uuid), cast(null as timestamptz)
    union all
    select d.workspace_id, d.endpoint_id, d.next_at
      from skip
     cross join lateral (
        select workspace_id, endpoint_id, next_at from deliveries
         where state = 'pending' and (workspace_id, endpoint_id) > (skip.workspace_id, skip.endpoint_id)
         order by workspace_id, endpoint_id, next_at limit 1) d
)`, "") + `
select s.workspace_id, s.endpoint_id,
       e.sent and e.free and e.probe_at is null and s.next_at <= coalesce($3, now()) - e.wait,
       e.sent and e.free and (e.probe_at is not null or e.failures >= $5),
       e.sent and e.free and e.probe_at is not null and greatest(e.probe_at, s.next_at) <= coalesce($3, now()),
       not e.usable
  from ` + conn.Either(`(select * from skip where next_at is not null limit $4) s
 cross join lateral (
    select enabled and deleted_at is null as usable,
           enabled and deleted_at is null and `+isActive("s.workspace_id")+` as sent,
           drain_until is null or drain_until <= coalesce($3, now()) as free,
           probe_at, failures, coalesce(batch_wait_ms, 0) * interval '1 ms' as wait
      from endpoints
     where workspace_id = s.workspace_id and id = s.endpoint_id limit 1) e`, `(
    select workspace_id, endpoint_id, min(next_at) as next_at from deliveries
     where state = 'pending' and (workspace_id, endpoint_id) > (cast($1 as uuid), cast($2 as uuid))
     group by workspace_id, endpoint_id) s
  join (
    select e.workspace_id, e.id, enabled and deleted_at is null as usable,
           enabled and deleted_at is null and w.suspended_at is null as sent,
           drain_until is null or drain_until <= coalesce($3, now()) as free,
           probe_at, failures, coalesce(batch_wait_ms, 0) * interval '1 ms' as wait
      from endpoints e join workspaces w on w.id = e.workspace_id) e on e.workspace_id = s.workspace_id and e.id = s.endpoint_id
 order by 1, 2 limit $4`)
	scan := func(row conn.Row) (w WaitingEndpoint, err error) {
		err = row.Scan(&w.Workspace, &w.Endpoint, &w.DrainDue, &w.NeedsProbeTask, &w.ProbeDue, &w.NotEnabled)
		return w, err
	}
	return conn.Collect(ctx, db.Prepared(), "waiting endpoints", scan, q, after.Workspace, after.Endpoint, clock(now),
		limit,
		webhook.FailingThreshold)
}

// DueEndpoints returns, of the first limit endpoints with pending deliveries, those with work nobody is doing: enabled,
// with a closed breaker, due deliveries and no live lease.
func (db *DB) DueEndpoints(ctx context.Context, now time.Time, limit int) (due []EndpointRef, err error) {
	all, err := db.WaitingEndpoints(ctx, EndpointRef{}, now, limit)
	for _, w := range all {
		if w.DrainDue {
			due = append(due, w.EndpointRef)
		}
	}
	return due, err
}

// Unfinished tells what there is of the work that a sweep goes on with and that most of the time there is none of.
type Unfinished struct{ Deliveries, Enrichments, Replays, Imports, Erasures, Deletions, BookEntries bool }

// FindUnfinished asks for all of it in one statement, because a sweep comes every few seconds also where nothing
// happens. In exists Postgres would drop the order, and with it the index. It looks across workspaces.
func (db *DB) FindUnfinished(ctx context.Context) (Unfinished, error) {
	const q = `
select (select true from deliveries where state = 'pending' order by workspace_id, endpoint_id, next_at limit 1) is true,
       (select true from enrichments where due_at is not null order by workspace_id, due_at limit 1) is true
           or exists (select from enrichment_queue),
       exists (select from replays where state = 'running' order by workspace_id, id limit 1),
       exists (select from imports where state in ('uploading', 'waiting', 'running') order by workspace_id, id limit 1),
       exists (select from erasures), exists (select from workspace_deletions where finished_at is null),
       exists (select from book_entries)`
	scan := func(row conn.Row) (u Unfinished, err error) {
		return u, row.Scan(&u.Deliveries, &u.Enrichments, &u.Replays, &u.Imports, &u.Erasures, &u.Deletions, &u.BookEntries)
	}
	return conn.One(ctx, db, "find unfinished work", scan, nil, q)
}
