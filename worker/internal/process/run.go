package process

import (
	"cmp"
	"context"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// work is what a run does on its key, in batches.
type work interface {
	batch(*run) (more bool, err error) // does some of it and reports whether more is left
	release()                          // gives up what keeps other workers from the key; called before a run ends
	finish(context.Context) error      // does what follows once the wake-up's state is given up
	report() string                    // says what was done, for people: "delivered 118, failed 2"
}

// run is one task's work on one key, between the begin and the end of its wake-up's state in Redis.
type run struct {
	*Processor
	key     task.Key
	state   rdb.WakeKey
	taskID  string // also the token of the wake-up's state; "" where there is none
	renewed time.Time

	resumeAt time.Time // when nothing is left but what waits until then; zero: nothing is

	task      context.Context // of the asynq task, which is longer than the run
	accepting context.Context // once it has ended, nothing further begins
	abort     context.Context // once it has ended, what is under way is cancelled

	stopAccepting, cancelAbort context.CancelFunc
}

// end is how a run ended.
type end int

const (
	done     end = iota // nothing is left
	requeued            // more is left, for a task at the back of the queue
	busy                // another task works on the key, and looks again before it ends
)

// run does batches until nothing is left, the run has taken its time or the process stops.
//
//	begin --> batch --more--> batch ... --MaxRun over--> release --> requeue
//	            |  ^     \
//	      nothing  |      some waits --> release --> requeue, for later
//	            v  woken again
//	  release, finish --> done
//
// Redis only says who goes first. Where it fails the work goes on: leases in Postgres keep workers apart, and the sweep
// repairs wake-ups.
func (p *Processor) run(ctx context.Context, key task.Key, taskID string, w work) (end, error) {
	r := p.newRun(ctx, key)
	defer r.close()
	clock := time.AfterFunc(p.MaxRun, r.stopAccepting)
	defer clock.Stop()
	r.state, r.taskID, r.renewed = key.Wake(), taskID, p.Now()
	if !r.begin(ctx) {
		return busy, nil
	}
	for {
		r.resumeAt = time.Time{}
		more, err := w.batch(r)
		over := r.accepting.Err() != nil
		if err != nil || !more || over {
			w.release() // before anybody can be woken to go on
		}
		if err != nil && r.abort.Err() == nil {
			if r.finish(ctx) {
				r.finish(ctx) // woken meanwhile: the task's retry, or the sweep, does that work
			}
			return done, err
		}
		if err == nil && !more && !r.resumeAt.IsZero() {
			r.requeue(ctx)
			return requeued, nil
		}
		if err == nil && !more && !r.finish(ctx) {
			return done, nil
		}
		if err != nil { // the process stops, or the task was cancelled: another run does it
			p.Log.Warn("run aborted", "key", key.String(), "error", err.Error())
		}
		if over {
			r.requeue(ctx)
			return requeued, nil
		}
		r.renew()
	}
}

// newRun returns a run that ends with ctx and with the process, and has no wake-up's state yet.
func (p *Processor) newRun(ctx context.Context, key task.Key) *run {
	r := &run{Processor: p, key: key, task: ctx}
	r.abort, r.cancelAbort = joined(ctx, p.hardStop)
	r.accepting, r.stopAccepting = joined(r.abort, p.softStop)
	return r
}

// close releases the run's contexts.
func (r *run) close() {
	r.stopAccepting()
	r.cancelAbort()
}

// joined returns a context that ends with either of two.
func joined(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(a)
	stop := context.AfterFunc(b, cancel)
	return ctx, func() { stop(); cancel() }
}

// begin takes the wake-up's state. It reports false when another task has it, and true when Redis cannot say.
func (r *run) begin(ctx context.Context) bool {
	ours, err := rdb.Begin(ctx, r.Redis, r.state, r.taskID)
	r.logWake(r.key, "begin", err)
	return ours || err != nil
}

// finish gives the wake-up's state up. It reports whether the key was woken meanwhile; then the run has to go on.
func (r *run) finish(ctx context.Context) (again bool) {
	ctx, cancel := closing(ctx)
	defer cancel()
	again, err := rdb.Finish(ctx, r.Redis, r.state, r.taskID)
	if r.logWake(r.key, "finish", err); err != nil {
		go r.finishLater()
	}
	return again
}

const finishAgain = 250 * time.Millisecond // after Redis could not be told that a run has ended

// finishLater gives up the state that Redis could not be told of, as soon as it can be: nobody may begin before it has
// expired. Then it wakes the key, which nobody could do meanwhile.
func (r *run) finishLater() {
	ctx, cancel := context.WithTimeout(r.softStop, rdb.RunningTTL)
	defer cancel()
	tick := time.NewTicker(finishAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		again, err := rdb.Finish(ctx, r.Redis, r.state, r.taskID)
		if err == nil && again {
			again, err = rdb.Finish(ctx, r.Redis, r.state, r.taskID)
		}
		if err == nil && !again {
			r.logWake(r.key, "wake", r.Waker.Wake(ctx, []task.Key{r.key}))
			return
		}
	}
}

// requeue gives the wake-up's state up and enqueues a task for the rest, or has it enqueued at resumeAt. Until then no
// other wake-up of the key makes one.
func (r *run) requeue(ctx context.Context) {
	ctx, cancel := closing(ctx)
	defer cancel()
	enqueue, err := rdb.Yield(ctx, r.Redis, r.state, r.taskID)
	switch {
	case err != nil:
		go r.finishLater()
	case !enqueue:
	case r.resumeAt.IsZero():
		err = r.Waker.Enqueue(ctx, r.key)
	default:
		r.enqueueAt(r.resumeAt)
	}
	r.logWake(r.key, "requeue", err)
}

// renew keeps the wake-up's state from expiring.
func (r *run) renew() {
	now := r.Now()
	if r.taskID == "" || now.Sub(r.renewed) < min(renewEvery, cmp.Or(r.state.Running, rdb.RunningTTL)/4) {
		return
	}
	r.renewed = now
	ctx, cancel := context.WithTimeout(r.abort, time.Second) // a Redis that hangs delays no recording
	defer cancel()
	r.logWake(r.key, "renew", rdb.Renew(ctx, r.Redis, r.state, r.taskID))
}

// pause waits a little, or until the run must end.
func (r *run) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.accepting.Done():
	}
}

// wakeDrains wakes endpoints that have got deliveries.
func (r *run) wakeDrains(refs []pg.EndpointRef) {
	r.logWake(r.key, "wake drains", r.Waker.Wake(r.abort, Drains(refs)))
}

// Drains returns the keys of endpoints' drains.
func Drains(refs []pg.EndpointRef) []task.Key {
	keys := make([]task.Key, len(refs))
	for i, r := range refs {
		keys[i] = task.Drain(r.Workspace, r.Endpoint)
	}
	return keys
}

// logWake logs that Redis was not told something about a wake-up. That stops nothing: the sweep repairs it.
func (p *Processor) logWake(key task.Key, step string, err error) {
	if err != nil {
		p.Log.Warn("wake-up failed", "step", step, "key", key.String(), "error", err.Error())
	}
}
