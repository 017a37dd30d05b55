package pg

import (
	"bytes"
	"cmp"
	"context"
	"slices"
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
	Patience  time.Duration // how long RecordOutcomes waits for a lock before it fails; 0: as long as ever
	Outcomes  []webhook.Outcome

	Health     *webhook.Health // the endpoint's after them; nil: as it was
	PacedUntil time.Time       // the endpoint's rate allows nothing before; zero: as it was
}

// RecordOutcomes stores attempts, moves their deliveries on, and renews or gives back the lease, in one statement.
// leased is false when another token has the lease by now: what was sent is recorded all the same, and nothing more
// should be sent.
func (db *DB) RecordOutcomes(ctx context.Context, r RecordRequest) (leased bool, err error) {
	all, err := db.RecordAllOutcomes(ctx, []RecordRequest{r}, r.Patience)
	return err == nil && all[0], err
}

// RecordAllOutcomes is RecordOutcomes of several tokens, of any workspaces, in one statement, all by the clock of the
// first. Where patience is not 0 it fails when it has to wait for a lock for longer. It looks across workspaces.
func (db *DB) RecordAllOutcomes(ctx context.Context, all []RecordRequest, patience time.Duration) (leased []bool,
	err error) {
	return splitBatch(ctx, db, all, func(r *RecordRequest) id.UUID { return r.Workspace },
		func(part []RecordRequest) ([]bool, error) { return db.recordAllOutcomes(ctx, part, patience) })
}

func (db *DB) recordAllOutcomes(ctx context.Context, all []RecordRequest, patience time.Duration) (leased []bool,
	err error) {
	outcomes, batched := outcomesOf(all)
	args := append(healthColumnsOf(all), outcomeColumns(outcomes)...)
	args = append(args, clock(all[0].Now), lockWait(patience))
	query := recordQuery
	if batched {
		query, args = recordBatchedQuery, append(args, batchColumns(outcomes)...)
	}
	places := make(map[id.UUID]int, len(all))
	for i := range all {
		places[all[i].Token] = i
	}
	err = db.withPartitions(ctx, func() error {
		leased = make([]bool, len(all))
		return db.within(ctx, patience, func(on conn.Queryer) error {
			return conn.Each(ctx, on, "record outcomes", func(row conn.Row) error {
				var token id.UUID
				err := row.Scan(&token)
				leased[places[token]] = true
				return err
			}, query, args...)
		})
	})
	return leased, err
}

var recordQuery, recordBatchedQuery = recordQueryWith(false), recordQueryWith(true)

// recordQueryWith makes the statement. "moved" goes by what is recorded: where the endpoint was disabled meanwhile,
// what arrived has arrived and what failed stays held. "made" keeps nothing that the receiver answered where a delivery
// of the request ended meanwhile, because its lead may have been erased; a conflict is an attempt that was recorded
// before, and the answer was lost. It takes nothing back where what was delivered is to be sent again since.
// "timed" counts what arrived for the first time, once, because "moved" has it once. That the workspace was told of a
// failure belongs to whoever notifies, but a success ends it.
//
//	$1 to $13 the endpoints, with their health where $6 is not 0, $14 to $25 the attempts, $26 and $27 ids between which
//	the deliveries are, which lets Postgres leave out partitions, $28 now, $29 how long a lock is waited for; null: as
//	long as ever, then 4 of the attempts' places in batches
func recordQueryWith(batched bool) string {
	var columns, arrays string
	whole := `(workspace_id, delivery_id) in (select m.workspace_id, m.id from moved m)`
	if batched {
		whole = `id not in (select x.id from o x
                            where (x.workspace_id, x.delivery_id) not in (select m.workspace_id, m.id from moved m))`
		columns = `, batch_id, batch_first, batch_size, batch_index`
		arrays = `, ` + hidden(30, `uuid uuid int int`)
	}
	return `
with patience as materialized (
    select set_config('lock_timeout', coalesce($29, current_setting('lock_timeout')), true)
), e as materialized (
    select e.*, coalesce($28, now()) + e.lease_ms * interval '1 millisecond' as until
      from patience
     cross join unnest(` + hidden(1, `uuid uuid uuid int timestamptz int int timestamptz uuid timestamptz int text timestamptz`) + `)
      as e (workspace_id, id, token, lease_ms, paced_until, judged, failures, failing_since, failing_delivery, probe_at,
            probes, last_error, last_success_at)
), o as materialized (
    select o.*
      from patience
     cross join unnest(` + hidden(14, `uuid uuid uuid uuid int int text text int timestamptz text timestamptz`) + arrays + `)
      as o (workspace_id, endpoint_id, delivery_id, id, number, status, error, response_head, latency_ms, at, state,
            next_at` + columns + `)
), moved as (
    update deliveries d
       set attempts = greatest(d.attempts, o.number),
           tries = d.tries + case when o.error like '` + string(webhook.FailedInternal) + `:%' then 0 else 1 end,
           last_status = o.status, last_error = o.error, updated_at = o.at,
           state = case when d.state = 'held' and o.state = 'pending' then 'held' else o.state end,
           next_at = case when d.state = 'pending' then o.next_at end
      from o
     where d.workspace_id = ` + conn.Either("o.workspace_id", "($14::uuid[])[1]") + ` and d.endpoint_id = o.endpoint_id and d.id = o.delivery_id and d.state in ('pending', 'held')
       and d.id between $26 and $27
       and (d.attempts < o.number or o.state = 'delivered' and not d.delivered_before)
    returning d.workspace_id, d.endpoint_id, d.id, o.at, o.latency_ms,
              case when o.state = 'delivered' and not d.delivered_before then d.created_at end as accepted
), timed as (
    insert into delivery_times as t (workspace_id, endpoint_id, hour, bucket, n)
    select workspace_id, endpoint_id, date_trunc('hour', arrived, 'UTC'), ` + timesBucket + `, count(*)
      from (select *, at + latency_ms * interval '1 millisecond' as arrived from moved where accepted is not null) m
     group by 1, 2, 3, 4 order by 1, 2, 3, 4
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
update endpoints x
   set drain_until = e.until,
       paced_until = coalesce(e.paced_until, x.paced_until),
       failures = case when judged = 0 then x.failures else e.failures end,
       failing_since = case when judged = 0 then x.failing_since else e.failing_since end,
       failing_delivery = case when judged = 0 then x.failing_delivery else e.failing_delivery end,
       probe_at = case when judged = 0 then x.probe_at else e.probe_at end,
       probes = case when judged = 0 then x.probes else e.probes end,
       last_error = case when judged = 0 then x.last_error else e.last_error end,
       last_success_at = coalesce(e.last_success_at, x.last_success_at),
       told = x.told and (judged = 0 or e.failing_since is not null)
  from e
 where x.workspace_id = ` + batchWorkspace("e.workspace_id") + ` and x.id = e.id and x.drain_token = e.token
returning e.token`
}

// healthColumnsOf are the endpoints, in the order of their keys.
func healthColumnsOf(all []RecordRequest) []any {
	c := newColumns(len(all), uuids, uuids, uuids, ints, times, ints, ints, times, uuids, times, ints, texts, times)
	for _, r := range slices.SortedFunc(slices.Values(all), func(a, b RecordRequest) int {
		return cmp.Or(bytes.Compare(a.Workspace[:], b.Workspace[:]), bytes.Compare(a.Endpoint[:], b.Endpoint[:]))
	}) {
		c[0].uuid(r.Workspace)
		c[1].uuid(r.Endpoint)
		c[2].uuid(r.Token)
		c[3].int(r.Lease.Milliseconds())
		if r.PacedUntil.IsZero() {
			c[4].null()
		} else {
			c[4].time(r.PacedUntil)
		}
		var h webhook.Health
		judged := int64(0)
		if r.Health != nil {
			h, judged = *r.Health, 1
		}
		c[5].int(judged)
		c[6].int(int64(h.Failures))
		c[7].optionalTime(h.FailingSince)
		c[8].optionalUUID(h.FailingDelivery)
		c[9].optionalTime(h.ProbeAt)
		c[10].int(int64(h.Probes))
		c[11].optionalString(h.LastError)
		c[12].optionalTime(h.LastSuccessAt)
	}
	return arrays(c...)
}

// placedOutcome is an outcome and whose it is.
type placedOutcome struct {
	EndpointRef
	*webhook.Outcome
}

// outcomesOf returns all outcomes in the order of their deliveries, in which whoever else locks these does so, and
// reports whether one was in a batch.
func outcomesOf(all []RecordRequest) (outcomes []placedOutcome, batched bool) {
	for i := range all {
		r := &all[i]
		for k := range r.Outcomes {
			outcomes = append(outcomes, placedOutcome{EndpointRef{r.Workspace, r.Endpoint}, &r.Outcomes[k]})
			batched = batched || r.Outcomes[k].Attempt.InBatch.Size > 0
		}
	}
	slices.SortFunc(outcomes, func(a, b placedOutcome) int {
		return bytes.Compare(a.Attempt.DeliveryID[:], b.Attempt.DeliveryID[:])
	})
	return outcomes, batched
}

func outcomeColumns(outcomes []placedOutcome) []any {
	n := len(outcomes)
	c := newColumns(n, uuids, uuids, uuids, uuids, ints, ints, texts, texts, ints, times, texts, times)
	for _, o := range outcomes {
		a := &o.Attempt
		c[0].uuid(o.Workspace)
		c[1].uuid(o.Endpoint)
		c[2].uuid(a.DeliveryID)
		c[3].uuid(a.ID)
		c[4].int(int64(a.Number))
		if a.Status == 0 {
			c[5].null()
		} else {
			c[5].int(int64(a.Status))
		}
		c[6].optionalString(a.Error)
		c[7].optionalString(a.ResponseHead)
		c[8].int(a.Latency.Milliseconds())
		c[9].time(a.At)
		c[10].string(string(o.State))
		c[11].optionalTime(o.NextAt)
	}
	var lowest, highest id.UUID // let Postgres leave out partitions
	if n > 0 {
		lowest, highest = outcomes[0].Attempt.DeliveryID, outcomes[n-1].Attempt.DeliveryID
	}
	return append(arrays(c...), lowest, highest)
}

// batchColumns are the places in batches of outcomes, in the order that outcomeColumns gives them.
func batchColumns(outcomes []placedOutcome) []any {
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
