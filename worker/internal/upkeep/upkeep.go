// Package upkeep is the clock of the workers: it wakes whatever has due work and nobody working on it, makes partitions ahead, and drops old ones.
package upkeep

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// Deps is what an Upkeep works with. All fields are required.
type Deps struct {
	DB        *pg.DB
	Redis     redis.UniversalClient
	Waker     *task.Waker
	Every     time.Duration // from sweep to sweep
	Retention time.Duration // of events, deliveries and attempts
	Now       func() time.Time
	Log       *slog.Logger
	Metrics   prometheus.Registerer
}

// Upkeep asks for a sweep at every tick, and does those it gets.
//
//	ticker of every worker --> one task per tick (asynq) --> Sweep of one worker
//
// Retries that fall due, work of a killed process, wake-ups a lost Redis took along: all are due work nobody does, and the sweep finds it in Postgres.
type Upkeep struct {
	Deps
	metrics metrics
	ticker  *lifecycle.Loop

	// Of the ticker's goroutine only.
	next        time.Time // the tick to ask a sweep for; zero before the first
	unavailable bool      // Redis did not answer the last time

	lookLimit  int // endpoints with pending deliveries that a sweep looks at
	standLimit int // failing ones it sees to
	purgeBatch int // deleted leads read at a time
	keyBatch   int // old keys deleted by one statement
	clearSlice time.Duration

	mu    sync.Mutex
	after pg.EndpointRef // where the next sweep looks on
	lap   int            // how often sweeps began again

	hourly      sync.Mutex
	partitioned time.Time

	clearing sync.Mutex
	keysAt   time.Time // when clear is to look for old keys again; zero: at once
	purgesAt time.Time // the same of leads to be erased
	purged   pg.Purge  // the last one that was seen to; zero: begin with the first
}

// New makes an Upkeep.
func New(d Deps) *Upkeep {
	u := &Upkeep{Deps: d, metrics: newMetrics(d.Metrics), lookLimit: lookLimit, standLimit: standLimit,
		purgeBatch: purgeBatch, keyBatch: keyBatch, clearSlice: clearSlice}
	u.ticker = lifecycle.NewLoop(0, u.tick)
	return u
}

// Start starts the ticker.
func (u *Upkeep) Start() { u.ticker.Start() }

// Stop stops the ticker and waits for it.
func (u *Upkeep) Stop() { u.ticker.Stop() }

// untilTick returns how long it is until the next multiple of Every, so that all workers ask for the same ticks.
func (u *Upkeep) untilTick() time.Duration {
	now := u.Now()
	u.next = now.Truncate(u.Every).Add(u.Every)
	return u.next.Sub(now)
}

// tick asks for the sweep of one tick, and returns the wait for the next. An outage is logged when it begins and when it ends.
func (u *Upkeep) tick(ctx context.Context) time.Duration {
	if u.next.IsZero() {
		return u.untilTick()
	}
	err := u.ask(ctx, u.next)
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil && !u.unavailable:
		u.Log.Warn("redis unavailable: no sweeps", "error", err.Error())
	case err == nil && u.unavailable:
		u.Log.Info("redis available again: sweeps resumed")
	}
	u.unavailable = err != nil
	return u.untilTick()
}

func (u *Upkeep) ask(ctx context.Context, tick time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, max(u.Every, time.Second))
	defer cancel()
	return u.Waker.EnqueueSweep(ctx, tick, u.Every)
}
