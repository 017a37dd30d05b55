package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// NotifyFailing makes the event endpoint.failing, for the workspace's other endpoints and for the operator's hook, of
// an endpoint that has failed without a success for at least after. It is made once until the endpoint works again.
// wake are endpoints that got deliveries.
func (db *DB) NotifyFailing(ctx context.Context, workspace, endpoint id.UUID, after time.Duration) (wake []EndpointRef,
	err error) {
	const q = `
update endpoints e set told = true, notice_event = $3
 where e.workspace_id = $1 and e.id = $2 and e.enabled and e.deleted_at is null and not e.told
   and ` + keepsFailing + `
returning ` + noticeColumns
	n := notice{workspace: workspace, endpoint: endpoint, kind: webhook.EndpointFailing, reason: webhook.DisabledFailing}
	_, wake, err = db.emitNotice(ctx, q, n, interval(after))
	return wake, err
}

// keepsFailing goes by what is recorded, not by what a drain remembers: the owner may have repaired the endpoint
// meanwhile. Some probes have failed too, so that it is not one delivery that failed long ago and one that fails now.
const keepsFailing = `e.failing_since <= now() - cast($4 as interval) and e.probes >= 3`

// DisableFailing disables an endpoint that has failed without a success for so long, and makes the event
// endpoint.disabled as NotifyFailing does; disabled is false when that is not so (any more). Deliveries that wait for
// it become held later, by upkeep.
func (db *DB) DisableFailing(ctx context.Context, workspace, endpoint id.UUID, after time.Duration) (disabled bool,
	wake []EndpointRef, err error) {
	const q = disableEndpoint + keepsFailing + `
returning ` + noticeColumns
	n := notice{workspace: workspace, endpoint: endpoint, kind: webhook.EndpointDisabled, reason: webhook.DisabledFailing}
	return db.emitNotice(ctx, q, n, interval(after), n.reason)
}

// DisableGone disables an endpoint whose receiver at url answered that it wants nothing any more, as DisableFailing
// does.
func (db *DB) DisableGone(ctx context.Context, workspace, endpoint id.UUID, url string) (disabled bool,
	wake []EndpointRef, err error) {
	const q = disableEndpoint + `e.url = $4
returning ` + noticeColumns
	n := notice{workspace: workspace, endpoint: endpoint, kind: webhook.EndpointDisabled, reason: webhook.DisabledGone}
	return db.emitNotice(ctx, q, n, url, n.reason)
}

// disableEndpoint also takes the lease away: its holder must not record the endpoint's health over what its owner
// repairs.
//
//	$1 workspace, $2 endpoint, $3 event, $4 of the condition that follows, $5 reason
const disableEndpoint = `
update endpoints e
   set enabled = false, disabled_at = now(), disabled_reason = $5, probe_at = null,
       drain_token = null, drain_until = null, updated_at = now(), notice_event = $3
 where e.workspace_id = $1 and e.id = $2 and e.enabled and e.deleted_at is null
   and `

const noticeColumns = `
       e.url, e.description, e.failures, e.failing_since, coalesce(e.last_error, ''), e.disabled_at`

// notice is an event about an endpoint, before it is one.
type notice struct {
	workspace, endpoint id.UUID
	kind, reason        string
	slow                *webhook.Slow // of endpoint.slow
}

// emitNotice runs mark, which returns noticeColumns if there is something to notify of, and then makes the event, in
// one commit.
func (db *DB) emitNotice(ctx context.Context, mark string, n notice, more ...any) (emitted bool, wake []EndpointRef,
	err error) {
	event, data := id.New(), webhook.EndpointNotice{Endpoint: n.endpoint, Reason: n.reason, Slow: n.slow}
	const waiting = `
select clock_timestamp(), count(*)
  from (select 1 from deliveries where workspace_id = $1 and endpoint_id = $2 and state = 'pending' limit 10000) w`
	scan := func(row conn.Row) (any, error) {
		return nil, row.Scan(&data.URL, &data.Description, &data.Failures, &data.FailingSince,
			&data.LastError, &data.DisabledAt)
	}
	emit := func(tx *sqlx.Tx) error {
		_, emitted, err = conn.Find(ctx, tx, n.kind, scan, mark, append([]any{n.workspace, n.endpoint, event}, more...)...)
		if err != nil || !emitted {
			return err
		}
		at, err := conn.One(ctx, tx, n.kind, func(row conn.Row) (at time.Time, err error) {
			return at, row.Scan(&at, &data.Waiting)
		}, nil, waiting, n.workspace, n.endpoint)
		if err != nil {
			return err
		}
		text, err := data.Data()
		if err != nil {
			return err
		}
		wake, err = insertNotice(ctx, tx, n, event, at, text)
		return err
	}
	err = db.withPartitions(ctx, func() error { return db.InTx(ctx, emit) })
	return emitted && err == nil, wake, err
}

// insertNotice makes the event and its deliveries, to every other endpoint that wants the type. The event is of no
// chatbot, so no filter by chatbot applies.
func insertNotice(ctx context.Context, tx *sqlx.Tx, n notice, event id.UUID, at time.Time, data []byte) ([]EndpointRef,
	error) {
	const q = `
with ev as (
    insert into events (workspace_id, id, type, data, created_at)
    values ($1, $3, $4, $5, $6)
    returning workspace_id, id, type, created_at
), dl as (
    insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
    select ev.workspace_id, delivery_id(ev.id, ep.id), ep.id, ev.id,
           case when ep.enabled then 'pending' else 'held' end, case when ep.enabled then clock_timestamp() end,
           ev.created_at, ev.created_at
      from ev
      join endpoints ep on ep.workspace_id = $1 and ep.id <> $2 and ep.deleted_at is null
       and ep.event_types && array[ev.type, 'endpoint.*']
    returning endpoint_id
)
select workspace_id, id from endpoints
 where workspace_id = $1 and id in (select endpoint_id from dl) and enabled and probe_at is null`
	return conn.Collect(ctx, tx, n.kind, scanRef, q, n.workspace, n.endpoint, event, n.kind, string(data), at)
}

func scanRef(row conn.Row) (r EndpointRef, err error) {
	err = row.Scan(&r.Workspace, &r.Endpoint)
	return r, err
}

// Notice is an event about an endpoint that the operator's hook has not been sent yet.
type Notice struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Event     id.UUID
	Type      string
	At        time.Time
	Data      []byte // JSON object
}

// maxNoticeAge is how old a notice may be that is still sent: what an operator hears later is no news.
const maxNoticeAge = 24 * time.Hour

// DueNotices returns up to limit notices that the operator's hook has not been sent yet, oldest first. It looks across
// workspaces.
func (db *DB) DueNotices(ctx context.Context, limit int) ([]Notice, error) {
	const q = `
select e.workspace_id, e.id, v.id, v.type, v.created_at, v.data
  from endpoints e
 cross join lateral (
    select * from events
     where workspace_id = e.workspace_id and id between e.notice_event and e.notice_event
     order by id limit 1) v
 where e.notice_event >= uuid_floor(now() - cast($2 as interval))
 order by e.notice_event limit $1`
	scan := func(row conn.Row) (n Notice, err error) {
		err = row.Scan(&n.Workspace, &n.Endpoint, &n.Event, &n.Type, &n.At, &n.Data)
		return n, err
	}
	return conn.Collect(ctx, db, "due notices", scan, q, limit, interval(maxNoticeAge))
}

// AckNotice notes that the operator's hook was sent event. A newer notice about the endpoint stays due.
func (db *DB) AckNotice(ctx context.Context, workspace, endpoint, event id.UUID) error {
	const q = `
update endpoints set notice_event = null
 where workspace_id = $1 and id = $2 and notice_event = $3`
	_, err := conn.Exec(ctx, db, "acknowledge notice", q, workspace, endpoint, event)
	return err
}

// Alone runs fn unless it runs already, here or in any other process that has this database, under the same name. mine:
// it ran. A transaction is open meanwhile, so fn must be a matter of seconds.
func (db *DB) Alone(ctx context.Context, name string, fn func() error) (mine bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		const q = `select pg_try_advisory_xact_lock(hashtext('leadgate'), hashtext($1))`
		if err := tx.QueryRowContext(ctx, q, name).Scan(&mine); err != nil || !mine {
			return conn.Fail(ctx, "lock "+name, err)
		}
		return fn()
	})
	return mine, err
}
