package process

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/pg"
)

// round takes due deliveries, sends them and records what came of it:
//
//	take --> Parallel senders --> results --> this goroutine: record every 200 ms and at the end
//
// It returns whether more is left. The endpoint's lease is given back with the last record unless more is; turn sees to the rest.
func (d *drain) round() (more bool, err error) {
	took, err := d.DB.TakeDue(d.sending, pg.Take{Workspace: d.key.Workspace, Endpoint: d.key.Endpoint, Token: d.lease, Lease: leaseTime, Limit: takeLimit})
	if err != nil {
		d.held = true // perhaps: the answer was lost
		return false, err
	}
	if len(took.Jobs) == 0 {
		return false, nil
	}
	d.held, d.tally.url, d.leased = true, took.Endpoint.URL, d.Now()
	d.lost.Store(false)
	results, left := d.sendAll(&took)
	var batch []hook.Outcome
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case o, ok := <-results:
			if open = ok; ok {
				batch = append(batch, o)
			}
		case <-tick.C:
			batch = d.flush(batch)
			d.renew()
		}
	}
	more = left() > 0 || len(took.Jobs) == takeLimit
	lease := leaseTime
	if !more || d.taking.Err() != nil {
		lease = 0
	}
	return more, d.last(batch, lease)
}

// sendAll sends jobs while more may be taken, a bounded number at once. The channel closes when all attempts have ended; only then left tells how many jobs were not attempted.
func (d *drain) sendAll(took *pg.Slice) (results <-chan hook.Outcome, left func() int) {
	out := make(chan hook.Outcome, len(took.Jobs))
	var next, made atomic.Int64
	var senders sync.WaitGroup
	for range min(Parallel, len(took.Jobs)) {
		senders.Go(func() {
			for d.taking.Err() == nil && !d.lost.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(took.Jobs) {
					return
				}
				j := &took.Jobs[i]
				a, ok := d.send(&took.Endpoint, j)
				if !ok {
					return
				}
				made.Add(1)
				out <- d.decide(j, a)
			}
		})
	}
	go func() { senders.Wait(); close(out) }()
	return out, func() int { return len(took.Jobs) - int(made.Load()) }
}

// send makes an attempt. A fault of ours in the middle of it fails that attempt and nothing else.
func (d *drain) send(e *hook.Endpoint, j *hook.Job) (a hook.Attempt, made bool) {
	defer func() {
		if r := recover(); r != nil {
			d.Log.Error("panic in an attempt", "endpoint", id.Endpoint.Format(e.ID), "delivery", id.Delivery.Format(j.DeliveryID), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			a = hook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, At: d.Now(), Error: hook.FailedInternal.Because("a fault on our side")}
			made = true
		}
	}()
	return d.Send(d.sending, e, j)
}

// decide says where a delivery stands after an attempt, and tells log and metrics.
func (d *drain) decide(j *hook.Job, a hook.Attempt) hook.Outcome {
	o := hook.Outcome{Attempt: a, State: hook.Delivered}
	if a.Error != "" {
		o.State = hook.Exhausted
		if at, ok := d.Schedule.Next(j.Tries+1, hook.Verdict{Delivery: j.DeliveryID, Error: a.Error, Status: a.Status, RetryAfter: a.RetryAfter, At: a.At}, d.Now(), d.spread()); ok {
			o.State, o.NextAt = hook.Pending, &at
		}
	}
	d.metrics.attempted(j, &o)
	if a.Error == "" && !d.AttemptLog {
		return o
	}
	d.Log.Info("attempt",
		"workspace", id.Workspace.Format(d.key.Workspace), "endpoint", id.Endpoint.Format(d.key.Endpoint),
		"delivery", id.Delivery.Format(j.DeliveryID), "event", id.Event.Format(j.EventID), "type", j.EventType,
		"number", a.Number, "status", a.Status, "class", string(hook.ClassOf(a.Error)), "outcome", outcomeOf(o.State),
		"latency_ms", a.Latency.Milliseconds(), "age_ms", a.At.Sub(j.EventAt).Milliseconds())
	return o
}

// flush records outcomes in the middle of a round and renews the lease, which is renewed in time without outcomes too.
// What cannot be recorded now stays in the batch.
func (d *drain) flush(batch []hook.Outcome) []hook.Outcome {
	now := d.Now()
	if len(batch) == 0 && now.Sub(d.leased) < renewEvery {
		return batch
	}
	d.leased = now
	if err := d.record(d.sending, batch, leaseTime); err != nil {
		d.Log.Warn("record outcomes, will try again", "key", d.key.String(), "error", err.Error())
		return batch
	}
	return batch[:0]
}

// last records the rest of a round. It has its own deadline, because what was sent is to be recorded also when the process stops;
// what cannot be recorded while the lease lasts is sent again after it: a delivery is made at least once.
func (d *drain) last(batch []hook.Outcome, lease time.Duration) error {
	patience := leaseTime - renewEvery
	if d.Processor.taking.Err() != nil {
		patience = closing
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.sending), patience)
	defer cancel()
	for {
		err := d.record(ctx, batch, lease)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%d attempts are not recorded: %w", len(batch), err)
		}
	}
}

func (d *drain) record(ctx context.Context, batch []hook.Outcome, lease time.Duration) error {
	held, err := d.DB.RecordOutcomes(ctx, pg.Record{Workspace: d.key.Workspace, Endpoint: d.key.Endpoint, Token: d.lease, Lease: lease, Outcomes: batch})
	if err != nil {
		return err
	}
	d.held = held && lease > 0
	d.lost.Store(!held)
	for i := range batch {
		a := &batch[i].Attempt
		if a.Error == "" {
			d.tally.delivered++
		} else {
			d.tally.failed++
			d.tally.lastError = a.Error
		}
		d.tally.again = d.tally.again || a.Number > 1
	}
	return nil
}

// giveBack returns the lease if we may have it: a turn must not end with it, or the endpoint would rest until it lapses.
func (d *drain) giveBack() {
	if !d.held {
		return
	}
	ctx, cancel := keep(d.sending)
	defer cancel()
	if err := d.record(ctx, nil, 0); err != nil {
		d.Log.Warn("the endpoint's lease lapses by itself", "key", d.key.String(), "error", err.Error())
	}
}
