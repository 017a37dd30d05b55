package pg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// Bounds of the replays of a workspace, those that have ended included.
const (
	KeptReplays   = 1000 // the newest; of older ones only those that run
	HourlyReplays = 100  // can be made
)

const replayColumns = `
       r.workspace_id, r.id, r.filter, r.rate, r.state, r.total, r.resent, r.created_at, r.updated_at, r.finished_at`

func scanReplay(row conn.Row) (r webhook.Replay, err error) {
	var filter []byte
	if err := row.Scan(&r.WorkspaceID, &r.ID, &filter, &r.Rate, &r.State, &r.Total, &r.Resent, &r.CreatedAt, &r.UpdatedAt,
		&r.FinishedAt); err != nil {
		return r, err
	}
	return r, json.Unmarshal(filter, &r.Filter)
}

// CreateReplay stores a running replay. Where webhook.MaxReplays of its workspace run already, or it names an endpoint
// that is disabled or deleted, it is a CONFLICT; where HourlyReplays were made within the hour it is RATE_LIMITED.
func (db *DB) CreateReplay(ctx context.Context, r webhook.Replay) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error { return insertReplay(ctx, tx, r) })
}

func insertReplay(ctx context.Context, tx *sqlx.Tx, r webhook.Replay) error {
	const hourly = `
select extract(epoch from created_at + interval '1 hour' - now())
  from replays
 where workspace_id = $1 and id >= uuid_floor(now() - interval '1 hour')
 order by id desc offset $2 - 1 limit 1`
	const q = `
insert into replays (workspace_id, id, filter, rate, state, created_at, updated_at)
select $1, $2, $3, $4, 'running', $5, $5
 where (select count(*) from replays where workspace_id = $1 and state = 'running') < $6`
	if err := lockWorkspace(ctx, tx, r.WorkspaceID); err != nil {
		return err
	}
	if r.Filter.EndpointID != (id.UUID{}) {
		if err := checkResendable(ctx, tx, r.WorkspaceID, r.Filter.EndpointID); err != nil {
			return err
		}
	}
	if err := limitHourly(ctx, tx, HourlyReplays, "replays", hourly, r.WorkspaceID, HourlyReplays); err != nil {
		return err
	}
	filter, err := json.Marshal(r.Filter)
	if err != nil {
		return conn.Fail(ctx, "create replay", err)
	}
	made, err := conn.Exec(ctx, tx, "create replay", q, r.WorkspaceID, r.ID, string(filter), r.Rate, r.CreatedAt,
		webhook.MaxReplays)
	if err != nil {
		return err
	}
	if made == 0 {
		return tooMany(webhook.MaxReplays, "replays running")
	}
	return deleteOldReplays(ctx, tx, r.WorkspaceID)
}

// deleteOldReplays deletes a workspace's ended replays beyond the newest KeptReplays.
func deleteOldReplays(ctx context.Context, tx *sqlx.Tx, workspace id.UUID) error {
	const q = `
delete from replays
 where workspace_id = $1 and state <> 'running'
   and id <= (select id from replays where workspace_id = $1 order by id desc offset $2 limit 1)`
	_, err := conn.Exec(ctx, tx, "delete old replays", q, workspace, KeptReplays)
	return err
}

// checkResendable returns why nothing can be sent to an endpoint again, or nil.
func checkResendable(ctx context.Context, tx *sqlx.Tx, workspace, endpoint id.UUID) error {
	const q = `select enabled, deleted_at is not null from endpoints where workspace_id = $1 and id = $2`
	var enabled, deleted bool
	scan := func(row conn.Row) (any, error) { return nil, row.Scan(&enabled, &deleted) }
	if _, err := conn.One(ctx, tx, "read endpoint", scan, endpointNotFound(), q, workspace, endpoint); err != nil {
		return err
	}
	return refuseResend(enabled, deleted)
}

// refuseResend returns what keeps an endpoint from getting a delivery again, or nil.
func refuseResend(enabled, deleted bool) error {
	switch {
	case deleted:
		return fault.New(fault.Conflict, "The webhook endpoint was deleted: nothing can be sent to it again")
	case !enabled:
		return fault.New(fault.Conflict, "The webhook endpoint is disabled: enable it first")
	}
	return nil
}

// GetReplay returns a workspace's replay.
func (db *DB) GetReplay(ctx context.Context, workspace, replay id.UUID) (webhook.Replay, error) {
	const q = `select ` + replayColumns + ` from replays r where r.workspace_id = $1 and r.id = $2`
	return conn.One(ctx, db, "get replay", scanReplay, fault.New(fault.NotFound, "Replay not found"), q, workspace, replay)
}

// ListReplays returns a workspace's replays older than before, newest first; a zero before starts at the newest. At
// most 1000.
func (db *DB) ListReplays(ctx context.Context, workspace, before id.UUID, limit int) ([]webhook.Replay, error) {
	const q = `
select ` + replayColumns + `
  from replays r
 where r.workspace_id = $1 and r.id < $2
 order by r.id desc limit $3`
	return conn.Collect(ctx, db, "list replays", scanReplay, q, workspace, orNewest(before), page(limit))
}

// CancelReplay ends a running replay: what it sent again stays so. One that was cancelled before is returned as it is,
// one that is done is a CONFLICT.
func (db *DB) CancelReplay(ctx context.Context, workspace, replay id.UUID, now time.Time) (webhook.Replay, error) {
	const q = `
update replays r set state = 'cancelled', updated_at = $3, finished_at = $3
 where r.workspace_id = $1 and r.id = $2 and r.state = 'running'
returning ` + replayColumns
	r, ok, err := conn.Find(ctx, db, "cancel replay", scanReplay, q, workspace, replay, now)
	if ok || err != nil {
		return r, err
	}
	if r, err = db.GetReplay(ctx, workspace, replay); err == nil && r.State == webhook.ReplayDone {
		return r, jobEnded("replay", string(r.State))
	}
	return r, err
}

// orNewest is before, or where that is zero an id beyond all.
func orNewest(before id.UUID) id.UUID {
	if before == (id.UUID{}) {
		return id.UUID{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	}
	return before
}

// idRange is timeRange as uuid_floor takes times: ids have milliseconds, and none is older than 1970.
func idRange(from, until time.Time) (time.Time, time.Time) {
	from, until = timeRange(from, until)
	if from.Before(minTime) {
		from = minTime
	}
	from, until = ceil(from), ceil(until)
	if until.Before(from) {
		until = from
	}
	return from, until
}

// ceil rounds up to a millisecond: an event is at or after t exactly when it is at or after that.
func ceil(t time.Time) time.Time {
	if floor := t.Truncate(time.Millisecond); floor.Before(t) {
		return floor.Add(time.Millisecond)
	}
	return t
}
