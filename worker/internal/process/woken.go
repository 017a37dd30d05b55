package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// Of woken endpoints.
const (
	wokenAtOnce  = 256                  // endpoints drained at the same time; the next ones get tasks of their own
	wokenPace    = 5 * time.Millisecond // from one look to the next, so that endpoints share looks
	wokenHanging = time.Second          // a drain that took longer looks again: another process may have been told
)

// woken is what a process knows of the endpoints that its wokenDrains have to do with.
type woken struct {
	mu       sync.Mutex
	underWay map[task.Key]bool      // that are drained now, and whether they were woken again
	busy     map[task.Key]time.Time // that have tasks of their own, until when these are expected to last
}

// wokenDrains drains endpoints that were just woken, all at the same time, where few deliveries wait. So deliveries
// that come one at a time cost no task each, and an endpoint that hangs holds no other up. An endpoint gets a task of
// its own when more is left than one lease has, or when too many are drained here.
//
//	take woken endpoints --> drain each, beside the others --more is left, or an error--> its own task
//	   ^                          |
//	   +------ next look          +--> finish, as the last of a drain
//
// A run ends when nothing was woken for a second, or after MaxRun; what hangs then is waited for by finish, while the
// next run takes what is woken.
type wokenDrains struct {
	*Processor
	drains sync.WaitGroup

	mu                sync.Mutex
	delivered, failed int
}

func (p *Processor) newWokenDrains(task.Key) work { return &wokenDrains{Processor: p} }

func (j *wokenDrains) batch(r *run) (more bool, err error) {
	keys := j.take(r)
	var drains []*drain
	var busy []task.Key
	for _, key := range keys {
		switch j.woken.begin(key, r.Now()) {
		case drainHere:
			drains = append(drains, j.newDrain(key))
		case drainByTask:
			busy = append(busy, key)
		}
	}
	j.wakeDrains(r.task, busy)
	j.lease(r, drains)
	for _, d := range drains {
		j.drains.Go(func() { j.drain(r.task, d) })
	}
	if len(keys) > 0 {
		r.pause(wokenPace)
	}
	return len(keys) > 0, nil
}

// lease takes the first leases of drains in one statement. Where that fails, it may be because of one of them: each
// takes its own.
func (j *wokenDrains) lease(r *run, drains []*drain) {
	if len(drains) < 2 {
		return
	}
	workspaces := make([]id.UUID, len(drains))
	for i, d := range drains {
		workspaces[i] = d.key.Workspace
	}
	r.findPayers(r.abort, workspaces...)
	asked := time.Now()
	requests, shares := make([]pg.LeaseRequest, len(drains)), make([]int64, len(drains))
	for i, d := range drains {
		requests[i], shares[i] = d.leaseFor(r.abort, pg.LeaseForDrain)
	}
	leased, err := r.DB.LeaseAllDue(r.abort, requests, patience)
	if err != nil {
		leased = make([]pg.LeasedBatch, len(drains))
	}
	for i, d := range drains {
		d.take(&leased[i], shares[i], asked, err)
		if err != nil {
			d.releaseMemory()
		} else {
			d.ahead = &leased[i]
		}
	}
	if err != nil {
		r.Log.Warn("lease together failed", "endpoints", len(drains), "error", err.Error())
	}
}

// take takes woken endpoints. It does not wait for them once the process stops: one that comes then is woken again.
func (j *wokenDrains) take(r *run) []task.Key {
	taken := make(chan []task.Key, 1)
	go func() { // go-redis does not end a command under way when its context is cancelled
		all, err := rdb.TakeWoken(r.task, r.Redis, wokenAtOnce)
		r.logWake(r.key, "take", err)
		keys := make([]task.Key, len(all))
		for i, e := range all {
			keys[i] = task.Drain(e.Workspace, e.Endpoint)
		}
		taken <- keys
	}()
	select {
	case keys := <-taken:
		return keys
	case <-r.softStop.Done():
	}
	j.drains.Go(func() {
		if keys := <-taken; len(keys) > 0 {
			ctx, cancel := closing(r.task)
			defer cancel()
			r.logWake(r.key, "wake again", r.Waker.Wake(ctx, keys))
		}
	})
	return nil
}

// drain drains one endpoint, and again while it is woken. Where its lease had nothing, somebody else may have it: that
// one is told, or has just ended.
func (j *wokenDrains) drain(ctx context.Context, d *drain) {
	key, began := d.key, j.Now()
	for first := true; ; first, d = false, j.newDrain(key) {
		start := j.Now()
		got := j.drainOnce(ctx, d)
		look := got && j.Now().Sub(start) >= wokenHanging || !got && !j.tell(ctx, key) && first
		if again := j.woken.end(key); !again && !look {
			return
		}
		by := drainByTask
		if now := j.Now(); now.Sub(began) < j.MaxRun && ctx.Err() == nil && j.softStop.Err() == nil {
			by = j.woken.begin(key, now)
		}
		switch by {
		case drainAgain:
			return
		case drainByTask:
			j.wakeDrains(ctx, []task.Key{key})
			return
		}
	}
}

// drainOnce sends what one lease has, and gives what is left to a task. got is false when the lease had nothing.
func (j *wokenDrains) drainOnce(ctx context.Context, d *drain) (got bool) {
	key := d.key
	defer func() {
		if reason := recover(); reason != nil {
			j.Log.Error("drain panicked", "key", key.String(), "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
		}
	}()
	r := j.newRun(ctx, key)
	defer r.close()
	clock := time.AfterFunc(j.MaxRun, r.stopAccepting)
	defer clock.Stop()
	more, err := d.batch(r)
	d.release()
	err = errors.Join(err, d.finish(ctx))
	if err != nil {
		j.Log.Warn("drain failed", "key", key.String(), "error", err.Error()) // its task tries again
	}
	if more || err != nil || !r.resumeAt.IsZero() {
		j.woken.handOver(key, j.Now(), r.resumeAt)
		j.wakeDrains(ctx, []task.Key{key})
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.delivered, j.failed = j.delivered+d.delivered, j.failed+d.failed
	return !d.renewed.IsZero()
}

// tell has the endpoint's own task look once more, if there is one.
func (j *wokenDrains) tell(ctx context.Context, key task.Key) bool {
	ctx, cancel := closing(ctx)
	defer cancel()
	told, err := rdb.Tell(ctx, j.Redis, key.Wake())
	j.logWake(key, "tell", err)
	if told {
		j.woken.handOver(key, j.Now(), time.Time{})
	}
	return told
}

// wakeDrains has tasks of their own drain endpoints.
func (j *wokenDrains) wakeDrains(ctx context.Context, keys []task.Key) {
	if len(keys) == 0 {
		return
	}
	ctx, cancel := closing(ctx)
	defer cancel()
	j.logWake(task.DrainWoken(), "wake drains", j.Waker.WakeDrains(ctx, keys))
}

func (j *wokenDrains) release() {}

// finish waits for what is still sent when the run has ended.
func (j *wokenDrains) finish(context.Context) error {
	j.drains.Wait()
	return nil
}

func (j *wokenDrains) report() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return fmt.Sprintf("delivered %d, failed %d", j.delivered, j.failed)
}

// drainBy says who drains a woken endpoint.
type drainBy int

const (
	drainHere   drainBy = iota
	drainAgain          // it is drained here already, and will be once more
	drainByTask         // a task of its own
)

func (w *woken) begin(key task.Key, now time.Time) drainBy {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, here := w.underWay[key]; here {
		w.underWay[key] = true
		return drainAgain
	}
	if until, busy := w.busy[key]; busy && now.Before(until) {
		return drainByTask
	}
	if len(w.underWay) >= wokenAtOnce {
		return drainByTask
	}
	if w.underWay == nil {
		w.underWay = map[task.Key]bool{}
	}
	w.underWay[key] = false
	return drainHere
}

// end ends a drain, and reports whether its endpoint was woken meanwhile.
func (w *woken) end(key task.Key) (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	again = w.underWay[key]
	delete(w.underWay, key)
	return again
}

// handOver notes that an endpoint has a task of its own, which has it for a second, or until that resumes.
func (w *woken) handOver(key task.Key, now, resumeAt time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.busy) >= wokenAtOnce {
		maps.DeleteFunc(w.busy, func(_ task.Key, until time.Time) bool { return !now.Before(until) })
	}
	if w.busy == nil {
		w.busy = map[task.Key]time.Time{}
	}
	w.busy[key] = now.Add(max(handedOver, resumeAt.Sub(now)))
}
