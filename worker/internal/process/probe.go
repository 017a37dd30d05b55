package process

import (
	"context"
	"fmt"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// failingError is the error of the one task that probes a failing endpoint: "503 from hooks.example.com: ...".
type failingError struct {
	key     task.Key
	text    string
	retryIn time.Duration
}

func (f *failingError) Error() string { return f.text }

// Bounds of how long a probe task waits before it runs again.
const (
	minRetry = time.Second
	maxRetry = time.Hour
)

// probe handles the task that a failing endpoint has. It tries one delivery when the breaker's pause is over, or at
// once when an administrator runs the task, and ends when the endpoint works again:
//
//	wait --> pause over, or run now --> one delivery --succeeds--> wake a drain, done
//	 ^                                       |
//	 +-------- retry, with the reason -------+
func (p *Processor) probe(ctx context.Context, key task.Key, taskID string) (report string, err error) {
	mode := pg.LeaseForProbe
	if p.early(taskID) {
		mode = pg.LeaseNow
	}
	r := p.newRun(ctx, key)
	defer r.close()
	d := &drain{Processor: p, key: key, token: id.New(), limit: 1}
	_, err = d.deliver(r, mode)
	d.release()
	if err != nil {
		return "", err
	}
	ctx, cancel := closing(ctx)
	defer cancel()
	if err := d.applyHealthPolicy(ctx); err != nil {
		return "", err
	}
	failing, err := p.stillFailing(ctx, key)
	switch {
	case err != nil:
		return "", err
	case failing == nil:
		p.logWake(key, "wake drain", p.Waker.Wake(ctx, []task.Key{key}))
		return "", nil
	}
	return nextTry + p.Now().Add(failing.retryIn).UTC().Format(time.RFC3339), failing
}

// nextTry begins the result of a probe task that waits.
const nextTry = "next try at "

// early reports whether a probe task runs before the time that its result names: then an administrator runs it.
func (p *Processor) early(taskID string) bool {
	info, err := p.inspector.GetTaskInfo(task.QueueFailing, taskID)
	if err != nil {
		return false
	}
	text, _ := strings.CutPrefix(string(info.Result), nextTry)
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && p.Now().Before(at)
}

// stillFailing returns how an endpoint fails and when to try again; nil when it does not, has no delivery to try it with,
// or its workspace is suspended.
func (p *Processor) stillFailing(ctx context.Context, key task.Key) (*failingError, error) {
	e, err := p.DB.GetEndpoint(ctx, key.Workspace, key.Endpoint)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil || !e.Enabled || !e.Health.Failing() {
		return nil, err
	}
	if ok, err := p.DB.IsActive(ctx, key.Workspace); err != nil || !ok {
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
	in := min(max(next.Sub(p.Now()), minRetry), maxRetry)
	if e.Unreadable != nil {
		text := fmt.Sprintf("%v: %s wait, next try in %s", e.Unreadable, formatBacklog(b.Waiting), formatSeconds(in))
		return &failingError{key, text, in}, nil
	}
	text := fmt.Sprintf("%s: failed %d times since %s, %s wait, next try in %s",
		webhook.Reason(e.Health.LastError, webhook.Host(e.URL)), e.Health.Failures, formatSince(e.Health.FailingSince),
		formatBacklog(b.Waiting), formatSeconds(in))
	return &failingError{key, text, in}, nil
}

func formatSince(t *time.Time) string {
	if t == nil {
		return "just now"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// formatBacklog shows a count of which Postgres counts no more than 10,000.
func formatBacklog(n int) string {
	if n >= 10_000 {
		return "10000+"
	}
	return fmt.Sprint(n)
}

// formatSeconds shows a duration to the second: 5m, 1m30s.
func formatSeconds(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
