package process

import (
	"context"
	"fmt"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// test makes the one attempt at a test delivery that its owner waits for, whatever state its endpoint is in. The task
// is never retried, so a test that cannot be made is dropped; the delivery stays held.
func (p *Processor) test(ctx context.Context, key task.Key, _ string) (report string, err error) {
	result, err := p.sendTest(ctx, key)
	if err != nil {
		return "", fmt.Errorf("%w: %w", asynq.RevokeTask, err)
	}
	return "delivery " + id.Delivery.Format(key.Delivery) + ": " + result, nil
}

func (p *Processor) sendTest(ctx context.Context, key task.Key) (result string, err error) {
	leased, err := p.DB.GetTestDelivery(ctx, key.Workspace, key.Endpoint, key.Delivery)
	if err != nil {
		return "", err
	}
	if len(leased.Due) == 0 {
		return "nothing to attempt", nil
	}
	abort, cancel := joined(ctx, p.hardStop)
	defer cancel()
	attempts, made := p.attempt(abort, &leased.Endpoint, leased.Due)
	ctx, done := closing(ctx)
	defer done()
	switch {
	case !made && p.hardStop.Err() != nil: // the process stops; another one makes it
		return "aborted, for another worker", p.Waker.EnqueueTest(ctx, key.Workspace, key.Endpoint, key.Delivery)
	case !made:
		return "aborted", nil
	}
	o := webhook.Outcome{Attempt: attempts[0], State: webhook.Delivered}
	if o.Attempt.Error != "" {
		o.State = webhook.Exhausted
	}
	p.observe(key, leased.Due, []webhook.Outcome{o})
	probe, err := p.DB.RecordTestDelivery(ctx, key.Workspace, key.Endpoint, o)
	if err == nil && probe {
		p.logWake(key, "run probe task", p.Waker.RunProbeTask(ctx, task.Drain(key.Workspace, key.Endpoint)))
	}
	return string(o.State), err
}
