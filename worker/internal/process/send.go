package process

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// send makes one attempt at a due delivery, and decides where the delivery and its endpoint stand after it, before the
// same sender makes another. made is false when the run was aborted first: nothing is to be recorded.
func (b *batch) send(j *webhook.DueDelivery) (o webhook.Outcome, made bool) {
	a, made := b.attempt(b.run.abort, b.endpoint, j)
	if !made {
		return o, false
	}
	o = webhook.Outcome{Attempt: a, State: webhook.Delivered}
	now, ordered := b.Now(), b.endpoint.Ordered()
	res := webhook.Result{Delivery: a.DeliveryID, Error: a.Error, Status: a.Status, RetryAfter: a.RetryAfter, Wish: a.Wish,
		At: a.At}
	var retryAt *time.Time
	if a.Error != "" {
		o.State = webhook.Exhausted
		if at, ok := b.schedule.Next(j.Tries+1, res, now, b.random()); ok {
			o.State, o.NextAt, retryAt = webhook.Pending, &at, &at
		}
		if ordered && retryAt != nil {
			o.NextAt = &j.NextAt // it stays the first in line; the endpoint as a whole waits
		}
	}
	if b.health.record(res, now, b.random(), ordered, retryAt) {
		b.halt.Store(true)
	}
	b.observe(b.key, j, &o)
	return o, true
}

// attempt makes one attempt. A panic in the middle of it fails that attempt and nothing else.
func (p *Processor) attempt(ctx context.Context, e *webhook.Endpoint, j *webhook.DueDelivery) (a webhook.Attempt,
	made bool) {
	defer func() {
		if r := recover(); r != nil {
			p.Log.Error("attempt panicked", "endpoint", id.Endpoint.Format(e.ID), "delivery", id.Delivery.Format(j.DeliveryID),
				"panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			a = webhook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, At: p.Now(),
				Error: webhook.FailedInternal.WithDetail("a fault on our side")}
			made = true
		}
	}()
	return p.Send(ctx, e, j)
}

// observe counts and logs an attempt.
func (p *Processor) observe(key task.Key, j *webhook.DueDelivery, o *webhook.Outcome) {
	p.metrics.attempted(j, o)
	a := &o.Attempt
	if a.Error == "" && !p.AttemptLog {
		return
	}
	p.Log.Info("attempt",
		"workspace", id.Workspace.Format(key.Workspace), "endpoint", id.Endpoint.Format(key.Endpoint),
		"delivery", id.Delivery.Format(j.DeliveryID), "event", id.Event.Format(j.EventID), "type", j.EventType,
		"number", a.Number, "status", a.Status, "class", string(webhook.ClassOf(a.Error)), "outcome", outcomeOf(o.State),
		"latency_ms", a.Latency.Milliseconds(), "age_ms", a.At.Sub(j.EventAt).Milliseconds())
}
