package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/webhook"
)

// Backlog is what an installation has before it, over all workspaces.
type Backlog struct {
	Due       int           // pending deliveries that could be sent now
	Later     int           // those that wait for their time or for a breaker; both together are counted to 1,000,000
	OldestDue time.Duration // how long the first of Due could have been sent; 0: none is due

	Closed, Failing, Open, Disabled int // endpoints by breaker; failing ones are sent to all the same
	Replays                         int // running
}

// Backlog counts what is owed. With 500,000 deliveries waiting it takes about a quarter of a second, with few as long as it takes to
// read the endpoints: 40 ms for 100,000.
func (db *DB) Backlog(ctx context.Context) (o Backlog, err error) {
	const endpoints = `
select count(*) filter (where not enabled), count(*) filter (where enabled and probe_at is not null),
       count(*) filter (where enabled and probe_at is null and failures >= $1), count(*) filter (where enabled and probe_at is null and failures < $1),
       (select count(*) from replays where state = 'running')
  from endpoints where deleted_at is null`
	const deliveries = `
with p as (
    select workspace_id, endpoint_id, count(*) as n, count(*) filter (where next_at <= now()) as due, min(next_at) as oldest
      from (select workspace_id, endpoint_id, next_at from deliveries where state = 'pending' limit 1000000) as d group by workspace_id, endpoint_id
), q as (
    select p.n, p.oldest, case when e.enabled and e.deleted_at is null and e.probe_at is null then p.due else 0 end as due
      from p join endpoints e on e.workspace_id = p.workspace_id and e.id = p.endpoint_id
)
select coalesce(sum(due), 0), coalesce(sum(n - due), 0), coalesce(extract(epoch from now() - min(oldest) filter (where due > 0)), 0) from q`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := tx.QueryRowContext(ctx, endpoints, webhook.FailingThreshold).Scan(&o.Disabled, &o.Open, &o.Failing, &o.Closed, &o.Replays); err != nil {
			return err
		}
		// Old statistics must not make it read whole weeks for a few rows.
		if _, err := tx.ExecContext(ctx, `set local enable_seqscan = off; set local jit = off`); err != nil {
			return err
		}
		var oldest float64
		if err := tx.QueryRowContext(ctx, deliveries).Scan(&o.Due, &o.Later, &oldest); err != nil {
			return err
		}
		o.OldestDue = time.Duration(oldest * float64(time.Second))
		return nil
	})
	return o, fail(ctx, "count backlog", err)
}
