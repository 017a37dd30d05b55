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
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// Bounds of a batch of a replay.
const (
	replayScan       = 5000            // deliveries scanned, so that a batch is short however few of them match
	maxReplayCount   = 1_000_000       // deliveries that match are counted so far
	replayCountTime  = 3 * time.Second // and for so long; else the total stays unknown
	batchesPerSecond = 4               // that send something, at most

	// What was under way when an endpoint was enabled may be committed as held until then: statements have 10 s, and
	// clocks differ.
	heldVisibleAfter = 15 * time.Second
)

// ReplayRef names a replay.
type ReplayRef struct {
	Workspace id.UUID
	Replay    id.UUID
}

// DueReplays returns up to limit running replays of workspaces that are not suspended. It looks across workspaces.
func (db *DB) DueReplays(ctx context.Context, limit int) ([]ReplayRef, error) {
	q := `
select workspace_id, id from replays
 where state = 'running' and ` + isActive("workspace_id") + `
 order by id limit $1`
	scan := func(row conn.Row) (r ReplayRef, err error) {
		err = row.Scan(&r.Workspace, &r.Replay)
		return r, err
	}
	return conn.Collect(ctx, db, "due replays", scan, q, limit)
}

// ReplayBatch is what came of one batch of a replay.
type ReplayBatch struct {
	Scanned int
	Resent  int // of them
	Wake    []EndpointRef
	Wait    time.Duration // there is nothing to do before; 0: there is
	Done    bool          // nothing is left, or the replay was cancelled
}

// RunReplay sends again up to batch of the deliveries a replay is about, as many as its rate allows. Its position moves
// in the same commit, so each is sent again once, whatever crashes and however many run it. Deliveries that are
// pending, whose endpoint is not enabled, or whose event is a test or no longer kept stay as they are. The first batch
// only counts.
func (db *DB) RunReplay(ctx context.Context, workspace, replay id.UUID, batch int) (out ReplayBatch, err error) {
	const q = `
select filter, rate, position, last_at, created_at, now()
  from replays
 where workspace_id = $1 and id = $2 and state = 'running'
   for no key update`
	var r replayRun
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		scan := func(row conn.Row) (r replayRun, err error) {
			r.workspace, r.id = workspace, replay
			var filter []byte
			if err := row.Scan(&filter, &r.rate, &r.position, &r.last, &r.created, &r.now); err != nil {
				return r, err
			}
			return r, json.Unmarshal(filter, &r.filter)
		}
		found := false
		if r, found, err = conn.Find(ctx, tx, "lock replay", scan, q, workspace, replay); err != nil {
			return err
		}
		if out.Done = !found; out.Done || !r.position.Valid {
			return nil
		}
		return conn.Fail(ctx, "run replay", r.run(ctx, tx, batch, &out))
	})
	if err == nil && !out.Done && !r.position.Valid {
		err = conn.Fail(ctx, "begin replay", db.beginReplay(ctx, &r))
	}
	return out, err
}

// replayRun is a running replay, how far it got, and what time it is by the database's clock.
type replayRun struct {
	workspace, id id.UUID
	filter        webhook.Filter
	rate          int
	position      uuid.NullUUID // null: it has not begun
	last          sql.NullTime  // until when its rate is used up
	created, now  time.Time
}

// states are those of the filter that can be sent again.
func (r *replayRun) states() (all []string) {
	for _, s := range []webhook.State{webhook.Delivered, webhook.Exhausted, webhook.Held} {
		if len(r.filter.States) == 0 || slices.Contains(r.filter.States, s) {
			all = append(all, string(s))
		}
	}
	return all
}

// beginReplay records how many deliveries a replay is about, if that can be counted in time, and that it has begun.
func (db *DB) beginReplay(ctx context.Context, r *replayRun) error {
	count := `
select count(*) from (
    select from (` + r.scan() + `) d ` + replayJoins + `
     where ` + matchConditions + `
     limit $10
) as c`
	var total sql.NullInt64
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `set local statement_timeout = `+
			fmt.Sprint(replayCountTime.Milliseconds())); err != nil {
			return err
		}
		return conn.Fail(ctx, "count deliveries", tx.QueryRowContext(ctx, count, append(r.replayFilter(r.created),
			maxReplayCount)...).Scan(&total))
	})
	if err != nil && (!errors.Is(err, conn.ErrStatementTimeout) || ctx.Err() != nil) {
		return err
	}
	const q = `
update replays set total = $3, position = $4, updated_at = now()
 where workspace_id = $1 and id = $2 and state = 'running' and position is null`
	_, err = conn.Exec(ctx, db, "begin replay", q, r.workspace, r.id, total, id.UUID{})
	return err
}

// run sends again what the rate allows of what comes after position.
func (r *replayRun) run(ctx context.Context, tx *sqlx.Tx, batch int, out *ReplayBatch) error {
	n, from, wait := allowance(r.rate, r.last.Time, r.now, batch)
	if wait > 0 {
		out.Wait = wait
		return nil
	}
	until, visible := r.horizon()
	matched, err := r.resend(ctx, tx, until, n, out)
	if err != nil {
		return err
	}
	if out.Scanned < replayScan && matched < n { // nothing is left before the horizon
		out.Wait = max(0, visible.Sub(r.now))
		out.Done = out.Wait == 0
	}
	const q = `
update replays
   set position = $3, resent = resent + $4, last_at = $5, updated_at = now(),
       state = case when $6 then 'done' else state end, finished_at = now() + case when $6 then interval '0' end
 where workspace_id = $1 and id = $2`
	last := from.Add(time.Duration(out.Resent) * time.Second / time.Duration(r.rate))
	_, err = conn.Exec(ctx, tx, "move replay", q, r.workspace, r.id, r.position, out.Resent, last, out.Done)
	return err
}

// allowance returns how many deliveries a rate allows now, at most a second's worth, when it was used up to last; they
// count from from. Where there are too few to be worth a batch, wait is how long until there are enough.
func allowance(rate int, last, now time.Time, batch int) (n int, from time.Time, wait time.Duration) {
	from = last
	if oldest := now.Add(-time.Second); from.Before(oldest) {
		from = oldest
	}
	if from.After(now) { // the clock was set back
		from = now
	}
	worth := min(batch, max(1, rate/batchesPerSecond))
	full := time.Duration(worth) * time.Second / time.Duration(rate)
	if wait = full - now.Sub(from); wait > 0 {
		return 0, from, wait
	}
	return min(batch, int(now.Sub(from)*time.Duration(rate)/time.Second)), from, 0
}

// horizon returns until when events happened whose deliveries can be scanned now, and when all of them will be visible.
func (r *replayRun) horizon() (until, visible time.Time) {
	until = r.created
	if slices.Contains(r.states(), string(webhook.Held)) {
		visible = r.created.Add(heldVisibleAfter)
		until = visible
		if r.now.Before(visible) {
			until = r.created.Add(-heldVisibleAfter)
		}
	}
	if r.endsBefore(until) {
		visible = time.Time{}
	}
	return until, visible
}

// Conditions of the deliveries d that a replay is about. Postgres plans them for the parameters, so that those of
// filters that are not set cost nothing. The parameters are those of replayFilter:
//
//	$1 workspace, $2 and $3 ids between which deliveries are, $4 states, $5 id of what was made when the replay was, $6 endpoint,
//	$7 whether no delivered ones are wanted of it, $8 lead, $9 event type; null or empty for all
const (
	// scanConditions are each answered by an index. That of $7 is the condition of the small index deliveries_stuck.
	scanConditions = `d.workspace_id = $1 and d.id > $2 and d.id < $3
       and (cast($6 as uuid) is null or d.endpoint_id = $6)
       and (not cast($7 as boolean) or d.state in ('exhausted', 'held'))`

	// matchConditions are the others. What was held after the replay was made was under way when its endpoint was
	// enabled.
	matchConditions = `d.state = any($4::text[]) and (d.state = 'held' or d.id < $5) and ($9 = '' or v.type = $9)`

	// replayJoins join deliveries to what they need to be sent: an endpoint that is enabled and an event that is kept.
	// A test was one attempt.
	replayJoins = `
      join endpoints ep on ep.workspace_id = $1 and ep.id = d.endpoint_id and ep.enabled and ep.deleted_at is null
     cross join lateral (
        select type from events
         where workspace_id = $1 and id between d.event_id and d.event_id and type <> '` + webhook.WebhookTest + `'
         order by id limit 1) v`

	scannedColumns = `d.id, d.endpoint_id, d.event_id, d.state, d.created_at`

	replayOfAll = `select ` + scannedColumns + ` from deliveries d where cast($8 as uuid) is null and ` + scanConditions
)

// replayOfLead goes by the events of the lead, and for each by its deliveries.
var replayOfLead = `select ` + scannedColumns + `
      from (select id from events
             where workspace_id = (select $1::uuid) and lead_id between $8 and $8
               and id >= ` + floorOf("cast($2 as uuid)") + ` and id < $3
             order by lead_id, id offset 0) e
     cross join lateral (
        select * from deliveries d
         where d.event_id = e.id and d.id between ` + floorOf("e.id") + ` and ` + ceilOf("e.id") + ` and ` + scanConditions + `
         order by d.id offset 0) d`

// scan is the query of the deliveries d that answer scanConditions.
func (r *replayRun) scan() string {
	if r.filter.LeadID == (id.UUID{}) {
		return replayOfAll
	}
	return replayOfLead
}

// resend sends again up to n of the deliveries of events until a time, moves the position behind what was scanned, and
// returns how many matched.
func (r *replayRun) resend(ctx context.Context, tx *sqlx.Tx, until time.Time, n int, out *ReplayBatch) (matched int,
	err error) {
	// "locked" has one order, so that replays cannot deadlock, and has events before their deliveries: one that is being
	// erased is sent as what is left of it. Where the order of deliveries matters, in "sent", they
	// come before what happened later. "sent" is an update: see README.md.
	q := `
with scanned as materialized (
    ` + r.scan() + `
     order by d.id limit $11
), matched as materialized (
    select d.*, ep.max_in_flight = 1 as ordered from scanned d ` + replayJoins + `
     where ` + matchConditions + `
     order by d.id limit $10
), locked as materialized (
    select m.*
      from matched m
     cross join lateral (
        select from events
         where workspace_id = $1 and id between m.event_id and m.event_id
         order by id limit 1 for share) v
     cross join lateral (
        select state from deliveries
         where workspace_id = $1 and id between m.id and m.id
         order by id limit 1 for no key update) d
     where d.state = any($4::text[])
), sent as (
    insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
    select $1, id, endpoint_id, event_id, 'pending',
           case when ordered then least(created_at, now()) else now() end, created_at, now()
      from locked
        on conflict (workspace_id, id) do update
       set state = excluded.state, tries = 0, next_at = excluded.next_at, updated_at = excluded.updated_at,
           delivered_before = deliveries.delivered_before or deliveries.state = 'delivered'
    returning endpoint_id
)
select (select count(*) from scanned), (select count(*) from matched), (select count(*) from sent),
       (select id from scanned order by id desc limit 1), (select id from matched order by id desc limit 1),
       array(
        select id from endpoints
         where workspace_id = $1 and id in (select endpoint_id from sent) and enabled and probe_at is null)`
	var scanned, last uuid.NullUUID
	var wake []string
	err = tx.QueryRowContext(ctx, q, append(r.replayFilter(until), n, replayScan)...).
		Scan(&out.Scanned, &matched, &out.Resent, &scanned, &last, pqStrings(&wake))
	if err != nil {
		return 0, err
	}
	switch {
	case matched == n:
		r.position = last
	case scanned.Valid:
		r.position = scanned
	}
	for _, text := range wake {
		endpoint, err := uuid.Parse(text)
		if err != nil {
			return 0, err
		}
		out.Wake = append(out.Wake, EndpointRef{r.workspace, endpoint})
	}
	return matched, nil
}

// endsBefore reports whether the filter takes nothing that happened at a moment or later.
func (r *replayRun) endsBefore(at time.Time) bool {
	return !r.filter.Until.IsZero() && r.filter.Until.Before(at)
}

// replayFilter returns the parameters of scanConditions and matchConditions, for what happened before until.
func (r *replayRun) replayFilter(until time.Time) []any {
	f, states := &r.filter, r.states()
	if r.endsBefore(until) {
		until = f.Until
	}
	start := r.position.UUID
	if from := uuidFloor(f.From); bytes.Compare(from[:], start[:]) > 0 {
		start = from
	}
	stuck := f.EndpointID != (id.UUID{}) && !slices.Contains(states, string(webhook.Delivered))
	return []any{r.workspace, start, uuidFloor(until), pqStrings(&states), uuidFloor(r.created), optionalID(f.EndpointID),
		stuck,
		optionalID(f.LeadID), f.EventType}
}

// uuidFloor is the smallest UUIDv7 of what happens at a moment or later; of the zero time, the smallest of all.
func uuidFloor(at time.Time) (u id.UUID) {
	binary.BigEndian.PutUint64(u[:8], uint64(max(0, ceil(at).UnixMilli()))<<16)
	return u
}
