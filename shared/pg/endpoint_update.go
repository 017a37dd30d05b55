package pg

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// maxHeldAtOnce is how many deliveries disabling or deleting an endpoint holds or cancels in its own commit;
// HoldOrCancelPending does the rest.
const maxHeldAtOnce = 10_000

// UpdateEndpoint lets change alter an endpoint, one caller at a time, and returns what it is now; NOT_FOUND when there
// is none. Where that disables it, what waits for it is held; another URL begins with a clean record, and what waits for
// another try is due at once. replay, if not nil, begins in the same commit; see CreateReplay for why it may not.
func (db *DB) UpdateEndpoint(ctx context.Context, workspace, endpoint id.UUID, now time.Time,
	change func(*webhook.Endpoint) error, replay *webhook.Replay) (e webhook.Endpoint, err error) {
	const read = `
select ` + endpointColumns + `
  from endpoints e
 where e.workspace_id = $1 and e.id = $2 and e.deleted_at is null
   for no key update`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		e, err = conn.One(ctx, tx, "update endpoint", db.scanEndpoint, endpointNotFound(), read, workspace, endpoint)
		if err != nil {
			return err
		}
		if e.Unreadable != nil {
			return secretsUnreadable(e.Unreadable)
		}
		before := e
		if err := change(&e); err != nil {
			return err
		}
		moved := e.URL != before.URL
		if moved {
			e.Health = webhook.Health{LastSuccessAt: e.Health.LastSuccessAt}
		}
		if !reflect.DeepEqual(before, e) {
			e.UpdatedAt = now
			if err := db.writeEndpoint(ctx, tx, e, moved || !e.Enabled); err != nil {
				return err
			}
		}
		if before.Enabled && !e.Enabled {
			if _, err := holdOrCancelPending(ctx, tx, workspace, endpoint, webhook.Held, maxHeldAtOnce); err != nil {
				return err
			}
		}
		if moved && e.Enabled {
			if err := retryAtOnce(ctx, tx, &e); err != nil {
				return err
			}
		}
		if replay != nil {
			return insertReplay(ctx, tx, *replay)
		}
		return nil
	})
	return e, err
}

// writeEndpoint stores what an owner can change, and the health, which enabling resets. stop takes the lease away, so
// that a drain under way stops: what it still finds out is not about the endpoint as it is now.
func (db *DB) writeEndpoint(ctx context.Context, tx *sqlx.Tx, e webhook.Endpoint, stop bool) error {
	// $1 workspace, $2 endpoint, $3 to $17 what its owner sees, $18 to $25 health, $26 stop, $27 and $28 its
	// batches
	const q = `
update endpoints
   set url = $3, description = $4, event_types = $5, chatbot_ids = $6, headers = $7, payload = $8, rate = nullif($9, 0),
       max_in_flight = $10, timeout_s = $11, batch_max = nullif($27, 0), batch_wait_ms = $28, secret = $12, former_secrets = $13, enabled = $14, disabled_at = $15,
       disabled_reason = nullif($16, ''), updated_at = $17,
       failures = $18, failing_since = $19, failing_delivery = $20, probe_at = $21, probes = $22,
       last_error = nullif($23, ''), last_success_at = $24, told = $25,
       drain_token = case when not $26 then drain_token end, drain_until = case when not $26 then drain_until end
 where workspace_id = $1 and id = $2`
	e = withDefaults(e)
	sealed, err := db.sealEndpoint(&e)
	if err != nil {
		return conn.Fail(ctx, "write endpoint", err)
	}
	disabled := webhook.Disabled{}
	if e.Disabled != nil {
		disabled = *e.Disabled
	}
	h := e.Health
	_, err = conn.Exec(ctx, tx, "write endpoint", q, e.WorkspaceID, e.ID, e.URL, e.Description, pqStrings(&e.EventTypes),
		optionalIDs(e.ChatbotIDs), string(sealed.headers), e.Payload, e.Rate, e.MaxInFlight,
		seconds(e.Timeout), sealed.secret, string(sealed.former), e.Enabled, clock(disabled.At), disabled.Reason, e.UpdatedAt,
		h.Failures, h.FailingSince, optionalID(h.FailingDelivery), h.ProbeAt, h.Probes, h.LastError, h.LastSuccessAt,
		h.Notified, stop, e.Batch.Max, e.Batch.Wait.Milliseconds())
	return err
}

// DeleteEndpoint takes an endpoint out of everything but the lists of its deliveries, which stay readable, and forgets
// what is secret of it. What waits for it is cancelled. NOT_FOUND when there is none.
func (db *DB) DeleteEndpoint(ctx context.Context, workspace, endpoint id.UUID) error {
	const q = `
update endpoints
   set deleted_at = now(), updated_at = now(), enabled = false, secret = '', former_secrets = '[]', headers = '{}',
       probe_at = null, told = false, drain_token = null, drain_until = null
 where workspace_id = $1 and id = $2 and deleted_at is null`
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		deleted, err := conn.Exec(ctx, tx, "delete endpoint", q, workspace, endpoint)
		if err != nil {
			return err
		}
		if deleted == 0 {
			return endpointNotFound()
		}
		if _, err := holdOrCancelPending(ctx, tx, workspace, endpoint, webhook.Cancelled, maxHeldAtOnce); err != nil {
			return err
		}
		return purgeDeletedEndpoints(ctx, tx, workspace)
	})
}

// MaxDeletedEndpoints is how many deleted endpoints of a workspace are kept for the sake of their deliveries.
const MaxDeletedEndpoints = 500

// purgeDeletedEndpoints deletes a workspace's deleted endpoints that have no deliveries. Not at the moment they are
// deleted: a commit of events that has seen one alive may still be under way, and what it writes for an endpoint that
// is not there would wait for ever.
func purgeDeletedEndpoints(ctx context.Context, tx *sqlx.Tx, workspace id.UUID) error {
	const q = `
delete from endpoints e
 where e.workspace_id = $1 and e.deleted_at < now() - interval '1 minute'
   and not ` + hasDeliveries
	_, err := conn.Exec(ctx, tx, "purge deleted endpoints", q, workspace)
	return err
}

// hasDeliveries is the condition that deliveries to endpoint e are kept. It asks for one endpoint at a time.
const hasDeliveries = `exists (
    select from deliveries d
     where d.workspace_id = e.workspace_id and d.endpoint_id between e.id and e.id
     order by d.endpoint_id, d.id offset 0)`

// limitDeletedEndpoints is a CONFLICT while a workspace has MaxDeletedEndpoints deleted endpoints that must be kept.
func limitDeletedEndpoints(ctx context.Context, tx *sqlx.Tx, workspace id.UUID) error {
	const q = `
select count(*), coalesce(min(deleted_at), now())
  from endpoints
 where workspace_id = $1 and deleted_at is not null`
	var kept int
	var first time.Time
	for range 2 {
		if err := tx.QueryRowContext(ctx, q, workspace).Scan(&kept, &first); err != nil {
			return conn.Fail(ctx, "count deleted endpoints", err)
		}
		if kept < MaxDeletedEndpoints {
			return nil
		}
		if err := purgeDeletedEndpoints(ctx, tx, workspace); err != nil {
			return err
		}
	}
	return fault.New(fault.Conflict,
		fmt.Sprintf("The workspace has %d deleted webhook endpoints, which are kept as long as "+
			"their deliveries can be read, and for a minute at least. Create another when one of them is gone: "+
			"the oldest was deleted at %s",
			kept, first.UTC().Format(time.RFC3339)))
}

// holdOrCancelPending moves an endpoint's pending deliveries to state, as many as most; its row must be locked.
// Those that are being changed meanwhile are left to HoldOrCancelPending.
func holdOrCancelPending(
	ctx context.Context, tx *sqlx.Tx, workspace, endpoint id.UUID, state webhook.State, most int,
) (moved int, err error) {
	const q = `
with waiting as materialized (
    select workspace_id, id, endpoint_id, event_id, cast($3 as text) as next_state, created_at from deliveries
     where workspace_id = $1 and endpoint_id = $2 and state = 'pending'
     order by next_at, id limit $4 for update skip locked
)` + endWaiting
	return conn.Exec(ctx, tx, "hold or cancel deliveries", q, workspace, endpoint, string(state), most)
}

// endWaiting gives the deliveries that the CTE "waiting" has locked their next_state. Each is found by its key, as
// README.md has it of an insert that is an update.
const endWaiting = `
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, created_at, updated_at)
select workspace_id, id, endpoint_id, event_id, next_state, created_at, now() from waiting
on conflict (workspace_id, id) do update set state = excluded.state, next_at = null, updated_at = excluded.updated_at`

// retryAtOnce makes an endpoint's deliveries that wait for another try due, the first ones where they are very many; its
// row must be locked. Where their order matters they come before what happened later. It is an update: see README.md.
func retryAtOnce(ctx context.Context, tx *sqlx.Tx, e *webhook.Endpoint) error {
	const q = `
with waiting as materialized (
    select id, endpoint_id, event_id, state, created_at from deliveries
     where workspace_id = $1 and endpoint_id = $2 and state = 'pending' and next_at > now()
     order by next_at, id limit $4 for update skip locked
)
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
select $1, id, endpoint_id, event_id, state, case when $3 then least(created_at, now()) else now() end, created_at, now()
  from waiting
    on conflict (workspace_id, id) do update set next_at = excluded.next_at, updated_at = excluded.updated_at`
	_, err := conn.Exec(ctx, tx, "retry at once", q, e.WorkspaceID, e.ID, e.MaxInFlight == 1, maxHeldAtOnce)
	return err
}

// HoldOrCancelPending ends the waiting of up to limit pending deliveries whose endpoint is disabled (they become held)
// or deleted (cancelled). Disabling and deleting do it for most; this is for the many, and for those written at the
// same moment. It looks across workspaces. An endpoint or delivery that somebody else is changing is left for the next
// time.
func (db *DB) HoldOrCancelPending(ctx context.Context, limit int) (moved int, err error) {
	onCitus, err := db.OnCitus(ctx)
	switch {
	case err != nil:
		return 0, err
	case onCitus:
		return db.holdOrCancelOnCitus(ctx, limit)
	}
	const q = `
with waiting as materialized (
    select e.workspace_id, d.id, e.id as endpoint_id, d.event_id, d.created_at,
           case when e.deleted_at is not null then 'cancelled' else 'held' end as next_state
      from endpoints e
     cross join lateral (
        select id, event_id, created_at from deliveries
         where workspace_id = e.workspace_id and endpoint_id = e.id and state = 'pending'
         order by next_at, id limit $1 for update skip locked) d
     where not e.enabled or e.deleted_at is not null
     limit $1 for share of e skip locked
)` + endWaiting
	return conn.Exec(ctx, db, "hold or cancel deliveries", q, limit)
}

func endpointNotFound() error { return fault.New(fault.NotFound, "Webhook endpoint not found") }
