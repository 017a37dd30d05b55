package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/webhook"
)

// erasePart is how many events of a lead one commit erases, with their deliveries and attempts.
const erasePart = 500

// erasing is an erasure under way, in one commit or, where many events tell of the lead, several: the last one does what makes it an erasure.
// What one that breaks off has erased stays erased, and the next one goes on from there.
type erasing struct {
	Erasure
	Erased
	workspace, lead id.UUID
	after           id.UUID // the last event of the parts before; zero: this is the first
}

// events erases the next part of what tells of the lead, which is locked; more: there may be others. In the order of their ids they come once, and
// at the end those are looked for that came late, by a clock that is behind.
func (e *erasing) events(ctx context.Context, tx *sqlx.Tx) (more bool, err error) {
	const next = `select id from events where workspace_id = $1 and lead_id = $2 and id > $3 and data::text <> $4 order by id limit $5`
	left := string(e.Lead.AppendErased(nil))
	from := e.after
	var part []id.UUID
	if err := tx.SelectContext(ctx, &part, next, e.workspace, e.lead, from, left, erasePart); err != nil {
		return false, fail(ctx, "erase events", err)
	}
	switch {
	case len(part) == erasePart:
		more, e.after = true, part[len(part)-1]
	case from != id.UUID{}:
		var late []id.UUID
		if err := tx.SelectContext(ctx, &late, next, e.workspace, e.lead, id.UUID{}, left, 2*erasePart); err != nil {
			return false, fail(ctx, "erase events", err)
		}
		more, part = len(late) == 2*erasePart, late
	}
	if len(part) == 0 {
		return false, nil
	}
	ids := newColumn(len(part), 36)
	for _, v := range part {
		ids.uuid(v)
	}
	wanted := ids.done()
	for _, q := range []struct {
		query string
		args  []any
		count *int
	}{
		{eraseEvents, []any{wanted, left}, &e.Events},
		{eraseDeliveries, []any{wanted}, &e.Deliveries},
		{eraseAttempts, []any{wanted}, &e.Attempts},
	} {
		if err := e.run(ctx, tx, q.query, q.args, q.count); err != nil {
			return false, err
		}
	}
	return more, nil
}

// run runs one statement, of which $1 is the workspace, and counts its rows unless count is nil.
func (e *erasing) run(ctx context.Context, tx *sqlx.Tx, query string, args []any, count *int) error {
	res, err := tx.ExecContext(ctx, query, append([]any{e.workspace}, args...)...)
	if err != nil {
		return fail(ctx, "erase lead", err)
	}
	n, err := res.RowsAffected()
	if err == nil && count != nil {
		*count += int(n)
	}
	return fail(ctx, "erase lead", err)
}

const eraseEvents = `update events set data = $3 where workspace_id = $1 and id = any($2::uuid[])`

// $1 is the workspace and $2 the events. Deliveries are found by the range of ids that their event gives them, and locked in the order in which
// drains lock them.
var (
	eraseDeliveries = `
with owed as materialized (
    select o.id from unnest($2::uuid[]) v (id)
     cross join lateral (
        select d.id from deliveries d
         where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + ` and d.state in ('` + string(webhook.Pending) + `', '` + string(webhook.Held) + `')
         order by d.id for update offset 0) o
)
update deliveries d set state = '` + string(webhook.Cancelled) + `', next_at = null, updated_at = now()
  from owed where d.workspace_id = $1 and d.id = owed.id`

	eraseAttempts = `
update attempts a set response_head = null
  from unnest($2::uuid[]) v (id)
 cross join lateral (
    select d.id from deliveries d
     where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + ` offset 0) o
 where a.workspace_id = $1 and a.delivery_id = o.id and a.response_head is not null`
)

// maxDerived is how many leads a request with an Idempotency-Key can make.
const maxDerived = lead.MaxBatch

// claimsOf returns the claims that nobody has settled of requests that made the lead, if it was one of many: such a lead's id is derived from the
// claim's, and of the same millisecond.
func claimsOf(ctx context.Context, tx *sqlx.Tx, workspace, made id.UUID) (claims []id.UUID, err error) {
	const q = `select id from idempotency where workspace_id = $1 and id >= $2 and id < $3 and status is null`
	at := id.Time(made)
	var all []id.UUID
	if err := tx.SelectContext(ctx, &all, q, workspace, floorID(at), floorID(at.Add(time.Millisecond))); err != nil {
		return nil, fail(ctx, "look up claims", err)
	}
	for _, claim := range all {
		for n := range maxDerived {
			if id.Derive(claim, n) == made {
				claims = append(claims, claim)
				break
			}
		}
	}
	return claims, nil
}
