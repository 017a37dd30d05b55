// Package batch turns many concurrent callers into few calls: whoever comes while one call runs goes together into the
// next.
package batch

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrFull is returned at once when as many items wait as may: backpressure goes to the caller instead of growing a
// queue.
var ErrFull = errors.New("batch queue is full")

// ErrStopped is returned to callers that come after Stop.
var ErrStopped = errors.New("batcher is stopped")

// Options of a Batcher; the first three must be positive.
type Options struct {
	Queue int // items that may wait for a call; one more is ErrFull
	Max   int // items in one call
	Calls int // calls at the same time

	// How long what waits for a call under way waits at most, unless there are already so many calls; 0: 10 ms. Most
	// end sooner, and two small calls cost nearly twice as much as one.
	Patience time.Duration

	// How long after a call began the next one begins at the earliest, unless it is full; 0: at once. Where items come
	// so often that each would find the last call just ended, they share calls, and wait less for processors than they
	// wait here. An item that comes alone waits for nothing.
	Pace time.Duration
}

// Batcher collects items of type I and hands them to do in slices; each caller gets its own O.
//
//	nothing is under way, nor was within Pace    --> do(item), in its caller's goroutine
//	something is: queue (bounded) --that ends, or Max wait, or Patience is over--> do(batch)
//
// So a lone item waits for nobody, not even for another goroutine, and load alone makes batches grow.
type Batcher[I, O any] struct {
	opt Options
	do  func([]I) []O // one O for each I, in order

	mu      sync.Mutex
	waiting []call[I, O]
	running int         // calls
	began   time.Time   // the last call
	patient *time.Timer // runs while something waits
	stopped bool
	calls   sync.WaitGroup
}

type call[I, O any] struct {
	item  I
	reply chan O
}

// New returns a Batcher.
func New[I, O any](opt Options, do func([]I) []O) *Batcher[I, O] {
	opt.Patience = cmp.Or(opt.Patience, 10*time.Millisecond)
	b := &Batcher[I, O]{opt: opt, do: do}
	b.patient = time.AfterFunc(opt.Patience, b.outOfPatience)
	b.patient.Stop()
	return b
}

// Do waits for item's own result. When ctx ends first the item is still worked on, and only its result is lost; where
// its call runs in this goroutine, Do returns when that ends.
func (b *Batcher[I, O]) Do(ctx context.Context, item I) (out O, err error) {
	c := call[I, O]{item, make(chan O, 1)}
	own, err := b.admit(c)
	if err != nil {
		return out, err
	}
	if own != nil {
		b.run(own)
		return <-c.reply, nil
	}
	select {
	case out = <-c.reply:
		return out, nil
	case <-ctx.Done():
		return out, ctx.Err()
	}
}

// admit has c wait for a call, or returns the call that is to run now.
func (b *Batcher[I, O]) admit(c call[I, O]) (own []call[I, O], err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopped:
		return nil, ErrStopped
	case len(b.waiting) >= b.opt.Queue:
		return nil, ErrFull
	}
	b.waiting = append(b.waiting, c)
	now := time.Now()
	if b.running < b.opt.Calls && (len(b.waiting) >= b.opt.Max || b.running == 0 && now.Sub(b.began) >= b.opt.Pace) {
		return b.begin(now), nil
	}
	if len(b.waiting) == 1 {
		b.wait(now)
	}
	return nil, nil
}

// wait has what waits begin when its time has come, if nothing lets it begin before. The mutex is locked.
func (b *Batcher[I, O]) wait(now time.Time) {
	if b.running == 0 {
		b.patient.Reset(b.opt.Pace - now.Sub(b.began))
	} else {
		b.patient.Reset(b.opt.Patience)
	}
}

// begin takes what is to be worked on in a call that begins now. The mutex is locked.
func (b *Batcher[I, O]) begin(now time.Time) []call[I, O] {
	b.began = now
	n := min(len(b.waiting), b.opt.Max)
	all := b.waiting[:n:n]
	if b.waiting = b.waiting[n:]; len(b.waiting) == 0 {
		b.waiting = nil
		b.patient.Stop()
	}
	b.running++
	b.calls.Add(1)
	return all
}

// run does one call, and has another goroutine do the next one if something waits by then.
func (b *Batcher[I, O]) run(all []call[I, O]) {
	defer b.end()
	items := make([]I, len(all))
	for i := range all {
		items[i] = all[i].item
	}
	for i, out := range b.do(items) {
		all[i].reply <- out
	}
}

func (b *Batcher[I, O]) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	now := time.Now()
	b.goOn(now, now.Sub(b.began) >= b.opt.Pace || b.stopped)
	b.calls.Done() // last, or Stop would not wait for what goes on
}

// outOfPatience lets what waits begin, also beside calls that take long.
func (b *Batcher[I, O]) outOfPatience() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.goOn(time.Now(), true)
}

// goOn begins calls that are full and, if partial is set, one with whatever waits, as far as they may. The mutex is
// locked.
func (b *Batcher[I, O]) goOn(now time.Time, partial bool) {
	for b.running < b.opt.Calls && len(b.waiting) > 0 && (partial || len(b.waiting) >= b.opt.Max) {
		partial = false
		go b.run(b.begin(now))
	}
	if len(b.waiting) > 0 {
		b.wait(now)
	}
}

// Waiting returns how many items wait for a call.
func (b *Batcher[I, O]) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// Stop refuses new items, finishes those it took and returns; a second Stop only waits.
func (b *Batcher[I, O]) Stop() {
	b.mu.Lock()
	b.stopped = true
	b.goOn(time.Now(), b.running == 0) // what a running one is followed by goes on then
	b.mu.Unlock()
	b.calls.Wait()
}
