package process

import (
	"context"
	"fmt"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// Test makes the one attempt at a delivery its owner waits for, whatever state its endpoint is in. It is never tried again, so a test that
// cannot be made is dropped; the delivery stays owed.
func (p *Processor) Test(ctx context.Context, t *asynq.Task) error {
	key, err := task.ParseKey(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	text, err := p.test(ctx, key)
	if err != nil {
		return fmt.Errorf("%w: test %s: %w", asynq.RevokeTask, key, err)
	}
	t.ResultWriter().Write([]byte("delivery " + id.Delivery.Format(key.Delivery) + ": " + text)) // only to be read by people
	return nil
}

func (p *Processor) test(ctx context.Context, key task.Key) (result string, err error) {
	took, err := p.DB.GetTestDelivery(ctx, key.Workspace, key.Endpoint, key.Delivery)
	if err != nil {
		return "", err
	}
	if len(took.Jobs) == 0 {
		return "nothing to attempt", nil
	}
	sending, cancel := joined(ctx, p.sending)
	defer cancel()
	d := &drain{turn: &turn{Processor: p, key: key, sending: sending}}
	j := &took.Jobs[0]
	a, made := d.send(&took.Endpoint, j)
	ctx, done := keep(ctx)
	defer done()
	switch {
	case !made && p.sending.Err() != nil: // the process stops; another one makes it
		return "given up, for another worker", p.Waker.EnqueueTest(ctx, key.Workspace, key.Endpoint, key.Delivery)
	case !made:
		return "given up", nil
	}
	o := webhook.Outcome{Attempt: a, State: webhook.Delivered}
	if a.Error != "" {
		o.State = webhook.Exhausted
	}
	d.metrics.attempted(j, &o)
	d.logAttempt(j, &o)
	probe, err := p.DB.RecordTestDelivery(ctx, key.Workspace, key.Endpoint, o)
	if err == nil && probe {
		d.lost("probe", p.Waker.RunProbeTask(ctx, task.Drain(key.Workspace, key.Endpoint)))
	}
	return string(o.State), err
}
