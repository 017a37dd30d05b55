package pg

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// Backlog is the work that an installation has before it, over all workspaces.
type Backlog struct {
	Due       int           // pending deliveries that could be sent now
	Later     int           // those that wait for their time, a breaker or the end of a suspension; both together are counted to 1,000,000
	OldestDue time.Duration // how long the first of Due could have been sent; 0: none is due

	Closed, Failing, Open, Disabled int // endpoints by breaker; failing ones are sent to all the same
	Replays                         int // running

	OldestSnapshot time.Duration // how long the oldest snapshot in the database has kept dead rows alive
}

// Backlog counts it. With 500,000 deliveries waiting it takes about a quarter of a second, with few as long as it takes
// to read the endpoints: 40 ms for 100,000. It looks across workspaces.
func (db *DB) Backlog(ctx context.Context) (b Backlog, err error) {
	// $1 failures from which an endpoint is failing
	const endpoints = `
select count(*) filter (where not enabled),
       count(*) filter (where enabled and probe_at is not null),
       count(*) filter (where enabled and probe_at is null and failures >= $1),
       count(*) filter (where enabled and probe_at is null and failures < $1)
  from endpoints
 where deleted_at is null`
	const replays = `select count(*) from replays where state = 'running'`
	deliveries := `
with p as (
    select workspace_id, endpoint_id, count(*) as n, min(next_at) as oldest,
           count(*) filter (where next_at <= now()) as due
      from (select workspace_id, endpoint_id, next_at from deliveries where state = 'pending'` + conn.Either(" limit 1000000", "") + `) as d
     group by workspace_id, endpoint_id
), q as (
    select p.n, p.oldest,
           case when e.enabled and e.deleted_at is null and e.probe_at is null and ` + conn.Either(isActive("p.workspace_id"), "w.suspended_at is null") + `
                then p.due else 0 end as due
      from p join endpoints e on e.workspace_id = p.workspace_id and e.id = p.endpoint_id` +
		conn.Either("", " join workspaces w on w.id = p.workspace_id") + `
)
select coalesce(sum(due), 0), coalesce(sum(n - due), 0),
       coalesce(extract(epoch from now() - min(oldest) filter (where due > 0)), 0)
  from q`
	// Of the sessions of other users Postgres tells nothing, unless ours has pg_read_all_stats.
	const snapshots = `
select coalesce(extract(epoch from max(clock_timestamp() - since)), 0)
  from (select xact_start from pg_stat_activity
         where datname = current_database() and backend_xmin is not null and pid <> pg_backend_pid()
           and backend_type <> 'autovacuum worker'
        union all
        select prepared from pg_prepared_xacts where database = current_database()) as s (since)`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		err := tx.QueryRowContext(ctx, endpoints, webhook.FailingThreshold).Scan(&b.Disabled, &b.Open, &b.Failing, &b.Closed)
		if err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, replays).Scan(&b.Replays); err != nil {
			return err
		}
		// Old statistics must not make it read whole weeks for a few rows.
		if _, err := tx.ExecContext(ctx, `set local enable_seqscan = off`); err != nil {
			return err
		}
		var oldest float64
		if err := tx.QueryRowContext(ctx, deliveries).Scan(&b.Due, &b.Later, &oldest); err != nil {
			return err
		}
		b.OldestDue = time.Duration(oldest * float64(time.Second))
		if err := tx.QueryRowContext(ctx, snapshots).Scan(&oldest); err != nil {
			return err
		}
		b.OldestSnapshot = time.Duration(oldest * float64(time.Second))
		return nil
	})
	return b, conn.Fail(ctx, "count backlog", err)
}

// EndpointBacklog is what waits for an endpoint.
type EndpointBacklog struct {
	Waiting   int       // pending deliveries, counted to 10,000
	NextAt    time.Time // when the next is due; zero when none waits
	LastError string    // of the attempt made last among those that wait; "" when none was made
}

// EndpointBacklog returns what waits for an endpoint, at a cost that does not grow with it.
func (db *DB) EndpointBacklog(ctx context.Context, workspace, endpoint id.UUID) (b EndpointBacklog, err error) {
	const q = `
select count(*), min(next_at),
       coalesce((array_agg(last_error order by updated_at desc) filter (where last_error is not null))[1], '')
  from (select next_at, last_error, updated_at from deliveries
         where workspace_id = $1 and endpoint_id = $2 and state = 'pending'
         order by next_at limit 10000) as d`
	var next sql.NullTime
	err = db.QueryRowContext(ctx, q, workspace, endpoint).Scan(&b.Waiting, &next, &b.LastError)
	b.NextAt = next.Time
	return b, conn.Fail(ctx, "endpoint backlog", err)
}

// UndeliveredCounts is what an endpoint did not get.
type UndeliveredCounts struct {
	Pending   int
	Exhausted int
	Held      int
	Oldest    *time.Time // when the oldest counted pending delivery was made; nil when none waits
	// when the oldest held delivery was made; nil when none is held. It is the next that retention drops
	OldestHeld *time.Time
}

// CountBacklogs counts what endpoints of a workspace did not get, each count to limit, at a cost that does not grow
// with it. Of those that are not pending it reads the limit oldest and the limit newest.
func (db *DB) CountBacklogs(ctx context.Context, workspace id.UUID, endpoints []id.UUID,
	limit int) (map[id.UUID]UndeliveredCounts, error) {
	const q = `
select e.id, p.n, p.oldest, s.exhausted, s.held, s.oldest_held
  from unnest($2::uuid[]) as e (id)
 cross join lateral (
    select count(*) as n, min(created_at) as oldest from (
        select created_at from deliveries
         where workspace_id = $1 and endpoint_id = e.id and state = 'pending'
         order by next_at limit $3) as d) as p
 cross join lateral (
    select least(count(*) filter (where state = 'exhausted'), $3) as exhausted,
           least(count(*) filter (where state = 'held'), $3) as held,
           min(created_at) filter (where state = 'held') as oldest_held
      from (
        (select id, state, created_at from deliveries
          where workspace_id = $1 and endpoint_id = e.id and state in ('exhausted', 'held')
          order by id limit $3)
        union
        (select id, state, created_at from deliveries
          where workspace_id = $1 and endpoint_id = e.id and state in ('exhausted', 'held')
          order by id desc limit $3)) as d) as s`
	all := make(map[id.UUID]UndeliveredCounts, len(endpoints))
	err := conn.Each(ctx, db, "count backlogs", func(row conn.Row) error {
		var e id.UUID
		var c UndeliveredCounts
		err := row.Scan(&e, &c.Pending, &c.Oldest, &c.Exhausted, &c.Held, &c.OldestHeld)
		all[e] = c
		return err
	}, q, workspace, optionalIDs(endpoints), limit)
	return all, err
}
