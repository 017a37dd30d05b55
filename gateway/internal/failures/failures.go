// Package failures keeps the newest answers of 500 and above, of all gateways, for the administrator who was told a
// request id. What this gateway answered is in its memory; Redis has that of all, and is written to only when there is
// something to write.
package failures

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/heartbeat"
	"leadgate/shared/lifecycle"
	"leadgate/shared/rdb"
)

// While a store is away every request may fail, so writing is bounded: the newest of each class, once in so long.
const (
	flushAfter = time.Second
	flushMost  = 50
	timeout    = time.Second
)

// Classes of failures. Each has room of its own: a flood of one must not push out the others.
const (
	fault       = "fault"       // 500: a mistake of the program
	unavailable = "unavailable" // 503 and others: a store was away, or there was too much to do
)

// Kept is a failure, and which gateway has its log.
type Kept struct {
	httpx.Failure
	Gateway string `json:"gateway"` // host and pid
}

// Recorder keeps failures.
type Recorder struct {
	redis   redis.UniversalClient
	log     *slog.Logger
	gateway string

	mu      sync.Mutex
	classes map[string]*class
	timer   *time.Timer // nil: there is nothing to write
}

// class is what is kept of one, the oldest first.
type class struct {
	kept    []Kept
	waiting []Kept // those of kept that Redis has not
}

// Run returns a Recorder on a shared client, which it does not close. What waits when group stops is written then.
func Run(group *lifecycle.Group, c redis.UniversalClient, log *slog.Logger) *Recorder {
	r := &Recorder{redis: c, log: log, gateway: fmt.Sprintf("%s, pid %d", heartbeat.Host(), os.Getpid()),
		classes: map[string]*class{fault: {}, unavailable: {}}}
	group.OnStop("failures", func(ctx context.Context) error { r.flush(ctx); return nil })
	return r
}

// Record keeps a failure.
func (r *Recorder) Record(f httpx.Failure) {
	name := unavailable
	if f.Status == http.StatusInternalServerError {
		name = fault
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.classes[name]
	k := Kept{f, r.gateway}
	c.kept, c.waiting = newest(append(c.kept, k), rdb.MaxFailures), newest(append(c.waiting, k), flushMost)
	if r.timer == nil {
		r.timer = time.AfterFunc(flushAfter, func() { r.flush(context.Background()) })
	}
}

// newest are the last of all, at most so many.
func newest(all []Kept, most int) []Kept {
	if len(all) > most {
		copy(all, all[len(all)-most:])
		all = all[:most]
	}
	return all
}

// flush writes what waits to Redis. What cannot be written is in memory alone.
func (r *Recorder) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r.mu.Lock()
	r.timer = nil
	texts := map[string][]string{}
	for name, c := range r.classes {
		for _, k := range c.waiting {
			text, _ := json.Marshal(k) // texts, numbers and a time
			texts[name] = append(texts[name], string(text))
		}
		c.waiting = nil
	}
	r.mu.Unlock()
	for name, all := range texts {
		if err := rdb.PushFailures(ctx, r.redis, name, all); err != nil {
			r.log.Debug("failures not shared", "error", err.Error())
		}
	}
}

// Recent returns what is kept, the newest first. shared reports whether that of other gateways is among it.
func (r *Recorder) Recent(ctx context.Context) (all []Kept, shared bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	seen := map[string]bool{}
	add := func(k Kept) {
		if !seen[k.RequestID] {
			seen[k.RequestID] = true
			all = append(all, k)
		}
	}
	r.mu.Lock()
	for _, c := range r.classes {
		for _, k := range c.kept {
			add(k)
		}
	}
	r.mu.Unlock()
	shared = true
	for _, name := range []string{fault, unavailable} {
		texts, err := rdb.Failures(ctx, r.redis, name)
		shared = shared && err == nil
		for _, text := range texts {
			var k Kept
			if json.Unmarshal([]byte(text), &k) == nil { // another version may write other fields
				add(k)
			}
		}
	}
	slices.SortFunc(all, func(a, b Kept) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.RequestID, a.RequestID))
	})
	return all, shared
}
