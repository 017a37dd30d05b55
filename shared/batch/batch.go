// Package batch turns many concurrent callers into few calls: whoever waits while one call runs goes together into the
// next.
package batch

import (
	"context"
	"errors"
	"sync"
)

// ErrFull is returned at once when the queue holds as many items as it may: backpressure goes to the caller instead of
// growing a queue.
var ErrFull = errors.New("batch queue is full")

// ErrStopped is returned to callers that come after Stop.
var ErrStopped = errors.New("batcher is stopped")

// Options of a Batcher; all three must be positive.
type Options struct {
	Queue   int // items that may wait; one more is ErrFull
	Max     int // items in one call
	Workers int // calls at the same time
}

// Batcher collects items of type I and hands them to do in slices; each caller gets its own O.
//
//	Do --> queue (bounded) --> worker 1 --> do(batch)
//	                      \--> worker 2 --> do(batch)
//
// There is no timer: a lone item is handed on at once, and load alone makes batches grow.
type Batcher[I, O any] struct {
	do      func([]I) []O // one O for each I, in order
	max     int
	queue   chan call[I, O]
	workers sync.WaitGroup

	mu      sync.RWMutex // guards stopped against sends on a closed queue
	stopped bool
}

type call[I, O any] struct {
	item  I
	reply chan O
}

// New starts a Batcher.
func New[I, O any](opt Options, do func([]I) []O) *Batcher[I, O] {
	b := &Batcher[I, O]{do: do, max: opt.Max, queue: make(chan call[I, O], opt.Queue)}
	for range opt.Workers {
		b.workers.Go(b.work)
	}
	return b
}

// Do waits for item's own result. When ctx ends first the item is still worked on; only its result is lost.
func (b *Batcher[I, O]) Do(ctx context.Context, item I) (out O, err error) {
	c := call[I, O]{item, make(chan O, 1)}
	if err := b.admit(c); err != nil {
		return out, err
	}
	select {
	case out = <-c.reply:
		return out, nil
	case <-ctx.Done():
		return out, ctx.Err()
	}
}

func (b *Batcher[I, O]) admit(c call[I, O]) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.stopped {
		return ErrStopped
	}
	select {
	case b.queue <- c:
		return nil
	default:
		return ErrFull
	}
}

// Waiting returns how many items are queued.
func (b *Batcher[I, O]) Waiting() int { return len(b.queue) }

// Stop refuses new items, finishes those it took and returns; a second Stop only waits.
func (b *Batcher[I, O]) Stop() {
	b.mu.Lock()
	if !b.stopped {
		b.stopped = true
		close(b.queue)
	}
	b.mu.Unlock()
	b.workers.Wait()
}

func (b *Batcher[I, O]) work() {
	calls := make([]call[I, O], 0, b.max)
	for first := range b.queue {
		calls = append(calls[:0], first)
	fill:
		for len(calls) < b.max {
			select {
			case c, ok := <-b.queue:
				if !ok {
					break fill
				}
				calls = append(calls, c)
			default:
				break fill
			}
		}
		items := make([]I, len(calls))
		for i := range calls {
			items[i] = calls[i].item
		}
		for i, out := range b.do(items) {
			calls[i].reply <- out
		}
		clear(calls)
	}
}
