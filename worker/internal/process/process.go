// Package process is what a worker does when it is woken: it drains endpoints and enriches leads until nothing is owed.
package process

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// workspaceSockets is how many attempts one workspace has under way in one worker, over all its endpoints, before each of those
// gets only one more: so none uses up the process's sockets.
const workspaceSockets = 1024

// Bounds of one turn.
const (
	takeLimit   = 64                     // deliveries taken at once; their payloads, up to 40 KiB each, are in memory for every drain
	takeMost    = 256                    // the same while they are small:
	takeBytes   = 512 << 10              // so much at most, all together
	enrichLimit = 200                    // leads taken at once
	leaseTime   = 12 * time.Second       // of an endpoint; so long it rests when its worker is killed
	flushEvery  = 200 * time.Millisecond // outcomes wait for no longer
	renewEvery  = 3 * time.Second        // of the lease, and of the wake-up's state, which lives rdb.RunningTTL
	closing     = 5 * time.Second        // for the last words to a store when there is no other deadline
)

// defaultSlice is a turn's time before it goes to the back of the queue.
const defaultSlice = 5 * time.Second

// Deps is what a Processor works with. All fields but Slice and DisableAfter are required.
type Deps struct {
	DB       *pg.DB
	Redis    redis.UniversalClient
	Waker    *task.Waker
	Send     func(context.Context, *webhook.Endpoint, *webhook.Job) (a webhook.Attempt, made bool) // one attempt; not made: the context ended first
	Find     func(context.Context, []lead.Lead) []pg.Finding                                       // one for each lead, in order
	Schedule webhook.Schedule                                                                      // of workspaces that have none of their own
	Slice    time.Duration                                                                         // how long a turn may take before it goes to the back of the queue; 0: 5 s
	Now      func() time.Time
	Log      *slog.Logger
	Metrics  prometheus.Registerer

	DisableAfter time.Duration // of nothing but failure an endpoint is disabled; 0: never

	AttemptLog bool // a line per attempt, not only per failed one
}

// Processor handles wake-ups.
//
//	Stop --> taking ends (no turn takes more) --> grace later: sending ends (attempts under way are given up)
type Processor struct {
	Deps
	metrics metrics
	spread  func() float64 // random in [0,1)

	inspector *asynq.Inspector
	sockets   *limit.Semaphore[id.UUID] // of workspaces

	taking, sending         context.Context
	stopTaking, stopSending context.CancelFunc
}

// New makes a Processor.
func New(d Deps) *Processor {
	if d.Slice == 0 {
		d.Slice = defaultSlice
	}
	p := &Processor{Deps: d, metrics: newMetrics(d.Metrics), spread: rand.Float64, inspector: asynq.NewInspectorFromRedisClient(d.Redis)}
	p.sockets = limit.NewSemaphore[id.UUID](workspaceSockets, math.MaxInt, 0)
	p.taking, p.stopTaking = context.WithCancel(context.Background())
	p.sending, p.stopSending = context.WithCancel(context.Background())
	return p
}

// Stop makes turns under way take nothing more, and after grace give up what they are sending. It does not wait: the servers do.
// An attempt that is given up is not recorded; its delivery stays owed.
func (p *Processor) Stop(grace time.Duration) {
	p.stopTaking()
	time.AfterFunc(grace, p.stopSending)
}

// Handler routes tasks by type; sweep is upkeep's.
func (p *Processor) Handler(sweep asynq.HandlerFunc) asynq.Handler {
	mux := asynq.NewServeMux()
	mux.HandleFunc(task.TypeDrain, p.Drain)
	mux.HandleFunc(task.TypeProbe, p.Probe)
	mux.HandleFunc(task.TypeTest, p.Test)
	mux.HandleFunc(task.TypeReplay, p.Replay)
	mux.HandleFunc(task.TypeImport, p.Import)
	mux.HandleFunc(task.TypeEnrich, p.Enrich)
	mux.Handle(task.TypeSweep, sweep)
	return mux
}

// storeRetry is how long a task waits that failed for a reason of ours, such as Postgres being away.
const storeRetry = 5 * time.Second

// RetryDelay is asynq's RetryDelayFunc: a failing endpoint is looked at when its next delivery is due.
func RetryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var f *failing
	if errors.As(err, &f) {
		return f.in
	}
	return storeRetry
}

// ErrorHandler logs each task that did not end well, once: an endpoint's failure is its owner's, the rest is ours.
func ErrorHandler(log *slog.Logger) asynq.ErrorHandler {
	return asynq.ErrorHandlerFunc(func(ctx context.Context, t *asynq.Task, err error) {
		id, _ := asynq.GetTaskID(ctx)
		var f *failing
		if errors.As(err, &f) {
			log.Info("endpoint fails", "task", id, "key", f.key.String(), "error", err.Error())
			return
		}
		log.Error("task failed", "task", id, "type", t.Type(), "payload", string(t.Payload()), "error", err.Error())
	})
}

// keep makes a context for closing words: it outlives ctx.
func keep(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closing)
}
