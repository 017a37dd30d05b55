// Package process is what a worker does with a task: it drains, probes or tests an endpoint, enriches leads, replays
// deliveries, or imports a file.
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

	batcher "leadgate/shared/batch"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// Bounds of one run.
const (
	leaseLimit  = 64                     // deliveries in the first lease of a drain
	leaseMax    = 256                    // the same once there is a backlog
	batchedMax  = 1000                   // the same of an endpoint that takes batches
	leaseTime   = 12 * time.Second       // of an endpoint: how long it rests when its worker is killed
	recordEvery = 200 * time.Millisecond // how long outcomes wait to be recorded
	renewEvery  = 3 * time.Second        // of the lease, and of the wake-up's state, which lives for rdb.RunningTTL
	closingTime = 5 * time.Second        // for the last calls to a store when there is no other deadline
	enrichLimit = 200                    // leads of a workspace enriched in one batch
)

// workspaceSockets is how many attempts one workspace has under way in one worker, over all its endpoints, before each
// of those gets only one more, so that none uses up the process's sockets.
const workspaceSockets = 1024

// defaultMaxRun is how long a run takes before it goes to the back of the queue.
const defaultMaxRun = 5 * time.Second

// Deps is what a Processor works with. All fields but Tracer, MaxRun and DisableAfter are required.
type Deps struct {
	DB      *pg.DB
	Redis   redis.UniversalClient
	Waker   *task.Waker
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Now     func() time.Time
	Tracer  *trace.Tracer          // exports imports and attempts at deliveries that have a trace; nil: none
	Memory  *limit.Budget[id.UUID] // bounds the deliveries that workspaces' drains hold

	// Send makes one request of deliveries, and returns an attempt at each. made is false when the context ended first.
	Send func(context.Context, *webhook.Endpoint, []webhook.DueDelivery) (attempts []webhook.Attempt, made bool)
	// Find returns what is known about each lead of a workspace with these settings, in the leads' order.
	Find pg.Find

	Schedule     webhook.Schedule // of workspaces that have none of their own
	MaxRun       time.Duration    // of one run, before it goes to the back of the queue; 0: 5 s
	DisableAfter time.Duration    // of nothing but failures, after which an endpoint is disabled; 0: never
	AttemptLog   bool             // logs every attempt, not only failed ones
}

// Processor handles wake-ups.
//
//	Stop --> soft stop: no run begins anything more --> grace later, hard stop: attempts under way are cancelled
type Processor struct {
	Deps
	metrics   metrics
	random    func() float64 // in [0,1), for jitter
	inspector *asynq.Inspector
	sockets   *limit.Semaphore[id.UUID] // of workspaces with their sandboxes
	payers    payers
	woken     woken
	records   *batcher.Batcher[pg.RecordRequest, recorded]

	softStop, hardStop context.Context // end when runs must not begin anything, and when they must end

	stopSoftly, stopHard context.CancelFunc
}

// New returns a Processor.
func New(d Deps) *Processor {
	if d.MaxRun == 0 {
		d.MaxRun = defaultMaxRun
	}
	p := &Processor{Deps: d, metrics: newMetrics(d.Metrics), random: rand.Float64,
		inspector: asynq.NewInspectorFromRedisClient(d.Redis),
		sockets:   limit.NewSemaphore[id.UUID](workspaceSockets, math.MaxInt, 0)}
	p.records = batcher.New(batcher.Options{Queue: math.MaxInt, Max: recordMax, Calls: recordCalls, Pace: recordPace},
		batcher.Recover(d.Log, "record", p.recordAll, func(err error) recorded { return recorded{err: err} }))
	p.softStop, p.stopSoftly = context.WithCancel(context.Background())
	p.hardStop, p.stopHard = context.WithCancel(context.Background())
	return p
}

// Stop keeps runs from leasing more, and cancels their attempts after grace. It does not wait for them: the servers do.
// A cancelled attempt is not recorded; its delivery stays pending.
func (p *Processor) Stop(grace time.Duration) {
	p.stopSoftly()
	time.AfterFunc(grace, p.stopHard)
}

// Handler routes tasks by type; sweep is upkeep's.
func (p *Processor) Handler(sweep asynq.HandlerFunc) asynq.Handler {
	mux := asynq.NewServeMux()
	mux.Handle(task.TypeDrain, p.handleRun("drain", func(key task.Key) work { return p.newDrain(key) }))
	mux.Handle(task.TypeWoken, p.handleRun("drain", p.newWokenDrains))
	mux.Handle(task.TypeProbe, p.handle("probe", p.probe))
	mux.Handle(task.TypeTest, p.handle("test", p.test))
	mux.Handle(task.TypeReplay, p.handleRun("run", whileActive(p.newReplay)))
	mux.Handle(task.TypeImport, p.handleRun("run", whileActive(p.newImport)))
	mux.Handle(task.TypeEnrich, p.handleRun("enrich", p.newEnrichment))
	mux.Handle(task.TypeDue, p.handleRun("enrich", p.newDueEnrichment))
	mux.Handle(task.TypeSweep, sweep)
	return mux
}

// storeRetry is how long a task waits that failed for a reason of ours, such as Postgres being unavailable.
const storeRetry = 5 * time.Second

// RetryDelay is asynq's RetryDelayFunc: the probe task of a failing endpoint runs again when its next delivery is due.
func RetryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var f *failingError
	if errors.As(err, &f) {
		return f.retryIn
	}
	return storeRetry
}

// ErrorHandler logs each task that failed, once. An endpoint's failure is its owner's business, anything else is ours.
func ErrorHandler(log *slog.Logger) asynq.ErrorHandler {
	return asynq.ErrorHandlerFunc(func(ctx context.Context, t *asynq.Task, err error) {
		id, _ := asynq.GetTaskID(ctx)
		var f *failingError
		if errors.As(err, &f) {
			log.Info("endpoint failing", "task", id, "key", f.key.String(), "error", err.Error())
			return
		}
		log.Error("task failed", "task", id, "type", t.Type(), "payload", string(t.Payload()), "error", err.Error())
	})
}
