package process

import (
	"context"
	"time"

	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// turn is one task's work on one key, from the wake-up's begin to its end.
type turn struct {
	*Processor
	key     task.Key
	state   rdb.WakeKey
	token   string          // the task's id, and the wake-up's token
	taking  context.Context // ended: take nothing more
	sending context.Context // ended: give up what is under way
	renewed time.Time
}

// end is how a turn ended.
type end int

const (
	done      end = iota // nothing is left
	yielded              // more is left, for a task at the back of the queue
	elsewhere            // another task works on the key, and looks again before it ends
)

// work is what a turn does.
type work struct {
	round func(*turn) (more bool, err error) // does some of it and tells whether more is left
	letGo func()                             // gives back what keeps others from the key, before the turn ends; nil: nothing does
}

// turn runs rounds until they leave nothing, the slice is over or the process stops.
//
//	begin --> round --more--> round ... --slice over--> yield --> enqueue
//	            |  ^
//	       nothing woken again
//	            v  |
//	           finish --> done
//
// Redis only says who goes first. Where it fails the work goes on: leases in Postgres keep workers apart, and the sweep repairs wake-ups.
func (p *Processor) turn(ctx context.Context, key task.Key, token string, w work) (end, error) {
	t := &turn{Processor: p, key: key, state: key.Wake(), token: token, renewed: p.Now()}
	mine, err := rdb.Begin(ctx, p.Redis, t.state, token)
	if err == nil && !mine {
		return elsewhere, nil
	}
	t.lost("begin", err)
	var cancelTaking, cancelSending context.CancelFunc
	t.sending, cancelSending = joined(ctx, p.sending)
	defer cancelSending()
	t.taking, cancelTaking = joined(t.sending, p.taking)
	defer cancelTaking()
	clock := time.AfterFunc(p.Slice, cancelTaking)
	defer clock.Stop()

	for {
		more, err := w.round(t)
		over := t.taking.Err() != nil
		if w.letGo != nil && (err != nil || !more || over) {
			w.letGo() // before anybody can be told to go on
		}
		if err != nil && t.sending.Err() == nil {
			if t.finish(ctx) {
				t.finish(ctx) // woken meanwhile: the task's retry, or the sweep, sees to it
			}
			return done, err
		}
		if err == nil && !more && !t.finish(ctx) {
			return done, nil
		}
		if err != nil { // the process stops, or the task was cancelled: another turn does it
			t.Log.Warn("given up", "key", key.String(), "error", err.Error())
		}
		if over {
			t.yield(ctx)
			return yielded, nil
		}
		t.renew()
	}
}

// joined ends with either of two contexts.
func joined(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(a)
	stop := context.AfterFunc(b, cancel)
	return ctx, func() { stop(); cancel() }
}

// finish ends the work; again tells that the key was woken meanwhile, and then the turn goes on.
func (t *turn) finish(ctx context.Context) (again bool) {
	ctx, cancel := keep(ctx)
	defer cancel()
	again, err := rdb.Finish(ctx, t.Redis, t.state, t.token)
	t.lost("finish", err)
	return again
}

func (t *turn) yield(ctx context.Context) {
	ctx, cancel := keep(ctx)
	defer cancel()
	enqueue, err := rdb.Yield(ctx, t.Redis, t.state, t.token)
	if err == nil && enqueue {
		err = t.Waker.Enqueue(ctx, t.key)
	}
	t.lost("yield", err)
}

// renew keeps the wake-up's state alive, when it is time to.
func (t *turn) renew() {
	now := t.Now()
	if t.token == "" || now.Sub(t.renewed) < renewEvery { // a probe has no such state
		return
	}
	t.renewed = now
	ctx, cancel := context.WithTimeout(t.sending, time.Second) // a Redis that hangs must not keep outcomes from being recorded
	defer cancel()
	t.lost("renew", rdb.Renew(ctx, t.Redis, t.state, t.token))
}

// lost logs what Redis could not be told. It is no reason to stop.
func (t *turn) lost(what string, err error) {
	if err != nil {
		t.Log.Warn("wake-up state", "step", what, "key", t.key.String(), "error", err.Error())
	}
}
