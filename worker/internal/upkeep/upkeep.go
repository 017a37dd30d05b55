// Package upkeep is the clock of the workers: it wakes whatever has due work and nobody working on it, and makes partitions ahead.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

const (
	wakeLimit      = 5000      // endpoints, and workspaces, woken by one sweep; the next one wakes more
	partitionEvery = time.Hour // partitions reach weeks ahead
)

// Deps is what an Upkeep works with. All fields are required.
type Deps struct {
	DB      *pg.DB
	Redis   redis.UniversalClient
	Waker   *task.Waker
	Every   time.Duration // from sweep to sweep
	Now     func() time.Time
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Upkeep asks for a sweep at every tick, and does those it gets.
//
//	ticker of every worker --> one task per tick (asynq) --> Sweep of one worker
//
// Retries that fall due, work of a killed process, wake-ups a lost Redis took along: all are due work nobody does, and the sweep finds it in Postgres.
type Upkeep struct {
	Deps
	woken *prometheus.CounterVec
	stop  context.CancelFunc
	done  chan struct{}

	mu          sync.Mutex
	partitioned time.Time
}

// New makes an Upkeep.
func New(d Deps) *Upkeep {
	u := &Upkeep{Deps: d, done: make(chan struct{}),
		woken: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadgate_sweep_woken_total", Help: "Keys the sweep found with due work, nobody at it or about to be."}, []string{"kind"})}
	d.Metrics.MustRegister(u.woken)
	return u
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

// Sweep handles the task of one tick. One that fails is dropped and not archived: the next tick does the same.
func (u *Upkeep) Sweep(ctx context.Context, t *asynq.Task) error {
	if err := u.sweep(ctx, t); err != nil {
		return fmt.Errorf("%w: %w", asynq.RevokeTask, err)
	}
	return nil
}

func (u *Upkeep) sweep(ctx context.Context, t *asynq.Task) error {
	if err := rdb.AnnounceQueues(ctx, u.Redis, task.Queues()...); err != nil {
		return fmt.Errorf("announce queues: %w", err)
	}
	endpoints, err := u.DB.DueEndpoints(ctx, time.Time{}, wakeLimit)
	if err != nil {
		return err
	}
	workspaces, err := u.DB.DueEnrichments(ctx, wakeLimit)
	if err != nil {
		return err
	}
	var drains, enrichments []task.Key
	for _, e := range endpoints {
		drains = append(drains, task.Drain(e.Workspace, e.Endpoint))
	}
	for _, w := range workspaces {
		enrichments = append(enrichments, task.Enrich(w))
	}
	if err := errors.Join(u.Waker.Repair(ctx, drains), u.Waker.Repair(ctx, enrichments)); err != nil {
		return fmt.Errorf("wake what is due: %w", err)
	}
	u.woken.WithLabelValues("endpoint").Add(float64(len(endpoints)))
	u.woken.WithLabelValues("enrichment").Add(float64(len(workspaces)))
	t.ResultWriter().Write(fmt.Appendf(nil, "due: %d endpoints, leads of %d workspaces", len(endpoints), len(workspaces))) // only to be read by people
	return u.partitions(ctx)
}

// partitions makes them ahead, once an hour in each worker that sweeps.
func (u *Upkeep) partitions(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.Now()
	if now.Sub(u.partitioned) < partitionEvery {
		return nil
	}
	if err := u.DB.EnsurePartitions(ctx); err != nil {
		return err
	}
	u.partitioned = now
	return nil
}
