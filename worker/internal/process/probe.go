package process

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// failing is the error of the one task that stands for an endpoint that fails: "503 from hooks.example.com: ...".
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
)

// Probe is the task that stands for a failing endpoint. It tries one delivery when the breaker's pause is over, or at once when an
// administrator runs it now, and ends when the endpoint works again:
//
//	stand --> pause over, or run now --> one delivery --succeeds--> wake a drain, done
//	  ^                                        |
//	  +-------- retry, with the reason --------+
func (p *Processor) Probe(ctx context.Context, t *asynq.Task) error {
	key, err := task.ParseKey(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	mode := pg.LeaseForProbe
	if p.early(t) {
		mode = pg.LeaseNow
	}
	sending, cancel := joined(ctx, p.sending)
	defer cancel()
	taking, cancelTaking := joined(sending, p.taking)
	defer cancelTaking()
	d := &drain{turn: &turn{Processor: p, key: key, taking: taking, sending: sending}, lease: id.New(), limit: 1}
	_, err = d.round(mode)
	d.giveBack()
	if err != nil {
		return fmt.Errorf("probe %s: %w", key, err)
	}
	ctx, cancel = keep(ctx)
	defer cancel()
	if err := p.judge(ctx, key, &d.tally); err != nil {
		return fmt.Errorf("probe %s: %w", key, err)
	}
	still, err := p.stillFailing(ctx, key)
	if err != nil {
		return fmt.Errorf("probe %s: %w", key, err)
	}
	if still == nil {
		d.lost("wake", p.Waker.Wake(ctx, []task.Key{key}))
		return nil
	}
	t.ResultWriter().Write([]byte(nextTry + p.Now().Add(still.in).UTC().Format(time.RFC3339)))
	return still
}

// nextTry begins the result of a task in retry.
const nextTry = "next try at "

// early tells whether a task that stands for an endpoint runs before its time: then an administrator runs it now. When its time is, its result says.
func (p *Processor) early(t *asynq.Task) bool {
	info, err := p.inspector.GetTaskInfo(task.QueueFailing, t.ResultWriter().TaskID())
	if err != nil {
		return false
	}
	text, _ := strings.CutPrefix(string(info.Result), nextTry)
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && p.Now().Before(at)
}

// stillFailing says how an endpoint fails and when to look again; nil: it does not, or there is nothing to try it with.
func (p *Processor) stillFailing(ctx context.Context, key task.Key) (*failing, error) {
	e, err := p.DB.GetEndpoint(ctx, key.Workspace, key.Endpoint)
	var gone *fault.Error
	if errors.As(err, &gone) && gone.Kind == fault.NotFound {
		return nil, nil
	}
	if err != nil || !e.Enabled || !e.Health.Failing() {
		return nil, err
	}
	b, err := p.DB.EndpointBacklog(ctx, key.Workspace, key.Endpoint)
	if err != nil || b.Waiting == 0 {
		return nil, err
	}
	next := b.NextAt
	if e.Health.Open() && e.Health.ProbeAt.After(next) {
		next = *e.Health.ProbeAt
	}
	in := min(max(next.Sub(p.Now()), minRest), maxRest)
	text := fmt.Sprintf("%s: failed %d times since %s, %s wait, next try in %s", webhook.Reason(e.Health.LastError, webhook.Host(e.URL)),
		e.Health.Failures, since(e.Health.FailingSince), waiting(b.Waiting), short(in))
	return &failing{key: key, in: in, text: text}, nil
}

func since(t *time.Time) string {
	if t == nil {
		return "just now"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// waiting shows a count that ends at 10,000.
func waiting(n int) string {
	if n >= 10_000 {
		return "10000+"
	}
	return fmt.Sprint(n)
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
