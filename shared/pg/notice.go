package pg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/webhook"
)

// NotifyFailing tells the workspace's other endpoints, and leaves it for the operator's hook to be told, that an endpoint has only failed for long.
// It is told once until the endpoint works again. wake are endpoints that got deliveries.
func (db *DB) NotifyFailing(ctx context.Context, workspace, endpoint id.UUID, after time.Duration) (wake []EndpointRef, err error) {
	const q = `
update endpoints e set told = true, notice_event = $3
 where e.workspace_id = $1 and e.id = $2 and e.enabled and e.deleted_at is null and not e.told and ` + keepsFailing + `
returning ` + noticeColumns
	_, wake, err = db.tell(ctx, q, notice{workspace: workspace, endpoint: endpoint, kind: webhook.EndpointFailing, reason: webhook.DisabledFailing}, interval(after))
	return wake, err
}

// keepsFailing judges by what is recorded, not by what a drain remembers: the owner may have mended the endpoint meanwhile.
// Some probes have failed too, so that it is not one delivery that failed long ago and one that fails now.
const keepsFailing = `e.failing_since <= now() - cast($4 as interval) and e.probes >= 3`

// DisableFailing disables an endpoint that has only failed for so long, with an event about it like NotifyFailing's. false: it is not so (any more).
// Deliveries that wait for it become held later, by the upkeep.
func (db *DB) DisableFailing(ctx context.Context, workspace, endpoint id.UUID, after time.Duration) (disabled bool, wake []EndpointRef, err error) {
	return db.tell(ctx, disable(keepsFailing), notice{workspace: workspace, endpoint: endpoint, kind: webhook.EndpointDisabled, reason: webhook.DisabledFailing}, interval(after), webhook.DisabledFailing)
}

// DisableGone disables an endpoint whose receiver at url wants nothing any more, like DisableFailing.
func (db *DB) DisableGone(ctx context.Context, workspace, endpoint id.UUID, url string) (disabled bool, wake []EndpointRef, err error) {
	return db.tell(ctx, disable(`e.url = $4`), notice{workspace: workspace, endpoint: endpoint, kind: webhook.EndpointDisabled, reason: webhook.DisabledGone}, url, webhook.DisabledGone)
}

// disable also takes the lease away: who has it must not record how the endpoint fared over what its owner sets right.
func disable(where string) string {
	return `
update endpoints e set enabled = false, disabled_at = now(), disabled_reason = $5, probe_at = null, drain_token = null, drain_until = null, updated_at = now(), notice_event = $3
 where e.workspace_id = $1 and e.id = $2 and e.enabled and e.deleted_at is null and ` + where + `
returning ` + noticeColumns
}

// noticeColumns are what an event about an endpoint tells; waiting is counted to 10,000.
const noticeColumns = `e.url, e.description, e.failures, e.failing_since, coalesce(e.last_error, ''), e.disabled_at, now(),
       (select count(*) from (select from deliveries d where d.workspace_id = $1 and d.endpoint_id = $2 and d.state = 'pending' limit 10000) as w)`

// notice is an event about an endpoint, before it is one.
type notice struct {
	workspace, endpoint id.UUID
	kind, reason        string
}

// noticeData is the "data" of endpoint.failing and endpoint.disabled. Nothing of it is secret: of the URL it has scheme and host.
type noticeData struct {
	EndpointID   string  `json:"endpointId"`
	URL          string  `json:"url"`
	Description  string  `json:"description"`
	Reason       string  `json:"reason"`
	Failures     int     `json:"failures"`
	FailingSince *string `json:"failingSince"`
	LastError    string  `json:"lastError"`
	Waiting      int     `json:"waiting"`
	DisabledAt   *string `json:"disabledAt"`
}

// tell runs mark, which returns noticeColumns if there is something to tell, and then makes the event, in one commit.
func (db *DB) tell(ctx context.Context, mark string, n notice, more ...any) (told bool, wake []EndpointRef, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		event := id.New()
		data := noticeData{EndpointID: id.Endpoint.Format(n.endpoint), Reason: n.reason}
		var at time.Time
		var since, disabled *time.Time
		err := tx.QueryRowContext(ctx, mark, append([]any{n.workspace, n.endpoint, event}, more...)...).
			Scan(&data.URL, &data.Description, &data.Failures, &since, &data.LastError, &disabled, &at, &data.Waiting)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fail(ctx, n.kind, err)
		}
		told = true
		data.URL = urlOrigin(data.URL)
		data.FailingSince, data.DisabledAt = shown(since), shown(disabled)
		text, err := json.Marshal(data)
		if err != nil {
			return err
		}
		wake, err = insertNotice(ctx, tx, n, event, at, text)
		return fail(ctx, n.kind, err)
	})
	return told && err == nil, wake, err
}

// insertNotice makes the event and its deliveries: to every other endpoint that wants the type. It is of no chatbot, so no filter by chatbot applies.
func insertNotice(ctx context.Context, tx *sqlx.Tx, n notice, event id.UUID, at time.Time, data []byte) ([]EndpointRef, error) {
	const q = `
with ev as (
    insert into events (workspace_id, id, type, data, created_at) values ($1, $3, $4, $5, $6)
    returning workspace_id, id, type, created_at
), dl as (
    insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
    select ev.workspace_id, delivery_id(ev.id, ep.id), ep.id, ev.id, case when ep.enabled then 'pending' else 'held' end,
           case when ep.enabled then now() end, ev.created_at, ev.created_at
      from ev
      join endpoints ep on ep.workspace_id = $1 and ep.id <> $2 and ep.deleted_at is null and ep.event_types && array[ev.type, 'endpoint.*']
    returning endpoint_id
)
select workspace_id, id from endpoints
 where workspace_id = $1 and id in (select endpoint_id from dl) and enabled and probe_at is null`
	rows, err := tx.QueryContext(ctx, q, n.workspace, n.endpoint, event, n.kind, string(data), at)
	if err != nil {
		return nil, err
	}
	return scanRefs(rows)
}

func scanRefs(rows *sql.Rows) (all []EndpointRef, err error) {
	defer rows.Close()
	for rows.Next() {
		var r EndpointRef
		if err := rows.Scan(&r.Workspace, &r.Endpoint); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// urlOrigin is only where a URL leads: user, path and query are a secret with some receivers.
func urlOrigin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// shown is a time as the API shows it.
func shown(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := t.UTC().Format(lead.TimeFormat)
	return &text
}

// Notice is an event about an endpoint that the operator's hook is still owed.
type Notice struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Event     id.UUID
	Type      string
	At        time.Time
	Data      []byte // JSON object
}

// maxNoticeAge is how old a notice may be that is still told: what an operator hears later is no news.
const maxNoticeAge = 24 * time.Hour

// DueNotices returns up to limit notices the operator's hook is owed, oldest first. It looks across workspaces.
func (db *DB) DueNotices(ctx context.Context, limit int) ([]Notice, error) {
	const q = `
select e.workspace_id, e.id, v.id, v.type, v.created_at, v.data
  from endpoints e join events v on v.workspace_id = e.workspace_id and v.id = e.notice_event
 where e.notice_event >= uuid_floor(now() - cast($2 as interval))
 order by e.notice_event limit $1`
	rows, err := db.QueryContext(ctx, q, limit, interval(maxNoticeAge))
	if err != nil {
		return nil, fail(ctx, "due notices", err)
	}
	defer rows.Close()
	var all []Notice
	for rows.Next() {
		var n Notice
		if err := rows.Scan(&n.Workspace, &n.Endpoint, &n.Event, &n.Type, &n.At, &n.Data); err != nil {
			return nil, fail(ctx, "due notices", err)
		}
		all = append(all, n)
	}
	return all, fail(ctx, "due notices", rows.Err())
}

// AckNotice notes that the operator's hook was told of event. A newer notice about the endpoint stays owed.
func (db *DB) AckNotice(ctx context.Context, workspace, endpoint, event id.UUID) error {
	const q = `update endpoints set notice_event = null where workspace_id = $1 and id = $2 and notice_event = $3`
	_, err := db.ExecContext(ctx, q, workspace, endpoint, event)
	return fail(ctx, "settle notice", err)
}

// Alone runs fn unless it runs already, here or in any other process that has this database, under the same name. mine: it ran.
// A transaction is open meanwhile, so fn must be a matter of seconds.
func (db *DB) Alone(ctx context.Context, name string, fn func() error) (mine bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		const q = `select pg_try_advisory_xact_lock(hashtext('leadgate'), hashtext($1))`
		if err := tx.QueryRowContext(ctx, q, name).Scan(&mine); err != nil || !mine {
			return fail(ctx, "lock "+name, err)
		}
		return fn()
	})
	return mine, err
}
