package process

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// drain is what one task does for one endpoint.
type drain struct {
	*turn
	lease  id.UUID     // our name in Postgres, new with every run so that a repeated task never takes over its own lease
	leased time.Time   // when the lease was last taken or renewed
	held   bool        // we have the lease, as far as we know
	halt   atomic.Bool // send no more in this round: the lease is lost, the breaker opened, or the order would break
	limit  int         // deliveries to take at once
	tally  tally
}

// Drain sends an endpoint's due deliveries.
func (p *Processor) Drain(ctx context.Context, t *asynq.Task) error {
	key, err := task.ParseKey(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	d := &drain{lease: id.New(), limit: takeLimit}
	how, err := p.turn(ctx, key, t.ResultWriter().TaskID(), work{
		round: func(t *turn) (bool, error) { d.turn = t; return d.round(pg.LeaseForDrain) },
		letGo: d.giveBack,
	})
	if err != nil {
		return fmt.Errorf("drain %s: %w", key, err)
	}
	ctx, cancel := keep(ctx)
	defer cancel()
	if d.tally.health.Failing() {
		t := &turn{Processor: p, key: key}
		t.lost("stand", p.Waker.EnsureProbeTask(ctx, key)) // else the sweep does
	}
	if err := p.judge(ctx, key, &d.tally); err != nil {
		return fmt.Errorf("drain %s: %w", key, err)
	}
	t.ResultWriter().Write([]byte(d.tally.result(key, how))) // only to be read by people
	return nil
}

// judge tells the workspace about an endpoint that fails for long, and disables one that only fails or is gone.
func (p *Processor) judge(ctx context.Context, key task.Key, t *tally) (err error) {
	var failed time.Duration
	if t.health.FailingSince != nil {
		failed = p.Now().Sub(*t.health.FailingSince)
	}
	var wake []pg.EndpointRef
	var disabled bool
	switch {
	case t.gone:
		disabled, wake, err = p.DB.DisableGone(ctx, key.Workspace, key.Endpoint, t.url)
	case p.DisableAfter > 0 && failed >= p.DisableAfter:
		disabled, wake, err = p.DB.DisableFailing(ctx, key.Workspace, key.Endpoint, p.DisableAfter)
	case failed >= webhook.NotifyAfter && !t.health.Notified:
		wake, err = p.DB.NotifyFailing(ctx, key.Workspace, key.Endpoint, webhook.NotifyAfter)
	}
	if disabled {
		p.Log.Warn("endpoint disabled", "key", key.String(), "host", webhook.Host(t.url), "failing_for", failed.Round(time.Second).String(), "error", t.health.LastError)
	}
	if err != nil {
		return err
	}
	tr := &turn{Processor: p, key: key}
	tr.lost("wake drains", p.Waker.Wake(ctx, Drains(wake)))
	return nil
}
