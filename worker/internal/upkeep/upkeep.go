// Package upkeep is the clock of the workers: it wakes whatever has due work and nobody working on it, makes partitions ahead, and drops old ones.
package upkeep

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

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
	stop    context.CancelFunc
	done    chan struct{}

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
	return &Upkeep{Deps: d, metrics: newMetrics(d.Metrics), done: make(chan struct{}), lookLimit: lookLimit, standLimit: standLimit, purgeBatch: purgeBatch, keyBatch: keyBatch, clearSlice: clearSlice}
}

// Start starts the ticker.
func (u *Upkeep) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	u.stop = cancel
	go u.tick(ctx)
}

// Stop stops the ticker and waits for it.
func (u *Upkeep) Stop() {
	u.stop()
	<-u.done
}

// tick asks at multiples of Every, so that all workers ask for the same ticks. An outage is logged when it begins and when it ends.
func (u *Upkeep) tick(ctx context.Context) {
	defer close(u.done)
	away := false
	for {
		now := u.Now()
		next := now.Truncate(u.Every).Add(u.Every)
		select {
		case <-ctx.Done():
			return
		case <-time.After(next.Sub(now)):
		}
		err := u.ask(ctx, next)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !away:
			u.Log.Warn("no sweeps: Redis does not answer", "error", err.Error())
		case err == nil && away:
			u.Log.Info("sweeps again")
		}
		away = err != nil
	}
}

func (u *Upkeep) ask(ctx context.Context, tick time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, max(u.Every, time.Second))
	defer cancel()
	return u.Waker.Sweep(ctx, tick, u.Every)
}
