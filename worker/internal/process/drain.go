package process

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// drain is what one task does for one endpoint.
type drain struct {
	*turn
	lease  id.UUID     // our name in Postgres, new with every run so that a repeated task never takes over its own lease
	leased time.Time   // when the lease was last taken or renewed
	held   bool        // we have the lease, as far as we know
	lost   atomic.Bool // another worker has taken it from us
	tally  tally
}

// tally is what came of it.
type tally struct {
	delivered, failed int
	again             bool   // deliveries that had failed before were among them
	lastError         string // of an attempt that failed
	url               string
}

// Drain sends an endpoint's due deliveries.
func (p *Processor) Drain(ctx context.Context, t *asynq.Task) error {
	key, err := task.ParseKey(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	d := &drain{lease: id.New()}
	token := t.ResultWriter().TaskID()
	how, err := p.turn(ctx, key, token, work{
		round: func(t *turn) (bool, error) { d.turn = t; return d.round() },
		letGo: d.giveBack,
	})
	if err != nil {
		return fmt.Errorf("drain %s: %w", key, err)
	}
	return p.conclude(ctx, t, conclusion{key: key, token: token, how: how, tally: d.tally})
}

// conclusion is a drain that ended without a fault of ours.
type conclusion struct {
	key   task.Key
	token string
	how   end
	tally tally
}

// conclude writes the task's result, or keeps the task in the retry list to stand for an endpoint that fails.
func (p *Processor) conclude(ctx context.Context, t *asynq.Task, c conclusion) error {
	ctx, cancel := keep(ctx)
	defer cancel()
	retries, _ := asynq.GetRetryCount(ctx)
	if c.tally.delivered > 0 && (c.tally.again || retries > 0) {
		p.releaseRetry(ctx, c.key)
	}
	var backlog *pg.Backlog
	if c.tally.failed > 0 || retries > 0 {
		b, err := p.DB.EndpointBacklog(ctx, c.key.Workspace, c.key.Endpoint)
		if err != nil {
			return fmt.Errorf("drain %s: %w", c.key, err)
		}
		backlog = &b
	}
	if c.tally.delivered == 0 && backlog != nil {
		if err := p.stand(ctx, &c, backlog); err != nil {
			return err
		}
	}
	t.ResultWriter().Write([]byte(c.result(backlog))) // only to be read by people
	return nil
}

// result reads "endpoint we_...: delivered 118, failed 2, 40 wait".
func (c *conclusion) result(b *pg.Backlog) string {
	if c.how == elsewhere {
		return "endpoint " + id.Endpoint.Format(c.key.Endpoint) + ": another task has it"
	}
	text := fmt.Sprintf("endpoint %s: delivered %d, failed %d", id.Endpoint.Format(c.key.Endpoint), c.tally.delivered, c.tally.failed)
	if b != nil {
		text += fmt.Sprintf(", %s wait", waiting(b.Waiting))
	}
	if c.how == yielded {
		text += ", more next turn"
	}
	return text
}

// waiting shows a count that ends at 10,000.
func waiting(n int) string {
	if n >= 10_000 {
		return "10000+"
	}
	return fmt.Sprint(n)
}

// failing is the error of the one task that stands for an endpoint that fails as a whole: "503 from hooks.example.com: ...".
type failing struct {
	key  task.Key
	text string
	in   time.Duration // when to look again
}

func (f *failing) Error() string { return f.text }

// Bounds of how long a failing endpoint's task rests.
const (
	minRest = time.Second
	maxRest = time.Hour
	claim   = time.Minute // longer than its rest the task may be missing before another one stands for the endpoint
)

// stand returns the error that keeps the task in the retry list if the endpoint still fails and no other task stands for it.
func (p *Processor) stand(ctx context.Context, c *conclusion, b *pg.Backlog) error {
	if b.Waiting == 0 || b.LastError == "" {
		return nil
	}
	retries, _ := asynq.GetRetryCount(ctx)
	if limit, ok := asynq.GetMaxRetry(ctx); ok && retries+1 >= limit {
		p.releaseRetry(ctx, c.key) // asynq would archive it; the next task to fail stands in
		return nil
	}
	url, enabled := c.tally.url, true
	if url == "" {
		e, err := p.DB.GetEndpoint(ctx, c.key.Workspace, c.key.Endpoint)
		if err != nil {
			return fmt.Errorf("drain %s: %w", c.key, err)
		}
		url, enabled = e.URL, e.Enabled
	}
	if !enabled {
		return nil
	}
	in := min(max(b.NextAt.Sub(p.Now()), minRest), maxRest)
	mine, err := rdb.ClaimRetry(ctx, p.Redis, c.key.Wake(), c.token, in+claim)
	if err != nil || !mine {
		return nil
	}
	reason := c.tally.lastError
	if reason == "" {
		reason = b.LastError
	}
	return &failing{key: c.key, in: in, text: fmt.Sprintf("%s: delivered 0, failed %d, %s wait, next try in %s",
		hook.Reason(reason, hook.Host(url)), c.tally.failed, waiting(b.Waiting), short(in))}
}

func (p *Processor) releaseRetry(ctx context.Context, key task.Key) {
	if err := rdb.ReleaseRetry(ctx, p.Redis, key.Wake()); err != nil {
		p.Log.Warn("release retry", "key", key.String(), "error", err.Error())
	}
}

// short shows a duration to the second: 5m, 1m30s.
func short(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
