package pg

import (
	"context"
	"database/sql"
	"errors"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// GetTestDelivery returns an endpoint, whatever its state unless it was deleted, and its delivery of a webhook.test event.
// The slice has no job when there is nothing to attempt, or it was attempted already. Nothing is leased: a test is one attempt beside all others.
func (db *DB) GetTestDelivery(ctx context.Context, workspace, endpoint, delivery id.UUID) (s LeasedBatch, err error) {
	s.Endpoint, err = db.GetEndpoint(ctx, workspace, endpoint)
	var gone *fault.Error
	if errors.As(err, &gone) && gone.Kind == fault.NotFound {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	const q = `
select d.id, d.event_id, d.attempts, d.tries, v.type, v.created_at, v.data
  from deliveries d join events v on v.workspace_id = $1 and v.id = d.event_id
 where d.workspace_id = $1 and d.id = $3 and d.endpoint_id = $2 and d.attempts = 0 and ` + testPending + ` and v.type = '` + webhook.WebhookTest + `'`
	var j webhook.Job
	err = db.QueryRowContext(ctx, q, workspace, endpoint, delivery).Scan(&j.DeliveryID, &j.EventID, &j.Attempts, &j.Tries, &j.EventType, &j.EventAt, &j.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, fail(ctx, "take test", err)
	}
	s.Jobs = []webhook.Job{j}
	return s, nil
}

// testPending is where a test stands until its attempt.
const testPending = `d.state = 'held'`

// CancelTestDelivery ends a test that no worker could be asked for: it is not to be sent later. One that was attempted stays as it is.
func (db *DB) CancelTestDelivery(ctx context.Context, workspace, delivery id.UUID) error {
	const q = `update deliveries d set state = 'cancelled', updated_at = now() where d.workspace_id = $1 and d.id = $2 and d.attempts = 0 and ` + testPending
	_, err := db.ExecContext(ctx, q, workspace, delivery)
	return fail(ctx, "cancel test", err)
}

// RecordTestDelivery stores the one attempt at a test and where its delivery stands after it, which is final. It leaves the endpoint's health alone,
// but one that answers while its breaker is open is worth a probe: that is due at once, and probe is true.
func (db *DB) RecordTestDelivery(ctx context.Context, workspace, endpoint id.UUID, o webhook.Outcome) (probe bool, err error) {
	const q = `
with moved as (
    update deliveries d set attempts = $5, tries = $5, state = $4, next_at = null, last_status = nullif($6, 0), last_error = nullif($7, ''), updated_at = $10
     where d.workspace_id = $1 and d.id = $3 and d.attempts < $5 and ` + testPending + `
    returning d.id
), made as (
    insert into attempts (workspace_id, delivery_id, id, number, status, error, response_head, latency_ms, created_at)
    select $1, id, $11, $5, nullif($6, 0), nullif($7, ''), nullif($8, ''), $9, $10 from moved
)
update endpoints set probe_at = now()
 where workspace_id = $1 and id = $2 and enabled and deleted_at is null and probe_at > now() and $4 = 'delivered' and exists (select from moved)`
	a := &o.Attempt
	res, err := db.ExecContext(ctx, q, workspace, endpoint, a.DeliveryID, string(o.State), a.Number, a.Status, a.Error, a.ResponseHead, a.Latency.Milliseconds(), a.At, a.ID)
	if err != nil {
		return false, fail(ctx, "record test", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}
