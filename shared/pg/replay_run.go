package pg

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// Bounds of a round of a replay.
const (
	replayScan  = 5000            // deliveries looked at, so that a round is short however few of them match
	replayCount = 1_000_000       // what matches is counted so far
	countTime   = 3 * time.Second // and for so long; else the total stays unknown
	replayPause = 4               // rounds per second that send something, at most

	// What was under way when an endpoint was enabled may be committed as held until then: statements have 10 s, and clocks differ.
	heldVisibleAfter = 15 * time.Second
)

// ReplayRef names a replay.
type ReplayRef struct {
	Workspace id.UUID
	Replay    id.UUID
}

// DueReplays returns up to limit running replays. It looks across workspaces.
func (db *DB) DueReplays(ctx context.Context, limit int) ([]ReplayRef, error) {
	const q = `select workspace_id, id from replays where state = 'running' order by id limit $1`
	rows, err := db.QueryContext(ctx, q, limit)
	if err != nil {
		return nil, fail(ctx, "due replays", err)
	}
	defer rows.Close()
	var all []ReplayRef
	for rows.Next() {
		var r ReplayRef
		if err := rows.Scan(&r.Workspace, &r.Replay); err != nil {
			return nil, fail(ctx, "due replays", err)
		}
		all = append(all, r)
	}
	return all, fail(ctx, "due replays", rows.Err())
}

// ReplayBatch is what one round of a replay came to.
type ReplayBatch struct {
	Scanned int // deliveries looked at
	Resent  int // of them, sent anew
	Wake    []EndpointRef
	Wait    time.Duration // there is nothing to do before; 0: there is
	Done    bool          // nothing is left, or the replay was cancelled
}

// RunReplay sends anew up to batch of the deliveries a replay is about, as many as its rate allows. Where it stands moves in the same
// commit, so each is sent anew once, whatever crashes and however many run it. Deliveries that wait already, whose endpoint is not
// enabled, or whose event is gone or a test stay as they are. The first round only counts.
func (db *DB) RunReplay(ctx context.Context, workspace, replay id.UUID, batch int) (out ReplayBatch, err error) {
	var begin *replayRun
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		const q = `select filter, rate, position, last_at, created_at, now() from replays where workspace_id = $1 and id = $2 and state = 'running' for no key update`
		r := &replayRun{workspace: workspace, id: replay}
		var filter []byte
		err := tx.QueryRowContext(ctx, q, workspace, replay).Scan(&filter, &r.rate, &r.position, &r.last, &r.created, &r.now)
		if errors.Is(err, sql.ErrNoRows) {
			out.Done = true
			return nil
		}
		if err == nil {
			err = json.Unmarshal(filter, &r.filter)
		}
		if err != nil {
			return fail(ctx, "take replay", err)
		}
		if !r.position.Valid {
			begin = r
			return nil
		}
		return fail(ctx, "run replay", r.round(ctx, tx, batch, &out))
	})
	if err == nil && begin != nil {
		err = fail(ctx, "begin replay", db.beginReplay(ctx, begin))
	}
	return out, err
}

// replayRun is a running replay, where it stands, and what time it is by the database's clock.
type replayRun struct {
	workspace, id id.UUID
	filter        webhook.Filter
	rate          int
	position      uuid.NullUUID // null: it has not begun
	last          sql.NullTime  // until when its rate is used up
	created, now  time.Time
}

// states are those of the filter that can be sent anew.
func (r *replayRun) states() (all []string) {
	for _, s := range []webhook.State{webhook.Delivered, webhook.Exhausted, webhook.Held} {
		if len(r.filter.States) == 0 || slices.Contains(r.filter.States, s) {
			all = append(all, string(s))
		}
	}
	return all
}

// beginReplay notes how many deliveries a replay is about, if that can be counted in time, and that it has begun.
func (db *DB) beginReplay(ctx context.Context, r *replayRun) error {
	p := r.pick(r.created)
	count := `
select count(*) from (
    select from deliveries d ` + wanted + `
     where ` + p.looked + ` and ` + p.fits + ` limit ` + fmt.Sprint(replayCount) + `
) as c`
	var total sql.NullInt64
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `set local statement_timeout = `+fmt.Sprint(countTime.Milliseconds())); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, count, p.args...).Scan(&total)
	})
	if err != nil && (Code(err) != "57014" || ctx.Err() != nil) { // query_canceled: too many to count in time
		return err
	}
	const q = `update replays set total = $3, position = $4, updated_at = now() where workspace_id = $1 and id = $2 and state = 'running' and position is null`
	_, err = db.ExecContext(ctx, q, r.workspace, r.id, total, id.UUID{})
	return err
}

// round sends anew what the rate allows of what comes after position.
func (r *replayRun) round(ctx context.Context, tx *sqlx.Tx, batch int, out *ReplayBatch) error {
	n, from, wait := allowance(r.rate, r.last.Time, r.now, batch)
	if wait > 0 {
		out.Wait = wait
		return nil
	}
	until, settles := r.horizon()
	fit, err := r.resend(ctx, tx, r.pick(until), n, out)
	if err != nil {
		return err
	}
	if out.Scanned < replayScan && fit < n { // nothing is left before the horizon
		out.Wait = max(0, settles.Sub(r.now))
		out.Done = out.Wait == 0
	}
	const q = `
update replays set position = $3, resent = resent + $4, last_at = $5, updated_at = now(),
       state = case when $6 then 'done' else state end, finished_at = case when $6 then now() end
 where workspace_id = $1 and id = $2`
	last := from.Add(time.Duration(out.Resent) * time.Second / time.Duration(r.rate))
	_, err = tx.ExecContext(ctx, q, r.workspace, r.id, r.position, out.Resent, last, out.Done)
	return err
}

// allowance says how many deliveries a rate allows now, at most a second's worth, when it was used up to last. It is counted from from.
// wait: there are too few to be worth a round.
func allowance(rate int, last, now time.Time, batch int) (n int, from time.Time, wait time.Duration) {
	from = last
	if oldest := now.Add(-time.Second); from.Before(oldest) {
		from = oldest
	}
	if from.After(now) { // the clock was set back
		from = now
	}
	worth := min(batch, max(1, rate/replayPause))
	full := time.Duration(worth) * time.Second / time.Duration(rate)
	if wait = full - now.Sub(from); wait > 0 {
		return 0, from, wait
	}
	return min(batch, int(now.Sub(from)*time.Duration(rate)/time.Second)), from, 0
}

// horizon is until when events happened whose deliveries can be looked at now, and when that will have settled.
func (r *replayRun) horizon() (until, settles time.Time) {
	until = r.created
	if slices.Contains(r.states(), string(webhook.Held)) {
		settles = r.created.Add(heldVisibleAfter)
		until = settles
		if r.now.Before(settles) {
			until = r.created.Add(-heldVisibleAfter)
		}
	}
	if r.ends(until) {
		settles = time.Time{}
	}
	return until, settles
}

// resend sends anew up to n of the deliveries picked, moves the position behind what was looked at, and tells how many fit.
func (r *replayRun) resend(ctx context.Context, tx *sqlx.Tx, p *pick, n int, out *ReplayBatch) (fit int, err error) {
	if err := byKey(ctx, tx); err != nil {
		return 0, err
	}
	q := `
with looked as materialized (
    select d.id, d.endpoint_id, d.event_id, d.state from deliveries d where ` + p.looked + ` order by d.id limit ` + fmt.Sprint(replayScan) + `
), fit as materialized (
    select d.id, ep.max_in_flight = 1 as ordered from looked d ` + wanted + `
     where ` + p.fits + ` order by d.id limit ` + p.arg(n) + `
), locked as materialized ( -- in one order, so that replays cannot deadlock
    select d.id, fit.ordered from fit join deliveries d on d.id = fit.id
     where d.workspace_id = $1 and d.id > $2 and d.id < $3 and d.state = any($4::text[])
     order by d.id for no key update of d
), sent as (
    -- Where order matters they come before what happened later.
    update deliveries d set state = 'pending', next_at = case when locked.ordered then least(d.created_at, now()) else now() end, tries = 0, updated_at = now()
      from locked where d.workspace_id = $1 and d.id > $2 and d.id < $3 and d.id = locked.id
    returning d.endpoint_id
)
select (select count(*) from looked), (select count(*) from fit), (select count(*) from sent),
       (select id from looked order by id desc limit 1), (select id from fit order by id desc limit 1),
       array(select id from endpoints where workspace_id = $1 and id in (select endpoint_id from sent) and enabled and probe_at is null)`
	var looked, last uuid.NullUUID
	var wake []string
	if err := tx.QueryRowContext(ctx, q, p.args...).Scan(&out.Scanned, &fit, &out.Resent, &looked, &last, pqStrings(&wake)); err != nil {
		return 0, err
	}
	switch {
	case fit == n:
		r.position = last
	case looked.Valid:
		r.position = looked
	}
	for _, text := range wake {
		endpoint, err := uuid.Parse(text)
		if err != nil {
			return 0, err
		}
		out.Wake = append(out.Wake, EndpointRef{r.workspace, endpoint})
	}
	return fit, nil
}

// byKey makes the rest of a transaction look rows up one by one, by their key, whatever the planner thinks of tables that have grown.
func byKey(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `set local enable_hashjoin = off; set local enable_mergejoin = off; set local jit = off`)
	return err
}

// pick is the part of a statement that finds what a replay is about.
type pick struct {
	args   []any  // $1 the workspace, $2 and $3 the range of ids, $4 the states
	looked string // conditions of what to look at, each answered by an index on deliveries d
	fits   string // the other conditions
}

// wanted joins deliveries d to what they need to be sent: an endpoint that takes them and an event that is kept. A test was one attempt.
const wanted = `
      join endpoints ep on ep.workspace_id = $1 and ep.id = d.endpoint_id and ep.enabled and ep.deleted_at is null
      join events v on v.workspace_id = $1 and v.id = d.event_id and v.type <> '` + webhook.WebhookTest + `'`

func (p *pick) arg(v any) string {
	p.args = append(p.args, v)
	return fmt.Sprintf("$%d", len(p.args))
}

// ends tells whether the filter takes nothing that happened at a moment or later.
func (r *replayRun) ends(at time.Time) bool {
	return !r.filter.Until.IsZero() && r.filter.Until.Before(at)
}

// pick is of what happened before until.
func (r *replayRun) pick(until time.Time) *pick {
	f, states := &r.filter, r.states()
	if r.ends(until) {
		until = f.Until
	}
	start := r.position.UUID
	if from := uuidFloor(f.From); bytes.Compare(from[:], start[:]) > 0 {
		start = from
	}
	p := &pick{args: []any{r.workspace, start, uuidFloor(until), pqStrings(&states)}}
	p.looked = `d.workspace_id = $1 and d.id > $2 and d.id < $3`
	// What was held after the replay was made was under way when its endpoint was enabled.
	p.fits = `d.state = any($4::text[]) and (d.state = 'held' or d.id < ` + p.arg(uuidFloor(r.created)) + `)`
	if f.EndpointID != (id.UUID{}) {
		p.looked += ` and d.endpoint_id = ` + p.arg(f.EndpointID)
		if !slices.Contains(states, string(webhook.Delivered)) {
			p.looked += ` and d.state in ('exhausted', 'held')` // deliveries_stuck
		}
	}
	if f.LeadID != (id.UUID{}) {
		p.looked += ` and d.id = any(array(
        select delivery_id(v.id, ep.id) from events v join endpoints ep on ep.workspace_id = $1 where v.workspace_id = $1 and v.lead_id = ` + p.arg(f.LeadID) + `))`
	}
	if f.EventType != "" {
		p.fits += ` and v.type = ` + p.arg(f.EventType)
	}
	return p
}

// uuidFloor is the smallest UUIDv7 of what happens at a moment or later; of the zero time, the smallest of all.
func uuidFloor(at time.Time) (u id.UUID) {
	binary.BigEndian.PutUint64(u[:8], uint64(max(0, ceil(at).UnixMilli()))<<16)
	return u
}
