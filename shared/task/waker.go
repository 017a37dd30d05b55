package task

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"leadgate/shared/id"
	"leadgate/shared/rdb"
)

// Options of every wake-up task.
const (
	timeout   = 2 * time.Minute // a run takes seconds; this only ends a stuck one
	retention = time.Minute     // how long a finished task, with its result, stays to be read
	maxRetry  = 1000            // what fails is an endpoint, not a task; Postgres says when to stop
	enqueuers = 16
)

// Waker enqueues tasks for workers.
type Waker struct {
	redis     redis.UniversalClient
	asynq     *asynq.Client
	inspector *asynq.Inspector
}

// NewWaker returns a Waker on a shared client, which it does not close.
func NewWaker(c redis.UniversalClient) *Waker {
	return &Waker{redis: c, asynq: asynq.NewClientFromRedisClient(c), inspector: asynq.NewInspectorFromRedisClient(c)}
}

// Wake makes sure that each key is worked on soon: endpoints by the task of DrainWoken, which gives those with many
// deliveries to tasks of their own. A key that waits or runs already costs one small script, as do all endpoints
// together. A wake-up that fails is not lost work: the sweep finds what is due.
func (w *Waker) Wake(ctx context.Context, keys []Key) error { return w.Announce(ctx, nil, keys) }

// Announce marks reservations committed and wakes keys, in one round trip when no key is idle.
func (w *Waker) Announce(ctx context.Context, held []rdb.Reservation, keys []Key) error {
	var endpoints []rdb.WokenEndpoint
	var others []Key
	for _, k := range keys {
		if k == Drain(k.Workspace, k.Endpoint) && k.Endpoint != (id.UUID{}) {
			endpoints = append(endpoints, rdb.WokenEndpoint{Workspace: k.Workspace, Endpoint: k.Endpoint})
		} else {
			others = append(others, k)
		}
	}
	byState, states := statesOf(others)
	byState[rdb.WokenTask()] = DrainWoken()
	idle, err := rdb.Announce(ctx, w.redis, held, states, endpoints)
	return errors.Join(err, w.enqueueAll(ctx, idle, byState))
}

// WakeDrains has tasks of their own drain endpoints that have none. One that has not begun after lostAfter counts as
// lost.
func (w *Waker) WakeDrains(ctx context.Context, keys []Key) error {
	byState, states := statesOf(keys)
	idle, err := rdb.Repair(ctx, w.redis, states, lostAfter)
	return errors.Join(err, w.enqueueAll(ctx, idle, byState))
}

// lostAfter is how long a key waits for its task before it gets another: a process may have been killed before it
// enqueued the first. Where that is only late, the second finds nothing to do.
const lostAfter = 30 * time.Second

// Repair wakes keys of one queue that have due work and nobody working on it. A key that seems to wait for a task gets
// another one after lostAfter, and at once where the queue is empty: its own was lost with a Redis or a process.
// stranded is how many keys had no task.
func (w *Waker) Repair(ctx context.Context, keys []Key) (stranded int, err error) {
	if len(keys) == 0 {
		return 0, nil
	}
	empty, err := rdb.QueueEmpty(ctx, w.redis, queueOf(keys[0]))
	if err != nil {
		return 0, err
	}
	after := lostAfter
	if empty {
		after = 0
	}
	byState, states := statesOf(keys)
	idle, err := rdb.Repair(ctx, w.redis, states, after)
	return len(idle), errors.Join(err, w.enqueueAll(ctx, idle, byState))
}

// Woken returns the key of the task of woken endpoints, if some wait for it.
func (w *Waker) Woken(ctx context.Context) ([]Key, error) {
	any, err := rdb.AnyWoken(ctx, w.redis)
	if err != nil || !any {
		return nil, err
	}
	return []Key{DrainWoken()}, nil
}

// statesOf returns the distinct states of keys, and whose they are.
func statesOf(keys []Key) (map[rdb.WakeKey]Key, []rdb.WakeKey) {
	byState := make(map[rdb.WakeKey]Key, len(keys))
	states := make([]rdb.WakeKey, 0, len(keys))
	for _, k := range keys {
		s := k.Wake()
		if _, seen := byState[s]; !seen {
			byState[s] = k
			states = append(states, s)
		}
	}
	return byState, states
}

// enqueueAll gives up a queue when one task cannot be put into it: in a cluster each queue is at one node.
func (w *Waker) enqueueAll(ctx context.Context, idle []rdb.WakeKey, byState map[rdb.WakeKey]Key) error {
	byQueue := map[string][]Key{}
	for _, s := range idle {
		k := byState[s]
		byQueue[queueOf(k)] = append(byQueue[queueOf(k)], k)
	}
	var queues errgroup.Group
	for _, keys := range byQueue {
		queues.Go(func() error {
			g, gctx := errgroup.WithContext(ctx)
			g.SetLimit(enqueuers)
			for _, k := range keys {
				g.Go(func() error { return w.Enqueue(gctx, k) })
			}
			return g.Wait()
		})
	}
	return queues.Wait()
}

func queueOf(k Key) string {
	_, queue := k.wakeTask()
	return queue
}

// Enqueue puts a task for k into its queue; only whoever turned k's state to waiting may call it.
func (w *Waker) Enqueue(ctx context.Context, k Key) error {
	t, queue := k.wakeTask()
	_, err := w.asynq.EnqueueContext(ctx, t, asynq.Queue(queue), asynq.Timeout(timeout), asynq.Retention(retention),
		asynq.MaxRetry(maxRetry))
	if err == nil {
		return nil
	}
	err = fmt.Errorf("enqueue %s: %w", k, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // ctx may be why it failed
	defer cancel()
	return errors.Join(err, rdb.Unwake(ctx, w.redis, k.Wake()))
}

// EnsureProbeTask enqueues the one probe task of a failing endpoint, unless it exists. The task stays, in retry, for as
// long as the endpoint fails.
func (w *Waker) EnsureProbeTask(ctx context.Context, k Key) error {
	_, err := w.ensureProbeTask(ctx, k, false)
	return err
}

// RunProbeTask is EnsureProbeTask for an endpoint that is to be tried now: a task that waits runs at once.
func (w *Waker) RunProbeTask(ctx context.Context, k Key) error {
	_, err := w.ensureProbeTask(ctx, k, true)
	return err
}

// RemoveProbeTask deletes the probe task of an endpoint that gets nothing any more. One that runs ends by itself.
func (w *Waker) RemoveProbeTask(k Key) { w.inspector.DeleteTask(QueueFailing, k.String()) }

// EnsureProbeTasks is EnsureProbeTask, or where due is set RunProbeTask, for many. stranded is how many had no task.
func (w *Waker) EnsureProbeTasks(ctx context.Context, keys []Key, due bool) (stranded int, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(enqueuers)
	var made atomic.Int64
	for _, k := range keys {
		g.Go(func() error {
			isNew, err := w.ensureProbeTask(gctx, k, due)
			if isNew {
				made.Add(1)
			}
			return err
		})
	}
	err = g.Wait()
	return int(made.Load()), err
}

func (w *Waker) ensureProbeTask(ctx context.Context, k Key, due bool) (isNew bool, err error) {
	_, err = w.asynq.EnqueueContext(ctx, k.task(TypeProbe), asynq.Queue(QueueFailing), asynq.TaskID(k.String()),
		asynq.Timeout(timeout), asynq.MaxRetry(math.MaxInt32))
	if !errors.Is(err, asynq.ErrTaskIDConflict) {
		return err == nil, err
	}
	if due {
		w.inspector.RunTask(QueueFailing, k.String()) // fails where the task runs already, or has just ended: that is fine
	}
	return false, nil
}

// EnqueueTest asks for one attempt at one delivery, now.
func (w *Waker) EnqueueTest(ctx context.Context, workspace, endpoint, delivery id.UUID) error {
	k := Key{Workspace: workspace, Endpoint: endpoint, Delivery: delivery}
	_, err := w.asynq.EnqueueContext(ctx, k.task(TypeTest), asynq.Queue(QueueWebhook), asynq.Timeout(timeout),
		asynq.Retention(retention), asynq.MaxRetry(0))
	return err
}

// EnqueueSweep enqueues the sweep of one tick; of all workers that ask for the same tick, one gets it.
func (w *Waker) EnqueueSweep(ctx context.Context, tick time.Time, every time.Duration) error {
	id := "sweep:" + tick.UTC().Format(time.RFC3339Nano)
	_, err := w.asynq.EnqueueContext(ctx, asynq.NewTask(TypeSweep, nil), asynq.Queue(QueueUpkeep), asynq.TaskID(id),
		asynq.Timeout(time.Minute), asynq.Retention(max(retention, 2*every)), asynq.MaxRetry(0))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}
