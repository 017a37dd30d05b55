package batch_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"leadgate/shared/batch"
)

func double(items []int) []int {
	out := make([]int, len(items))
	for i, n := range items {
		out[i] = 2 * n
	}
	return out
}

func TestEveryCallerGetsItsOwnResult(t *testing.T) {
	t.Parallel()
	b := batch.New(batch.Options{Queue: 1000, Max: 7, Calls: 3}, func(items []int) []int {
		if len(items) == 0 || len(items) > 7 {
			t.Errorf("a call of %d items, want 1 to 7", len(items))
		}
		return double(items)
	})
	defer b.Stop()
	var callers sync.WaitGroup
	for n := range 1000 {
		callers.Go(func() {
			if got, err := b.Do(t.Context(), n); err != nil || got != 2*n {
				t.Errorf("Do(%d) = %d, %v, want %d", n, got, err, 2*n)
			}
		})
	}
	callers.Wait()
}

// held is a batcher whose calls wait until they are let go.
type held struct {
	*batch.Batcher[int, int]
	started chan []int // a call has begun with these items
	free    chan struct{}
}

func newHeld(opt batch.Options) *held {
	h := &held{started: make(chan []int, 100), free: make(chan struct{})}
	h.Batcher = batch.New(opt, func(items []int) []int {
		h.started <- items
		<-h.free
		return double(items)
	})
	return h
}

// occupy sends item 0 and returns once a call is under way with it.
func (h *held) occupy(t *testing.T, callers *sync.WaitGroup) {
	callers.Go(func() { h.mustDo(t, 0) })
	<-h.started
}

func (h *held) mustDo(t *testing.T, n int) {
	if got, err := h.Do(context.Background(), n); err != nil || got != 2*n {
		t.Errorf("Do(%d) = %d, %v, want %d", n, got, err, 2*n)
	}
}

// queue sends n and returns once it waits in the queue.
func (h *held) queue(t *testing.T, callers *sync.WaitGroup, n int) {
	before := h.Waiting()
	callers.Go(func() { h.mustDo(t, n) })
	for h.Waiting() == before { // ends as soon as that goroutine has run
		runtime.Gosched()
	}
}

func TestWhoeverWaitsGoesTogether(t *testing.T) {
	t.Parallel()
	h := newHeld(batch.Options{Queue: 10, Max: 3, Calls: 1})
	var callers sync.WaitGroup
	h.occupy(t, &callers)
	for n := 1; n <= 4; n++ {
		h.queue(t, &callers, n)
	}
	close(h.free)
	if got := <-h.started; len(got) != 3 {
		t.Errorf("the second call has items %v, want three that waited", got)
	}
	if got := <-h.started; len(got) != 1 || got[0] != 4 {
		t.Errorf("the third call has items %v, want [4]", got)
	}
	callers.Wait()
	h.Stop()
}

// While a call is under way the next one fills: it begins when that ends, or when it is full.
func TestASecondCallWaitsToBeFull(t *testing.T) {
	t.Parallel()
	h := newHeld(batch.Options{Queue: 10, Max: 3, Calls: 2, Patience: time.Hour})
	var callers sync.WaitGroup
	h.occupy(t, &callers)
	for n := 1; n <= 3; n++ {
		callers.Go(func() { h.mustDo(t, n) })
	}
	if got := <-h.started; len(got) != 3 {
		t.Errorf("the second call has items %v, want it full", got)
	}
	h.free <- struct{}{} // one of the two ends
	for n := 4; n <= 5; n++ {
		callers.Go(func() { h.mustDo(t, n) })
	}
	h.free <- struct{}{} // and the other
	for items := 0; items < 2; {
		items += len(<-h.started)
		h.free <- struct{}{}
	}
	callers.Wait()
	h.Stop()
}

// A call that hangs holds others up for no longer than the patience of the next one.
func TestACallThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	h := newHeld(batch.Options{Queue: 10, Max: 3, Calls: 2, Patience: time.Millisecond})
	var callers sync.WaitGroup
	h.occupy(t, &callers)
	callers.Go(func() { h.mustDo(t, 1) })
	if got := <-h.started; len(got) != 1 {
		t.Errorf("the second call has items %v, want [1]", got)
	}
	close(h.free)
	callers.Wait()
	h.Stop()
}

func TestFullQueueIsToldAtOnce(t *testing.T) {
	t.Parallel()
	h := newHeld(batch.Options{Queue: 2, Max: 1, Calls: 1})
	var callers sync.WaitGroup
	h.occupy(t, &callers)
	h.queue(t, &callers, 1)
	h.queue(t, &callers, 2)
	if _, err := h.Do(t.Context(), 3); !errors.Is(err, batch.ErrFull) {
		t.Errorf("Do() with a full queue = %v, want ErrFull", err)
	}
	close(h.free)
	callers.Wait()
	h.Stop()
}

func TestStopFinishesWhatWasTaken(t *testing.T) {
	t.Parallel()
	h := newHeld(batch.Options{Queue: 10, Max: 2, Calls: 1})
	var callers sync.WaitGroup
	h.occupy(t, &callers)
	for n := 1; n <= 5; n++ {
		h.queue(t, &callers, n)
	}
	stopped := make(chan struct{})
	go func() { h.Stop(); close(stopped) }()
	for { // until Stop has begun; it cannot end, because a call is held
		if _, err := h.Do(cancelled(), 9); errors.Is(err, batch.ErrStopped) {
			break
		}
	}
	select {
	case <-stopped:
		t.Fatal("Stop() returned while a call was running")
	default:
	}
	close(h.free)
	<-stopped
	callers.Wait() // each checked its result
	h.Stop()
	if _, err := h.Do(t.Context(), 1); !errors.Is(err, batch.ErrStopped) {
		t.Errorf("Do() after Stop = %v, want ErrStopped", err)
	}
}

func TestAnEndedContextEndsOnlyTheWait(t *testing.T) {
	t.Parallel()
	h := newHeld(batch.Options{Queue: 10, Max: 10, Calls: 1})
	var callers sync.WaitGroup
	h.occupy(t, &callers)
	if _, err := h.Do(cancelled(), 7); !errors.Is(err, context.Canceled) {
		t.Errorf("Do() with an ended context = %v, want context.Canceled", err)
	}
	h.free <- struct{}{}
	if got := <-h.started; len(got) != 1 || got[0] != 7 {
		t.Errorf("the call has items %v, want [7]: it was taken", got)
	}
	close(h.free)
	h.Stop()
}

func TestStartAndStopUnderLoad(t *testing.T) {
	t.Parallel()
	for range 200 {
		b := batch.New(batch.Options{Queue: 8, Max: 4, Calls: 2}, double)
		var callers sync.WaitGroup
		for n := range 16 {
			callers.Go(func() {
				got, err := b.Do(context.Background(), n)
				if err == nil && got != 2*n || err != nil && !errors.Is(err, batch.ErrStopped) && !errors.Is(err, batch.ErrFull) {
					t.Errorf("Do(%d) = %d, %v", n, got, err)
				}
			})
		}
		callers.Go(b.Stop)
		b.Stop()
		callers.Wait()
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Items that come one after the other, faster than the pace, share calls; one that comes after a rest is worked on at
// once, in its caller's goroutine.
func TestPace(t *testing.T) {
	t.Parallel()
	const pace = 50 * time.Millisecond
	calls := 0
	b := batch.New(batch.Options{Queue: 100, Max: 100, Calls: 1, Pace: pace}, func(items []int) []int {
		calls++
		return double(items)
	})
	begun := time.Now()
	var callers sync.WaitGroup
	for n := range 20 {
		callers.Go(func() {
			if got, err := b.Do(t.Context(), n); err != nil || got != 2*n {
				t.Errorf("Do(%d) = %d, %v, want %d", n, got, err, 2*n)
			}
		})
		time.Sleep(time.Millisecond)
	}
	callers.Wait()
	if most := 2 + int(time.Since(begun)/pace); calls > most {
		t.Errorf("%d calls in %v, want %d at most: one in %v", calls, time.Since(begun), most, pace)
	}
	before := calls
	callers.Go(func() { b.Do(t.Context(), 1) })
	callers.Wait()
	callers.Go(func() { b.Do(t.Context(), 2) }) // waits for its time
	for calls == before+1 && b.Waiting() == 0 {
		runtime.Gosched()
	}
	b.Stop() // which does not wait for that
	callers.Wait()
	if calls != before+2 {
		t.Errorf("%d calls, want %d: Stop works off what waits", calls, before+2)
	}
}
