package process

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// tally is what came of a task's attempts, and how their endpoint fares. Senders note what they see; the rest is the drain's own.
type tally struct {
	delivered, failed int // recorded
	url               string

	mu     sync.Mutex
	health webhook.Health
	gone   bool // it answered 410
}

func (t *tally) begin(e *webhook.Endpoint) {
	t.url = e.URL
	t.mu.Lock()
	t.health = e.Health
	t.mu.Unlock()
}

// note takes an attempt in; over: nothing more is to be sent in this round.
func (t *tally) note(v webhook.Result, now time.Time, spread float64, ordered bool, retryAt *time.Time) (over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.health.Record(v, now, spread, ordered, retryAt)
	t.gone = t.gone || v.Status == http.StatusGone
	return t.gone || t.health.Open()
}

func (t *tally) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gone || t.health.Open()
}

// now is the endpoint's health after what was noted.
func (t *tally) now() webhook.Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.health
}

// result reads "endpoint we_...: delivered 118, failed 2".
func (t *tally) result(key task.Key, how end) string {
	name := "endpoint " + id.Endpoint.Format(key.Endpoint)
	if how == elsewhere {
		return name + ": another task has it"
	}
	text := fmt.Sprintf("%s: delivered %d, failed %d", name, t.delivered, t.failed)
	if t.health.Failing() {
		text += ", see queue " + task.QueueFailing
	}
	if how == yielded {
		text += ", more next turn"
	}
	return text
}
