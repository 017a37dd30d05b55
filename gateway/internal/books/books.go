// Package books counts what a workspace sent and what left no row in Postgres: refusals, and requests over a limit. What
// left one is counted in the statement that wrote it.
package books

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

const (
	flushInterval = time.Second
	flushTimeout  = 3 * time.Second
	flushEntries  = 5000    // of one statement
	maxCounts     = 100_000 // that wait to be written
)

// Deps of New.
type Deps struct {
	DB       *pg.DB
	Now      func() time.Time      // nil: time.Now
	Log      *slog.Logger          // nil: slog.Default
	Registry prometheus.Registerer // nil: metrics are kept but not published
}

// Counter counts in memory and writes every second. A process that is killed loses the counts of that second, each
// with what was received, so that books balance without it. A write whose answer was lost is repeated and counts once.
// Counts that cannot be written wait, up to twice maxCounts. A nil Counter counts nothing.
type Counter struct {
	db      *pg.DB
	now     func() time.Time
	log     *slog.Logger
	dropped prometheus.Counter
	flusher *lifecycle.Loop

	mu     sync.Mutex
	counts map[account]int64

	flushing sync.Mutex // held while counts are written, and of what follows
	process  id.UUID
	flush    int64                // the last one that is known to be written
	pending  [][]tenant.BookEntry // to be written, in order; the first may have been
	failing  bool                 // the last write failed
}

// account is what is counted apart.
type account struct {
	workspace, form id.UUID
	day             int32 // since 1970-01-01 (UTC)
	way             tenant.Way
	outcome         tenant.BookOutcome
}

// New makes a Counter, which writes once it is started.
func New(d Deps) *Counter {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	c := &Counter{db: d.DB, now: d.Now, log: d.Log, counts: map[account]int64{}, process: id.New()}
	c.flusher = lifecycle.Every(flushInterval, func(ctx context.Context) { _ = c.Flush(ctx) })
	c.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "leadgate_books_dropped_total", Help: "Counts of books lost because too many waited for Postgres.",
	})
	if d.Registry != nil {
		d.Registry.MustRegister(c.dropped)
	}
	return c
}

// In is where something came in.
type In struct {
	Workspace id.UUID
	Way       tenant.Way
	Form      id.UUID // zero: by none
}

// Count counts n times that what came in has an outcome today (UTC).
func (c *Counter) Count(in In, outcome tenant.BookOutcome, n int) {
	if c == nil || n <= 0 {
		return
	}
	a := account{in.Workspace, in.Form, int32(c.now().Unix() / (24 * 60 * 60)), in.Way, outcome}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.counts[a]; !there && len(c.counts) >= maxCounts {
		c.dropped.Add(float64(n))
		return
	}
	c.counts[a] += int64(n)
}

// CountError counts what err says of a request; nil says nothing. What the statement that would have made a lead counts,
// and what counts as not received, is not counted: a failure of ours, and a repetition of a request that is under way or
// was answered.
func (c *Counter) CountError(in In, err error) {
	if outcome, ok := OutcomeOf(err); ok {
		c.Count(in, outcome, 1)
	}
}

// refusals are the outcomes of errors that left no row.
var refusals = map[fault.Kind]tenant.BookOutcome{
	fault.Validation:      tenant.RefusedValidation.Outcome(),
	fault.Duplicate:       tenant.RefusedDuplicate.Outcome(),
	fault.DuplicatePhone:  tenant.RefusedDuplicate.Outcome(),
	fault.NotFound:        tenant.RefusedNotFound.Outcome(),
	fault.ChatbotNotFound: tenant.RefusedNotFound.Outcome(),
	fault.MediaType:       tenant.RefusedMediaType.Outcome(),
	fault.TooLarge:        tenant.RefusedTooLarge.Outcome(),
	fault.Timeout:         tenant.RefusedTimeout.Outcome(),
	fault.Forbidden:       tenant.RefusedForbidden.Outcome(),
	fault.KeyMismatch:     tenant.RefusedIdempotency.Outcome(),
	fault.RateLimited:     tenant.BookLimited,
}

// OutcomeOf returns the outcome of a request that failed with err; ok is false for one that is counted elsewhere or not
// at all.
func OutcomeOf(err error) (outcome tenant.BookOutcome, ok bool) {
	if err == nil {
		return "", false
	}
	outcome, ok = refusals[fault.From(err).Kind]
	return outcome, ok
}

// Start begins to write, every second.
func (c *Counter) Start() { c.flusher.Start() }

// Stop writes what is left. Called again, it writes what was counted since.
func (c *Counter) Stop(ctx context.Context) error {
	c.flusher.Stop()
	return c.Flush(ctx)
}

// Flush writes what was counted until now. What cannot be written waits for the next call; a failure is logged.
func (c *Counter) Flush(ctx context.Context) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	if err := c.writePending(ctx); err != nil { // before more is taken, so that what waits is bounded
		return err
	}
	c.pending = slices.Collect(slices.Chunk(c.take(), flushEntries))
	return c.writePending(ctx)
}

// take returns what was counted since the last call.
func (c *Counter) take() []tenant.BookEntry {
	c.mu.Lock()
	taken := c.counts
	c.counts = make(map[account]int64, len(taken))
	c.mu.Unlock()
	entries := make([]tenant.BookEntry, 0, len(taken))
	for a, n := range taken {
		entries = append(entries, tenant.BookEntry{WorkspaceID: a.workspace, FormID: a.form, Way: a.way, Outcome: a.outcome,
			Day: time.Unix(int64(a.day)*24*60*60, 0), N: n})
	}
	return entries
}

// writePending writes one flush after the other. One that fails may have been written all the same, and keeps its
// number and its entries.
func (c *Counter) writePending(ctx context.Context) error {
	for len(c.pending) > 0 {
		if err := c.write(ctx, c.flush+1, c.pending[0]); err != nil {
			return err
		}
		c.flush++
		c.pending = c.pending[1:]
	}
	return nil
}

func (c *Counter) write(ctx context.Context, flush int64, entries []tenant.BookEntry) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	err := c.db.FlushBooks(ctx, c.process, flush, entries)
	changed := c.failing != (err != nil)
	c.failing = err != nil
	switch {
	case changed && err != nil:
		c.log.Warn("write books failed", "error", err.Error())
	case changed:
		c.log.Info("write books recovered")
	}
	return err
}
