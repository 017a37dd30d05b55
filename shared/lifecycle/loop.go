package lifecycle

import (
	"context"
	"sync"
	"time"
)

// Loop runs one function again and again in a goroutine of its own:
//
//	Start --> wait --> run --> wait --> run ... --> Stop: ends the wait, cancels the run, waits for it
//
// Start and Stop may be called by several goroutines, more than once, and in any order; a loop that was stopped never
// runs again.
type Loop struct {
	first time.Duration
	run   func(context.Context) (wait time.Duration)

	ctx     context.Context
	cancel  context.CancelFunc
	start   sync.Once
	running sync.WaitGroup
}

// Every returns a loop that runs fn once per interval, the first time after one interval. A run that takes longer than
// the interval delays the next; two never overlap. The context of fn ends with Stop: a run that must not be cut off
// uses context.WithoutCancel.
func Every(interval time.Duration, fn func(context.Context)) *Loop {
	return NewLoop(interval, func(ctx context.Context) time.Duration { fn(ctx); return interval })
}

// NewLoop returns a loop that first runs after the given wait, and then whenever the wait that the last run returned is
// over.
func NewLoop(first time.Duration, run func(context.Context) (wait time.Duration)) *Loop {
	l := &Loop{first: first, run: run}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Start starts the loop, unless it was started or stopped before.
func (l *Loop) Start() {
	l.start.Do(func() { l.running.Go(l.repeat) })
}

// Stop ends the loop and waits until it has ended.
func (l *Loop) Stop() {
	l.cancel()
	l.start.Do(func() {}) // a loop that was not started yet never is, so that nothing is added while this waits
	l.running.Wait()
}

func (l *Loop) repeat() {
	timer := time.NewTimer(l.first)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-timer.C:
		}
		if l.ctx.Err() != nil {
			return
		}
		timer.Reset(l.run(l.ctx))
	}
}
