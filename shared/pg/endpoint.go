package pg

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// CreateEndpoint stores e; beyond webhook.MaxEndpoints of its workspace, and while MaxDeletedEndpoints deleted ones are
// kept, it is a CONFLICT.
func (db *DB) CreateEndpoint(ctx context.Context, e webhook.Endpoint) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error { return db.insertEndpoint(ctx, tx, e) })
}

func (db *DB) insertEndpoint(ctx context.Context, tx *sqlx.Tx, e webhook.Endpoint) error {
	// $13 whether it is enabled, $14 now, $15 how many a workspace can have, $16 and $17 its
	// batches
	const q = `
insert into endpoints (
       workspace_id, id, url, description, event_types, chatbot_ids, headers, payload, rate, max_in_flight, timeout_s,
       secret, enabled, created_at, updated_at, batch_max, batch_wait_ms, disabled_at, disabled_reason)
select $1, $2, $3, $4, $5, $6, $7, $8, nullif($9, 0), $10, $11, $12,
       $13, $14, $14, nullif($16, 0), $17, case when not $13 then cast($14 as timestamptz) end,
       case when not $13 then '` + webhook.DisabledByOwner + `' end
 where (select count(*) from endpoints where workspace_id = $1 and deleted_at is null) < $15`
	if err := lockWorkspace(ctx, tx, e.WorkspaceID); err != nil {
		return err
	}
	if err := limitDeletedEndpoints(ctx, tx, e.WorkspaceID); err != nil {
		return err
	}
	e = withDefaults(e)
	sealed, err := db.sealEndpoint(&e)
	if err != nil {
		return conn.Fail(ctx, "create endpoint", err)
	}
	made, err := conn.Exec(ctx, tx, "create endpoint", q, e.WorkspaceID, e.ID, e.URL, e.Description,
		pqStrings(&e.EventTypes), optionalIDs(e.ChatbotIDs), string(sealed.headers), e.Payload, e.Rate, e.MaxInFlight,
		seconds(e.Timeout), sealed.secret, e.Enabled, e.CreatedAt, webhook.MaxEndpoints,
		e.Batch.Max, e.Batch.Wait.Milliseconds())
	if err == nil && made == 0 {
		return tooMany(webhook.MaxEndpoints, "webhook endpoints")
	}
	return err
}

// withDefaults fills in what an endpoint cannot be without.
func withDefaults(e webhook.Endpoint) webhook.Endpoint {
	if e.Headers == nil {
		e.Headers = map[string]string{}
	}
	if e.Payload == "" {
		e.Payload = webhook.PayloadFull
	}
	if e.MaxInFlight == 0 {
		e.MaxInFlight = webhook.DefaultInFlight
	}
	if e.Timeout == 0 {
		e.Timeout = webhook.DefaultTimeout
	}
	return e
}

func seconds(d time.Duration) int { return int(d / time.Second) }

const endpointColumns = `
       e.workspace_id, e.id, e.url, e.description, e.event_types, e.chatbot_ids, e.headers, e.payload,
       coalesce(e.rate, 0), e.max_in_flight, e.timeout_s, coalesce(e.batch_max, 0), coalesce(e.batch_wait_ms, 0), e.secret, e.former_secrets, e.enabled, e.disabled_at,
       coalesce(e.disabled_reason, ''), e.created_at, e.updated_at,
       e.slow_since, ` + healthColumns

const healthColumns = `
       e.failures, e.failing_since, coalesce(e.failing_delivery, '00000000-0000-0000-0000-000000000000'), e.probe_at,
       e.probes, coalesce(e.last_error, ''), e.last_success_at, e.told`

// healthTargets is where a row's healthColumns go.
func healthTargets(h *webhook.Health) []any {
	return []any{&h.Failures, &h.FailingSince, &h.FailingDelivery, &h.ProbeAt, &h.Probes, &h.LastError, &h.LastSuccessAt,
		&h.Notified}
}

// scanEndpoint reads an endpoint, which is Unreadable where its secrets cannot be opened.
func (db *DB) scanEndpoint(row conn.Row) (e webhook.Endpoint, err error) {
	var sealed sealedEndpoint
	var chatbots []string
	var seconds, waitMs int
	var disabled sql.NullTime
	var reason string
	targets := []any{&e.WorkspaceID, &e.ID, &e.URL, &e.Description, pqStrings(&e.EventTypes), pqStrings(&chatbots),
		&sealed.headers, &e.Payload, &e.Rate, &e.MaxInFlight, &seconds, &e.Batch.Max, &waitMs,
		&sealed.secret, &sealed.former, &e.Enabled, &disabled, &reason, &e.CreatedAt, &e.UpdatedAt, &e.SlowSince}
	if err := row.Scan(append(targets, healthTargets(&e.Health)...)...); err != nil {
		return e, err
	}
	for _, text := range chatbots {
		c, err := uuid.Parse(text)
		if err != nil {
			return e, err
		}
		e.ChatbotIDs = append(e.ChatbotIDs, c)
	}
	e.Timeout, e.Batch.Wait = time.Duration(seconds)*time.Second, time.Duration(waitMs)*time.Millisecond
	if disabled.Valid {
		e.Disabled = &webhook.Disabled{At: disabled.Time, Reason: reason}
	}
	return e, db.openEndpoint(&e, sealed)
}

// GetEndpoint returns a workspace's endpoint.
func (db *DB) GetEndpoint(ctx context.Context, workspace, endpoint id.UUID) (webhook.Endpoint, error) {
	const q = `
select ` + endpointColumns + `
  from endpoints e
 where e.workspace_id = $1 and e.id = $2 and e.deleted_at is null`
	return conn.One(ctx, db, "get endpoint", db.scanEndpoint, endpointNotFound(), q, workspace, endpoint)
}

// ListEndpoints returns a workspace's endpoints, newest first; there are never more than webhook.MaxEndpoints.
func (db *DB) ListEndpoints(ctx context.Context, workspace id.UUID) ([]webhook.Endpoint, error) {
	const q = `
select ` + endpointColumns + `
  from endpoints e
 where e.workspace_id = $1 and e.deleted_at is null
 order by e.id desc limit $2`
	return conn.Collect(ctx, db, "list endpoints", db.scanEndpoint, q, workspace, webhook.MaxEndpoints)
}
