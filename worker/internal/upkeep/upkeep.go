// Package upkeep is the clock of the workers: it wakes whatever has due work and nobody working on it, and deletes what
// is old.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// Deps is what an Upkeep works with. All fields but Speaks are required.
type Deps struct {
	DB                  *pg.DB
	Redis               redis.UniversalClient
	Waker               *task.Waker
	Every               time.Duration // from sweep to sweep
	Retention           time.Duration // of events, deliveries and attempts
	SubmissionRetention time.Duration
	Now                 func() time.Time
	Log                 *slog.Logger
	Metrics             prometheus.Registerer
	Speaks              func() bool // whether this worker tells what is the same from each; nil: it does
}

// Upkeep asks for a sweep at every tick, and does those it gets.
//
//	ticker of every worker --> one task per tick (asynq) --> Sweep of one worker --> chores, one after the other
//
// Retries that fall due, work of a killed process, wake-ups that were lost with a Redis: all are due work that nobody
// does, and the sweep finds it in Postgres.
type Upkeep struct {
	Deps
	metrics metrics
	chores  []*chore
	ticker  *lifecycle.Loop

	// Of the ticker's goroutine only.
	next        time.Time // the tick to ask a sweep for; zero before the first
	unavailable bool      // Redis did not answer the last time

	// Bounds of one sweep; the next one goes on.
	scanLimit  int           // endpoints with pending deliveries that are read
	watchLimit int           // endpoints that are compared with their workspaces' targets
	probeLimit int           // failing endpoints that get a probe task, and those whose probe task runs now
	purgeBatch int           // deleted leads that are read at a time
	keyBatch   int           // idempotency keys that one statement deletes
	purgeTime  time.Duration // of deleting leads, of deleting keys, and of deleting workspaces

	deletionBatch int           // rows of a deleted workspace that one commit erases
	settle        time.Duration // how long after its row was deleted somebody may still write for a workspace

	watchAfter pg.EndpointRef        // where the next look for slow endpoints goes on; of that chore only
	scanAfter  pg.EndpointRef        // where the next scan goes on; of the chore "endpoints" only
	scans      int                   // how often scans began with the first endpoint; the same
	deleting   map[id.UUID]*deletion // workspaces; of "workspace deletions" only
	purged     pg.Purge              // the last lead that was read, zero: begin with the first; of "deleted leads" only
}

// New returns an Upkeep.
func New(d Deps) *Upkeep {
	u := &Upkeep{Deps: d, metrics: newMetrics(d.Metrics, d.Speaks, d.Now), scanLimit: scanLimit, probeLimit: probeLimit,
		watchLimit: watchLimit, purgeBatch: purgeBatch, keyBatch: keyBatch, purgeTime: purgeTime,
		deletionBatch: deletionBatch, settle: settleTime}
	u.ticker = lifecycle.NewLoop(0, u.tick)
	u.chores = []*chore{
		{name: "endpoints", where: func(w *pg.Unfinished) bool { return w.Deliveries }, do: u.endpoints},
		{name: "enrichments", where: func(w *pg.Unfinished) bool { return w.Enrichments }, do: u.enrichments},
		{name: "replays", where: func(w *pg.Unfinished) bool { return w.Replays }, do: u.replays},
		{name: "imports", where: func(w *pg.Unfinished) bool { return w.Imports }, do: u.imports},
		{name: "erasures", where: func(w *pg.Unfinished) bool { return w.Erasures }, count: u.metrics.erased, do: u.erasures},
		{name: "workspace deletions", where: func(w *pg.Unfinished) bool { return w.Deletions }, do: u.deleteWorkspaces},
		{name: "book entries", where: func(w *pg.Unfinished) bool { return w.BookEntries }, do: u.foldBooks},
		{name: "words of leads", every: time.Minute, do: u.reindexSearch},
		{name: "partitions ahead", every: time.Hour, do: u.createPartitions},
		{name: "old partitions", every: time.Hour, count: u.metrics.dropped, do: u.dropPartitions},
		{name: "old endpoints and replays", every: time.Hour, do: untilNext(u.deleteOldEndpoints)},
		{name: "old imports", every: time.Hour, do: untilNext(u.deleteOldImports)},
		{name: "old audit rows", every: time.Hour, do: untilNext(d.DB.DeleteOldAudit)},
		{name: "old console sessions", every: time.Hour, do: untilNext(d.DB.DeleteOldSessions)},
		{name: "old books", every: time.Hour, do: untilNext(d.DB.DeleteOldBooks)},
		{name: "old releases", every: time.Hour, do: untilNext(d.DB.DeleteOldReleases)},
		{name: "held submissions", every: time.Hour, do: untilNext(d.DB.DeleteExpiredSubmissions)},
		{name: "slow endpoints", every: time.Minute, count: u.metrics.slow, do: u.slowEndpoints},
		{name: "old delivery times", every: 10 * time.Minute, do: untilNext(d.DB.DeleteOldTimes)},
		{name: "idempotency keys", every: time.Hour, count: u.metrics.keys, do: u.deleteKeys},
		{name: "size of Postgres", every: time.Hour, do: u.keepSize},
		{name: "deleted leads", every: time.Hour, count: u.metrics.purged, do: u.purgeLeads},
	}
	return u
}

// chore is one of the things that a sweep does.
type chore struct {
	name  string
	every time.Duration             // 0: in each sweep
	where func(*pg.Unfinished) bool // nil: always
	count prometheus.Counter        // of what was done; nil: none, or do counts itself
	do    func(context.Context) (n int, more bool, err error)

	mu  sync.Mutex // held while it is done: other sweeps leave it out meanwhile
	due time.Time
}

// run does the chore, if it is due and no other sweep is at it, and returns how many things it did. Where more is left
// the next sweep goes on.
func (c *chore) run(ctx context.Context, now time.Time) (n int, err error) {
	if !c.mu.TryLock() {
		return 0, nil
	}
	defer c.mu.Unlock()
	if now.Before(c.due) {
		return 0, nil
	}
	n, more, err := c.do(ctx)
	if !more {
		c.due = now.Add(c.every)
	}
	if c.count != nil {
		c.count.Add(float64(n))
	}
	return n, err
}

// Sweep handles the task of one tick. What a chore cannot do is no reason to leave out the others. The task fails when
// a chore of every sweep has failed; it is not retried, because the next tick does the same. Others wait for their next
// time.
func (u *Upkeep) Sweep(ctx context.Context, t *asynq.Task) error {
	if err := rdb.AnnounceQueues(ctx, u.Redis, task.Queues()...); err != nil {
		return fmt.Errorf("%w: announce queues: %w", asynq.RevokeTask, err)
	}
	var report []string
	var errs []error
	unfinished, err := u.DB.FindUnfinished(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	for _, c := range u.chores {
		if c.where != nil && !c.where(&unfinished) {
			continue
		}
		n, err := c.run(ctx, u.Now())
		if n > 0 {
			report = append(report, fmt.Sprintf("%s: %d", c.name, n))
		}
		switch {
		case err != nil && c.every == 0:
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		case err != nil:
			u.Log.Warn("chore failed", "chore", c.name, "error", err.Error())
		}
	}
	t.ResultWriter().Write([]byte(strings.Join(report, ", "))) // only people read it
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", asynq.RevokeTask, err)
	}
	return nil
}

// Start starts the ticker.
func (u *Upkeep) Start() { u.ticker.Start() }

// Stop stops the ticker and waits for it.
func (u *Upkeep) Stop() { u.ticker.Stop() }

// tick asks for the sweep of one tick, and returns the wait for the next. An outage is logged when it begins and when
// it ends.
func (u *Upkeep) tick(ctx context.Context) time.Duration {
	if u.next.IsZero() {
		return u.untilTick()
	}
	err := u.ask(ctx, u.next)
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil && !u.unavailable:
		u.Log.Warn("redis unavailable", "fallback", "no sweeps", "error", err.Error())
	case err == nil && u.unavailable:
		u.Log.Info("redis available again: sweeps resumed")
	}
	u.unavailable = err != nil
	return u.untilTick()
}

// untilTick returns how long it is until the next multiple of Every, so that all workers ask for the same ticks.
func (u *Upkeep) untilTick() time.Duration {
	now := u.Now()
	u.next = now.Truncate(u.Every).Add(u.Every)
	return u.next.Sub(now)
}

func (u *Upkeep) ask(ctx context.Context, tick time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, max(u.Every, time.Second))
	defer cancel()
	return u.Waker.EnqueueSweep(ctx, tick, u.Every)
}
