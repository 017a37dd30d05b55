package pg

import (
	"context"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// testPending is the condition of a test delivery d that waits for its attempt: it is held, so that no drain leases it.
const testPending = `d.attempts = 0 and d.state = 'held'`

// CreateTestDelivery stores a webhook.test event and its delivery to one endpoint, which it returns. A worker is asked
// for it by its id.
func (db *DB) CreateTestDelivery(ctx context.Context, workspace, endpoint, event id.UUID, data []byte,
	now time.Time) (delivery id.UUID, err error) {
	const q = `
with ev as (
    insert into events (workspace_id, id, type, data, created_at)
    select $1, $3, '` + webhook.WebhookTest + `', $4, $5
     where exists (select from endpoints where workspace_id = $1 and id = $2 and deleted_at is null)
    returning id, created_at
)
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, created_at, updated_at)
select $1, delivery_id(ev.id, $2), $2, ev.id, 'held', ev.created_at, ev.created_at from ev
returning id`
	err = db.withPartitions(ctx, func() error {
		delivery, err = conn.One(ctx, db, "create test delivery", conn.Value[id.UUID], endpointNotFound(), q, workspace,
			endpoint, event, string(data), now)
		return err
	})
	return delivery, err
}

// GetTestDelivery returns an endpoint, whatever its state unless it was deleted, and its delivery of a webhook.test
// event. The batch has no delivery when there is nothing to attempt, or it was attempted already. Nothing is leased: a
// test is one attempt beside all others.
func (db *DB) GetTestDelivery(ctx context.Context, workspace, endpoint, delivery id.UUID) (b LeasedBatch, err error) {
	const q = `
select d.id, d.event_id, d.attempts, d.tries, v.type, v.created_at, v.data
  from deliveries d
 cross join lateral (select * from events where workspace_id = $1 and id between d.event_id and d.event_id order by id limit 1) v
 where d.workspace_id = $1 and d.id = $3 and d.endpoint_id = $2 and ` + testPending + `
   and v.type = '` + webhook.WebhookTest + `'`
	b.Endpoint, err = db.GetEndpoint(ctx, workspace, endpoint)
	if fault.Is(err, fault.NotFound) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	scan := func(row conn.Row) (j webhook.DueDelivery, err error) {
		err = row.Scan(&j.DeliveryID, &j.EventID, &j.Attempts, &j.Tries, &j.EventType, &j.EventAt, &j.Data)
		return j, err
	}
	b.Due, err = conn.Collect(ctx, db, "get test delivery", scan, q, workspace, endpoint, delivery)
	return b, err
}

// CancelTestDelivery ends a test that no worker could be asked for: it is not to be sent later. One that was attempted
// stays as it is.
func (db *DB) CancelTestDelivery(ctx context.Context, workspace, delivery id.UUID) error {
	const q = `
update deliveries d set state = 'cancelled', updated_at = now()
 where d.workspace_id = $1 and d.id = $2 and ` + testPending
	_, err := conn.Exec(ctx, db, "cancel test delivery", q, workspace, delivery)
	return err
}

// RecordTestDelivery stores the one attempt at a test and the state of its delivery after it, which is final. It leaves
// the endpoint's health alone, but one that answers while its breaker is open is worth a probe: that is due at once,
// and probe is true.
func (db *DB) RecordTestDelivery(ctx context.Context, workspace, endpoint id.UUID, o webhook.Outcome) (probe bool,
	err error) {
	// $1 workspace, $2 endpoint, $3 delivery, $4 state, $5 number, $6 status, $7 error, $8 head of the response, $9
	// latency, $10 time of the attempt, $11 its id, $12 to $15 its place in a batch
	const q = `
with moved as (
    update deliveries d
       set attempts = $5, tries = $5, state = $4, next_at = null, last_status = nullif($6, 0),
           last_error = nullif($7, ''), updated_at = $10
     where d.workspace_id = $1 and d.id = $3 and ` + testPending + `
    returning d.id
), made as (
    insert into attempts (workspace_id, delivery_id, id, number, status, error, response_head, latency_ms, created_at,
                          batch_id, batch_first, batch_size, batch_index)
    select $1, id, $11, $5, nullif($6, 0), nullif($7, ''), nullif($8, ''), $9, $10, $12, $13, nullif($14, 0), nullif($15, 0) from moved
)
update endpoints set probe_at = now()
 where workspace_id = $1 and id = $2 and enabled and deleted_at is null and probe_at > now() and $4 = 'delivered'
   and exists (select from moved)`
	a := &o.Attempt
	err = db.withPartitions(ctx, func() error {
		n, err := conn.Exec(ctx, db, "record test delivery", q, workspace, endpoint, a.DeliveryID, string(o.State), a.Number,
			a.Status, a.Error, a.ResponseHead, a.Latency.Milliseconds(), a.At, a.ID, optionalID(a.InBatch.ID),
			optionalID(a.InBatch.First), a.InBatch.Size, a.InBatch.Index)
		probe = n == 1
		return err
	})
	return probe, err
}
