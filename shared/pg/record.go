package pg

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// RecordRequest stores what came of Token's attempts.
type RecordRequest struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Token     id.UUID
	Lease     time.Duration // renews the lease for so long; 0 gives it back
	Now       time.Time     // zero: the database's clock
	Outcomes  []webhook.Outcome

	Health     *webhook.Health // the endpoint's after them; nil: as it was
	PacedUntil time.Time       // the endpoint's rate allows nothing before; zero: as it was
}

// RecordOutcomes stores attempts, moves their deliveries on, and renews or gives back the lease, in one statement.
// leased is false when another token has the lease by now: what was sent is recorded all the same, and nothing more
// should be sent.
func (db *DB) RecordOutcomes(ctx context.Context, r RecordRequest) (leased bool, err error) {
	args := append([]any{r.Workspace, r.Endpoint, r.Token, interval(r.Lease)}, outcomeColumns(r)...)
	if h := r.Health; h != nil {
		args = append(args, h.Failures, h.FailingSince, optionalID(h.FailingDelivery), h.ProbeAt, h.Probes, h.LastError,
			h.LastSuccessAt)
	}
	batched := slices.ContainsFunc(r.Outcomes, func(o webhook.Outcome) bool { return o.Attempt.InBatch.Size > 0 })
	if batched {
		args = append(args, batchColumns(r.Outcomes)...)
	}
	query := recordQueries[recordKind{r.Health != nil, batched}]
	err = db.withPartitions(ctx, func() error {
		n, err := conn.Exec(ctx, db.Prepared(), "record outcomes", query, args...)
		leased = n == 1
		return err
	})
	return leased, err
}

// recordKind is what a statement that records has, beside attempts.
type recordKind struct{ health, batched bool }

var recordQueries = map[recordKind]string{
	{false, false}: recordQuery(false, false), {true, false}: recordQuery(true, false),
	{false, true}: recordQuery(false, true), {true, true}: recordQuery(true, true),
}

// recordQuery makes the statement. "moved" goes by what is recorded: where the endpoint was disabled meanwhile, what
// arrived has arrived and what failed stays held. "made" keeps nothing that the receiver answered where a delivery of
// the request ended meanwhile, because its lead may have been erased; a conflict is an attempt that was recorded before,
// and the answer was lost. "timed" counts what arrived for the first time, once, because "moved" has it once.
//
//	$1 workspace, $2 endpoint, $3 token, $4 length of the lease, $5 to $14 the attempts, $15 and $16 ids between which
//	the deliveries are, which lets Postgres leave out partitions, $17 now, $18 until when the rate is used up, then 7 of
//	the endpoint's health, then 4 of the attempts' places in batches
func recordQuery(health, batched bool) string {
	n := 18
	next := func() string { n++; return "$" + strconv.Itoa(n) }
	var set string
	if health { // told belongs to whoever notifies, but a success ends what was notified of
		failures, since := next(), next()
		set = `,
       failures = ` + failures + `, failing_since = ` + since + `, failing_delivery = ` + next() + `, probe_at = ` + next() + `,
       probes = ` + next() + `, last_error = nullif(` + next() + `, ''), last_success_at = coalesce(` + next() + `, last_success_at),
       told = told and cast(` + since + ` as timestamptz) is not null`
	}
	var columns, arrays string
	whole := `delivery_id in (select m.id from moved m)`
	if batched {
		whole = `id not in (select x.id from o x where x.delivery_id not in (select m.id from moved m))`
		columns = `, batch_id, batch_first, batch_size, batch_index`
		arrays = `, ` + next() + `::uuid[], ` + next() + `::uuid[], ` + next() + `::int[], ` + next() + `::int[]`
	}
	return `
with o as materialized (
    select $1::uuid as workspace_id, $2::uuid as endpoint_id, o.*
      from unnest($5::uuid[], $6::uuid[], $7::int[], $8::int[], $9::text[], $10::text[], $11::int[],
                         $12::timestamptz[], $13::text[], $14::timestamptz[]` + arrays + `)
      as o (delivery_id, id, number, status, error, response_head, latency_ms, at, state, next_at` + columns + `)
), moved as (
    update deliveries d
       set attempts = greatest(d.attempts, o.number),
           tries = d.tries + case when o.error like '` + string(webhook.FailedInternal) + `:%' then 0 else 1 end,
           last_status = o.status, last_error = o.error, updated_at = o.at,
           state = case when d.state = 'held' and o.state = 'pending' then 'held' else o.state end,
           next_at = case when d.state = 'pending' then o.next_at end
      from o
     where d.workspace_id = o.workspace_id and d.endpoint_id = o.endpoint_id and d.id = o.delivery_id and d.state in ('pending', 'held')
       and (d.attempts < o.number or o.state = 'delivered') and d.id between $15 and $16
    returning d.id, o.at + o.latency_ms * interval '1 millisecond' as arrived,
              case when o.state = 'delivered' and not d.delivered_before then d.created_at end as accepted
), timed as (
    insert into delivery_times as t (workspace_id, endpoint_id, hour, bucket, n)
    select $1, $2, date_trunc('hour', arrived, 'UTC'), ` + timesBucket + `, count(*)
      from moved where accepted is not null
     group by 3, 4 order by 3, 4
    on conflict (workspace_id, endpoint_id, hour, bucket) do update set n = t.n + excluded.n
), made as (
    insert into attempts (workspace_id, delivery_id, id, number, status, error, response_head, latency_ms, created_at` +
		columns + `)
    select workspace_id, delivery_id, id, number, status, error,
           case when ` + whole + ` then response_head end,
           latency_ms, at` + columns + `
      from o
    on conflict do nothing
)
update endpoints
   set drain_until = coalesce($17, now()) + cast($4 as interval), paced_until = coalesce($18, paced_until)` + set + `
 where workspace_id = $1 and id = $2 and drain_token = $3`
}

func outcomeColumns(r RecordRequest) []any {
	n := len(r.Outcomes)
	slices.SortFunc(r.Outcomes, func(a, b webhook.Outcome) int { // whoever else locks them does so in this order
		return bytes.Compare(a.Attempt.DeliveryID[:], b.Attempt.DeliveryID[:])
	})
	c := newColumns(n, uuids, uuids, ints, ints, texts, texts, ints, times, texts, times)
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		a := &o.Attempt
		c[0].uuid(a.DeliveryID)
		c[1].uuid(a.ID)
		c[2].int(int64(a.Number))
		if a.Status == 0 {
			c[3].null()
		} else {
			c[3].int(int64(a.Status))
		}
		c[4].optionalString(a.Error)
		c[5].optionalString(a.ResponseHead)
		c[6].int(a.Latency.Milliseconds())
		c[7].time(a.At)
		c[8].string(string(o.State))
		c[9].optionalTime(o.NextAt)
	}
	var lowest, highest id.UUID // let Postgres leave out partitions
	if n > 0 {
		lowest, highest = r.Outcomes[0].Attempt.DeliveryID, r.Outcomes[n-1].Attempt.DeliveryID
	}
	return append(arrays(c...), lowest, highest, clock(r.Now), clock(r.PacedUntil))
}

// batchColumns are the places in batches of outcomes, in the order that outcomeColumns gives them.
func batchColumns(outcomes []webhook.Outcome) []any {
	n := len(outcomes)
	ids, firsts, sizes, places := newColumn(uuids, n), newColumn(uuids, n), newColumn(ints, n), newColumn(ints, n)
	for i := range outcomes {
		in := &outcomes[i].Attempt.InBatch
		if in.Size == 0 { // a fault of ours
			for _, c := range []*column{ids, firsts, sizes, places} {
				c.null()
			}
			continue
		}
		ids.uuid(in.ID)
		firsts.uuid(in.First)
		sizes.int(int64(in.Size))
		places.int(int64(in.Index))
	}
	return arrays(ids, firsts, sizes, places)
}
