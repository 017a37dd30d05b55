package process

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// round takes due deliveries, sends them and records what came of it:
//
//	take --> senders, MaxInFlight at once --> results --> this goroutine: health; record every 200 ms and at the end
//
// It returns whether more is left. The endpoint's lease is given back with the last record unless more is; turn sees to the rest.
func (d *drain) round(mode pg.LeaseMode) (more bool, err error) {
	took, err := d.DB.LeaseDue(d.sending, pg.LeaseRequest{Workspace: d.key.Workspace, Endpoint: d.key.Endpoint, Token: d.lease, Lease: leaseTime, Limit: d.limit, Mode: mode})
	if err != nil {
		d.held = true // perhaps: the answer was lost
		return false, err
	}
	if len(took.Jobs) == 0 {
		return false, nil
	}
	d.held, d.leased = true, d.Now()
	d.tally.begin(&took.Endpoint)
	d.halt.Store(false)
	s := d.newSending(&took)
	defer d.sockets.Release(d.key.Workspace, s.sockets)
	var batch []webhook.Outcome
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case o, ok := <-s.results:
			if open = ok; ok {
				batch = append(batch, o)
			}
		case <-tick.C:
			batch = d.flush(batch, s.pace.until())
			d.renew()
		}
	}
	more = !d.tally.over() && (s.left() > 0 || len(took.Jobs) == d.limit)
	d.limit = takeNext(took.Jobs, d.limit)
	lease := leaseTime
	if !more || d.taking.Err() != nil || mode != pg.LeaseForDrain {
		lease = 0
	}
	return more, d.last(batch, lease, s.pace.until())
}

// takeNext is how many deliveries to take after jobs: more while they are small.
func takeNext(jobs []webhook.Job, limit int) int {
	size := 0
	for i := range jobs {
		size += len(jobs[i].Data)
	}
	if len(jobs) == limit && size < takeBytes*limit/takeMost {
		return takeMost
	}
	return takeLimit
}

// sending is one round's attempts.
type sending struct {
	endpoint *webhook.Endpoint
	schedule webhook.Schedule
	jobs     []webhook.Job
	results  chan webhook.Outcome
	pace     *pace
	made     atomic.Int64
	sockets  int // of the workspace's that it holds
}

// left tells how many jobs were not attempted, once results is closed.
func (s *sending) left() int { return len(s.jobs) - int(s.made.Load()) }

// newSending sends jobs while more may be taken, a bounded number at once. results closes when all attempts have ended.
func (d *drain) newSending(took *pg.LeasedBatch) *sending {
	s := &sending{endpoint: &took.Endpoint, schedule: took.Schedule, jobs: took.Jobs, results: make(chan webhook.Outcome, len(took.Jobs))}
	if s.schedule == nil {
		s.schedule = d.Schedule
	}
	s.pace = newPace(took.Endpoint.Rate, took.PacedUntil)
	var next atomic.Int64
	var senders sync.WaitGroup
	s.sockets = d.sockets.TryAcquireUpTo(d.key.Workspace, min(max(1, took.Endpoint.MaxInFlight), len(took.Jobs)))
	for range max(1, s.sockets) { // no endpoint waits for the attempts of others to end
		senders.Go(func() {
			for d.taking.Err() == nil && !d.halt.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(s.jobs) || !s.pace.wait(d.taking) || d.halt.Load() {
					return
				}
				j := &s.jobs[i]
				a, ok := d.send(s.endpoint, j)
				if !ok {
					return
				}
				s.made.Add(1)
				s.results <- d.note(s, j, a)
			}
		})
	}
	go func() { senders.Wait(); close(s.results) }()
	return s
}

// send makes an attempt. A fault of ours in the middle of it fails that attempt and nothing else.
func (d *drain) send(e *webhook.Endpoint, j *webhook.Job) (a webhook.Attempt, made bool) {
	defer func() {
		if r := recover(); r != nil {
			d.Log.Error("panic in an attempt", "endpoint", id.Endpoint.Format(e.ID), "delivery", id.Delivery.Format(j.DeliveryID), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			a = webhook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, At: d.Now(), Error: webhook.FailedInternal.WithDetail("a fault on our side")}
			made = true
		}
	}()
	return d.Send(d.sending, e, j)
}

// note says where a delivery and its endpoint stand after an attempt, before the same sender makes another one; and tells log and metrics.
func (d *drain) note(s *sending, j *webhook.Job, a webhook.Attempt) webhook.Outcome {
	now, ordered := d.Now(), s.endpoint.Ordered()
	v := webhook.Result{Delivery: a.DeliveryID, Error: a.Error, Status: a.Status, RetryAfter: a.RetryAfter, At: a.At}
	o := webhook.Outcome{Attempt: a, State: webhook.Delivered}
	var retryAt *time.Time
	if a.Error != "" {
		o.State = webhook.Exhausted
		if at, ok := s.schedule.Next(j.Tries+1, v, now, d.spread()); ok {
			o.State, o.NextAt, retryAt = webhook.Pending, &at, &at
		}
		if ordered && retryAt != nil {
			o.NextAt = &j.NextAt // it stays the first in line; the endpoint as a whole waits
		}
	}
	if d.tally.note(v, now, d.spread(), ordered, retryAt) {
		d.halt.Store(true)
	}
	d.metrics.attempted(j, &o)
	d.logAttempt(j, &o)
	return o
}

func (d *drain) logAttempt(j *webhook.Job, o *webhook.Outcome) {
	a := &o.Attempt
	if a.Error == "" && !d.AttemptLog {
		return
	}
	d.Log.Info("attempt",
		"workspace", id.Workspace.Format(d.key.Workspace), "endpoint", id.Endpoint.Format(d.key.Endpoint),
		"delivery", id.Delivery.Format(j.DeliveryID), "event", id.Event.Format(j.EventID), "type", j.EventType,
		"number", a.Number, "status", a.Status, "class", string(webhook.ClassOf(a.Error)), "outcome", outcomeOf(o.State),
		"latency_ms", a.Latency.Milliseconds(), "age_ms", a.At.Sub(j.EventAt).Milliseconds())
}

// flush records outcomes in the middle of a round and renews the lease, which is renewed in time without outcomes too.
// What cannot be recorded now stays in the batch.
func (d *drain) flush(batch []webhook.Outcome, paced time.Time) []webhook.Outcome {
	now := d.Now()
	if len(batch) == 0 && now.Sub(d.leased) < renewEvery {
		return batch
	}
	d.leased = now
	if err := d.record(d.sending, batch, leaseTime, paced); err != nil {
		d.Log.Warn("record outcomes, will try again", "key", d.key.String(), "error", err.Error())
		return batch
	}
	return batch[:0]
}

// last records the rest of a round. It has its own deadline, because what was sent is to be recorded also when the process stops;
// what cannot be recorded while the lease lasts is sent again after it: a delivery is made at least once.
func (d *drain) last(batch []webhook.Outcome, lease time.Duration, paced time.Time) error {
	patience := leaseTime - renewEvery
	if d.Processor.taking.Err() != nil {
		patience = closing
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.sending), patience)
	defer cancel()
	for {
		err := d.record(ctx, batch, lease, paced)
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

func (d *drain) record(ctx context.Context, batch []webhook.Outcome, lease time.Duration, paced time.Time) error {
	r := pg.RecordRequest{Workspace: d.key.Workspace, Endpoint: d.key.Endpoint, Token: d.lease, Lease: lease, Outcomes: batch, PacedUntil: paced}
	if len(batch) > 0 {
		h := d.tally.now()
		r.Health = &h
	}
	held, err := d.DB.RecordOutcomes(ctx, r)
	if err != nil {
		return err
	}
	d.held = held && lease > 0
	if !held {
		d.halt.Store(true)
	}
	for i := range batch {
		if batch[i].Attempt.Error == "" {
			d.tally.delivered++
		} else {
			d.tally.failed++
		}
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
	if err := d.record(ctx, nil, 0, time.Time{}); err != nil {
		d.Log.Warn("the endpoint's lease lapses by itself", "key", d.key.String(), "error", err.Error())
	}
}
