package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// MaxAttempts is how many attempts of a delivery are listed: one that is sent again and again has no end of them.
const MaxAttempts = 50

// ListAttempts returns the newest MaxAttempts attempts of deliveries, each delivery's in the order they were made.
func (db *DB) ListAttempts(ctx context.Context, workspace id.UUID, deliveries []id.UUID) (map[id.UUID][]webhook.Attempt,
	error) {
	return newestAttempts(ctx, db, workspace, deliveries, true)
}

// ListBareAttempts is ListAttempts without ResponseHead, which is by far the largest part of many.
func (db *DB) ListBareAttempts(ctx context.Context, workspace id.UUID,
	deliveries []id.UUID) (map[id.UUID][]webhook.Attempt, error) {
	return newestAttempts(ctx, db, workspace, deliveries, false)
}

// GetDeliveryAndAttempts returns a workspace's delivery with its newest MaxAttempts attempts, in the order they were
// made: both as they were at one moment.
func (db *DB) GetDeliveryAndAttempts(ctx context.Context, workspace, delivery id.UUID) (d webhook.Delivery,
	made []webhook.Attempt, err error) {
	err = db.InSnapshot(ctx, func(tx *sqlx.Tx) error {
		if d, err = getDelivery(ctx, tx, workspace, delivery); err != nil {
			return err
		}
		all, err := newestAttempts(ctx, tx, workspace, []id.UUID{delivery}, true)
		made = all[delivery]
		return err
	})
	return d, made, err
}

func newestAttempts(ctx context.Context, on conn.Queryer, workspace id.UUID, deliveries []id.UUID, heads bool) (map[id.UUID][]webhook.Attempt, error) {
	const q = `
select ` + attemptColumns + `,
       case when not $4 then ''
            when a.batch_first is null then coalesce(a.response_head, '')
            else coalesce((select f.response_head from attempts f
                            where f.workspace_id = $1 and f.delivery_id = a.batch_first and f.id = a.id limit 1), '') end
  from unnest($2::uuid[]) as d (id)
 cross join lateral (
    select * from attempts where workspace_id = $1 and delivery_id = d.id order by id desc limit $3) a
 order by a.delivery_id, a.id`
	made, err := attempts(ctx, on, q, workspace, idArray(deliveries), MaxAttempts, heads)
	all := make(map[id.UUID][]webhook.Attempt, len(deliveries))
	for _, a := range made {
		all[a.DeliveryID] = append(all[a.DeliveryID], a)
	}
	return all, err
}

// attemptColumns are the columns of an attempt a for attempts, but for the response head, which comes last.
const attemptColumns = `
       a.delivery_id, a.id, a.number, coalesce(a.status, 0), coalesce(a.error, ''), a.latency_ms, a.created_at,
       coalesce(a.batch_id, '00000000-0000-0000-0000-000000000000'),
       coalesce(a.batch_first, '00000000-0000-0000-0000-000000000000'), coalesce(a.batch_size, 0), coalesce(a.batch_index, 0)`

func attempts(ctx context.Context, on conn.Queryer, query string, args ...any) ([]webhook.Attempt, error) {
	scan := func(row conn.Row) (a webhook.Attempt, err error) {
		var ms int64
		err = row.Scan(&a.DeliveryID, &a.ID, &a.Number, &a.Status, &a.Error, &ms, &a.At,
			&a.InBatch.ID, &a.InBatch.First, &a.InBatch.Size, &a.InBatch.Index, &a.ResponseHead)
		a.Latency = time.Duration(ms) * time.Millisecond
		return a, err
	}
	return conn.Collect(ctx, on, "list attempts", scan, query, args...)
}
