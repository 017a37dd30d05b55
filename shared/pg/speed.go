package pg

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// TimesLife is how long it is kept how long deliveries took.
const TimesLife = 32 * 24 * time.Hour

// timesBucket is webhook.TimesBucket of a row with arrived and accepted; 1.2 is webhook.TimesStep.
const timesBucket = `ceil(ln(greatest(1, date_part('epoch', arrived - accepted) * 1000))
                   / ln(cast(1.2 as double precision)))`

// ReadTimes returns how long the deliveries of endpoints took that arrived from one hour to before another.
func (db *DB) ReadTimes(ctx context.Context, workspace id.UUID, endpoints []id.UUID, from,
	until time.Time) (map[id.UUID]webhook.Times, error) {
	const q = `
select e.id, t.bucket, sum(t.n)
  from unnest($2::uuid[]) as e (id)
 cross join lateral (
    select bucket, n from delivery_times
     where workspace_id = $1 and endpoint_id = e.id and hour >= $3 and hour < $4
     order by hour, bucket offset 0) t
 group by 1, 2`
	all := map[id.UUID]webhook.Times{}
	err := conn.Each(ctx, db, "read delivery times", func(row conn.Row) error {
		var e id.UUID
		var bucket, n int
		if err := row.Scan(&e, &bucket, &n); err != nil {
			return err
		}
		if all[e] == nil {
			all[e] = webhook.Times{}
		}
		all[e][bucket] = n
		return nil
	}, q, workspace, idArray(endpoints), from, until)
	return all, err
}

// WatchedEndpoint is an endpoint, and how fast it was.
type WatchedEndpoint struct {
	EndpointRef
	Target int // its workspace's, in milliseconds; 0: it has none
	Slow   bool
	Window webhook.SpeedWindow // empty without a target
}

// WatchEndpoints returns up to limit endpoints after one of them, in the order of their ids, with how fast
// those are whose workspace has a target. It looks across workspaces.
func (db *DB) WatchEndpoints(ctx context.Context, after EndpointRef, limit int) (all []WatchedEndpoint, err error) {
	q := `
with page as materialized (
    select e.workspace_id, e.id, e.slow_since is not null as slow,
           ` + conn.Either(`(select cast(w.settings ->> 'deliveryTargetMs' as integer) from workspaces w where w.id = e.workspace_id)`,
		`cast(w.settings ->> 'deliveryTargetMs' as integer)`) + ` as target
      from endpoints e` + conn.Either("", " join workspaces w on w.id = e.workspace_id") + `
     where (e.workspace_id, e.id) > ($1::uuid, $2::uuid) and e.deleted_at is null
     order by e.workspace_id, e.id limit $3
)
select p.workspace_id, p.id, p.slow, coalesce(p.target, 0),
       coalesce(t.hour = date_trunc('hour', now(), 'UTC'), false), coalesce(t.bucket, 0), coalesce(t.n, 0)
  from page p
  left join ` + conn.Either(`lateral (
    select hour, bucket, n from delivery_times
     where workspace_id = p.workspace_id and endpoint_id = p.id and p.target is not null
       and hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour'
     order by hour, bucket offset 0) t on true`, `(
    select t.* from delivery_times t join page p on p.workspace_id = t.workspace_id and p.id = t.endpoint_id
     where p.target is not null and t.hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour') t
    on t.workspace_id = p.workspace_id and t.endpoint_id = p.id`) + `
 order by p.workspace_id, p.id`
	err = conn.Each(ctx, db, "watch endpoints", func(row conn.Row) error {
		var w WatchedEndpoint
		var current bool
		var bucket, n int
		if err := row.Scan(&w.Workspace, &w.Endpoint, &w.Slow, &w.Target, &current, &bucket, &n); err != nil {
			return err
		}
		if len(all) == 0 || all[len(all)-1].EndpointRef != w.EndpointRef {
			w.Window = webhook.SpeedWindow{Last: webhook.Times{}, Current: webhook.Times{}}
			all = append(all, w)
		}
		window := all[len(all)-1].Window
		switch {
		case n == 0:
		case current:
			window.Current[bucket] += n
		default:
			window.Last[bucket] += n
		}
		return nil
	}, q, after.Workspace, after.Endpoint, limit)
	return all, err
}

// NotifySlow makes the event endpoint.slow, for the workspace's other endpoints and for the operator's hook, of an
// endpoint that is slower than its workspace's target, both in milliseconds. It is made once until EndSlow. wake are
// endpoints that got deliveries.
func (db *DB) NotifySlow(ctx context.Context, endpoint EndpointRef, slow webhook.Slow) (notified bool,
	wake []EndpointRef, err error) {
	const q = `
update endpoints e set slow_since = now(), notice_event = $3
 where e.workspace_id = $1 and e.id = $2 and e.enabled and e.deleted_at is null and e.slow_since is null
   and exists (select from workspaces w
                where w.id = $1 and cast(w.settings ->> 'deliveryTargetMs' as integer) = $4)
returning ` + noticeColumns
	n := notice{workspace: endpoint.Workspace, endpoint: endpoint.Endpoint, kind: webhook.EndpointSlow,
		reason: webhook.ReasonSlow, slow: &slow}
	return db.emitNotice(ctx, q, n, slow.TargetMS)
}

// EndSlow notes that an endpoint is slow no longer.
func (db *DB) EndSlow(ctx context.Context, endpoint EndpointRef) error {
	const q = `update endpoints set slow_since = null where workspace_id = $1 and id = $2 and slow_since is not null`
	_, err := conn.Exec(ctx, db, "end slow endpoint", q, endpoint.Workspace, endpoint.Endpoint)
	return err
}

// DeleteOldTimes deletes how long deliveries took that arrived longer than TimesLife ago, in batches. What is too much
// for one call is left to the next. It looks across workspaces.
func (db *DB) DeleteOldTimes(ctx context.Context) (deleted int, err error) {
	q := deleteFirst("delivery_times", `hour < now() - cast($1 as interval)`, "order by hour")
	return conn.DeleteInBatches(ctx, db, "delete old delivery times", q, interval(TimesLife))
}
