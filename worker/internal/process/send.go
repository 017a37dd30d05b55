package process

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// send makes one request, and decides where its deliveries and their endpoint stand after it, before the same sender
// makes another. made is false when the run was aborted first: nothing is to be recorded.
func (b *batch) send(due []webhook.DueDelivery) (outcomes []webhook.Outcome, made bool) {
	attempts, made := b.attempt(b.run.abort, b.endpoint, due)
	if !made {
		return nil, false
	}
	outcomes = make([]webhook.Outcome, len(due))
	now, ordered, random := b.Now(), b.endpoint.Ordered(), b.random() // one for all: what failed together stays together
	var succeeded, failed *webhook.Result
	var retryAt *time.Time
	for i := range due {
		j, a := &due[i], attempts[i]
		o := webhook.Outcome{Attempt: a, State: webhook.Delivered}
		res := webhook.Result{Delivery: a.DeliveryID, Error: a.Error, Status: a.Status, RetryAfter: a.RetryAfter, Wish: a.Wish,
			At: a.At}
		if a.Error == "" {
			succeeded = &res
		} else {
			o.State = webhook.Exhausted
			if at, ok := b.schedule.Next(j.Tries+1, res, now, random); ok {
				o.State, o.NextAt, retryAt = webhook.Pending, &at, &at
			}
			if ordered && o.NextAt != nil {
				o.NextAt = &j.NextAt // it stays the first in line; the endpoint as a whole waits
			}
			if failed == nil {
				failed = &res
			}
		}
		outcomes[i] = o
	}
	for _, res := range []*webhook.Result{succeeded, failed} {
		if res != nil && b.health.record(*res, now, b.random(), ordered, retryAt) {
			b.halt.Store(true)
		}
	}
	b.observe(b.key, due, outcomes)
	return outcomes, true
}

// attempt makes one request. A panic in the middle of it fails its attempts and nothing else.
func (p *Processor) attempt(ctx context.Context, e *webhook.Endpoint, due []webhook.DueDelivery) (
	attempts []webhook.Attempt, made bool) {
	defer func() {
		if r := recover(); r != nil {
			p.Log.Error("attempt panicked", "endpoint", id.Endpoint.Format(e.ID), "delivery",
				id.Delivery.Format(due[0].DeliveryID), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			a := webhook.Attempt{ID: id.New(), At: p.Now(), Error: webhook.FailedInternal.WithDetail("a fault on our side")}
			attempts, made = make([]webhook.Attempt, len(due)), true
			for i := range due {
				a.DeliveryID, a.Number = due[i].DeliveryID, due[i].Attempts+1
				attempts[i] = a
			}
		}
	}()
	span := p.startSpan(due)
	attempts, made = p.Send(trace.With(ctx, span), e, due)
	endSpan(span, e, due, attempts)
	return attempts, made
}

// observe counts attempts, and logs the request.
func (p *Processor) observe(key task.Key, due []webhook.DueDelivery, outcomes []webhook.Outcome) {
	worst, failed := 0, 0
	for i := range outcomes {
		p.metrics.attempted(&due[i], &outcomes[i])
		if outcomes[i].Attempt.Error != "" {
			if failed == 0 {
				worst = i
			}
			failed++
		}
	}
	if failed == 0 && !p.AttemptLog {
		return
	}
	j, o := &due[worst], &outcomes[worst]
	a := &o.Attempt
	fields := []any{
		"workspace", id.Workspace.Format(key.Workspace), "endpoint", id.Endpoint.Format(key.Endpoint),
		"delivery", id.Delivery.Format(j.DeliveryID), "event", id.Event.Format(j.EventID), "type", j.EventType,
		"number", a.Number, "status", a.Status, "class", string(webhook.ClassOf(a.Error)), "outcome", outcomeOf(o.State),
		"latency_ms", a.Latency.Milliseconds(), "age_ms", a.At.Sub(j.EventAt).Milliseconds()}
	if a.InBatch.Size > 0 { // of which the first that failed is named
		fields = append(fields, "batch", id.Batch.Format(a.InBatch.ID), "events", a.InBatch.Size, "failed", failed)
	}
	p.Log.Info("attempt", fields...)
}
