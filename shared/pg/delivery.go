package pg

import (
	"context"
	"database/sql"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// EndpointBacklog is what waits for an endpoint.
type EndpointBacklog struct {
	Waiting   int       // pending deliveries, counted to 10,000
	NextAt    time.Time // when the next is due; zero when none waits
	LastError string    // of the attempt made last among those that wait; "" when none was made
}

// EndpointBacklog tells what waits for an endpoint, at a cost that does not grow with it.
func (db *DB) EndpointBacklog(ctx context.Context, workspace, endpoint id.UUID) (b EndpointBacklog, err error) {
	const q = `
select count(*), min(next_at), coalesce((array_agg(last_error order by updated_at desc) filter (where last_error is not null))[1], '')
  from (select next_at, last_error, updated_at from deliveries
         where workspace_id = $1 and endpoint_id = $2 and state = 'pending' order by next_at limit 10000) as d`
	var next sql.NullTime
	err = db.QueryRowContext(ctx, q, workspace, endpoint).Scan(&b.Waiting, &next, &b.LastError)
	b.NextAt = next.Time
	return b, fail(ctx, "endpoint backlog", err)
}

// MaxAttempts is how many attempts of a delivery are listed: one that is sent again and again has no end of them.
const MaxAttempts = 50

// ListAttempts returns the newest MaxAttempts attempts of deliveries, each delivery's in the order they were made.
func (db *DB) ListAttempts(ctx context.Context, workspace id.UUID, deliveries []id.UUID) (map[id.UUID][]webhook.Attempt, error) {
	return db.newestAttempts(ctx, workspace, deliveries, true)
}

// ListBareAttempts is ListAttempts without ResponseHead, which is by far the largest part of many.
func (db *DB) ListBareAttempts(ctx context.Context, workspace id.UUID, deliveries []id.UUID) (map[id.UUID][]webhook.Attempt, error) {
	return db.newestAttempts(ctx, workspace, deliveries, false)
}

func (db *DB) newestAttempts(ctx context.Context, workspace id.UUID, deliveries []id.UUID, heads bool) (map[id.UUID][]webhook.Attempt, error) {
	const q = `
select a.delivery_id, a.id, a.number, coalesce(a.status, 0), coalesce(a.error, ''), case when $4 then coalesce(a.response_head, '') else '' end, a.latency_ms, a.created_at
  from unnest($2::uuid[]) as d (id)
 cross join lateral (select * from attempts where workspace_id = $1 and delivery_id = d.id order by id desc limit $3) a
 order by a.delivery_id, a.id`
	made, err := db.attempts(ctx, q, workspace, idArray(deliveries), MaxAttempts, heads)
	all := make(map[id.UUID][]webhook.Attempt, len(deliveries))
	for _, a := range made {
		all[a.DeliveryID] = append(all[a.DeliveryID], a)
	}
	return all, err
}

func (db *DB) attempts(ctx context.Context, query string, args ...any) (all []webhook.Attempt, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fail(ctx, "list attempts", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a webhook.Attempt
		var ms int64
		if err := rows.Scan(&a.DeliveryID, &a.ID, &a.Number, &a.Status, &a.Error, &a.ResponseHead, &ms, &a.At); err != nil {
			return nil, fail(ctx, "list attempts", err)
		}
		a.Latency = time.Duration(ms) * time.Millisecond
		all = append(all, a)
	}
	return all, fail(ctx, "list attempts", rows.Err())
}

// idArray is ids as a uuid[]; no ids are an empty one.
func idArray(ids []id.UUID) string {
	c := newColumn(len(ids), 36)
	for _, u := range ids {
		c.uuid(u)
	}
	return c.done()
}
