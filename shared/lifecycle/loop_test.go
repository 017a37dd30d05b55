package lifecycle_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lifecycle"
)

func TestEveryRunsOncePerInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		l := lifecycle.Every(time.Second, func(context.Context) { at = append(at, time.Since(begin)) })
		l.Start()
		l.Start()
		time.Sleep(3500 * time.Millisecond)
		l.Stop()
		if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, at); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	})
}

func TestLoopWaitsAsLongAsTheRunAsksFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		l := lifecycle.NewLoop(0, func(context.Context) time.Duration {
			at = append(at, time.Since(begin))
			return time.Duration(len(at)) * time.Second
		})
		l.Start()
		time.Sleep(4 * time.Second)
		l.Stop()
		if diff := cmp.Diff([]time.Duration{0, time.Second, 3 * time.Second}, at); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	})
}

func TestStopCancelsTheRunAndWaitsForIt(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}), false
	l := lifecycle.NewLoop(0, func(ctx context.Context) time.Duration {
		close(began)
		<-ctx.Done()
		ended = true
		return 0
	})
	l.Start()
	<-began
	l.Stop()
	if !ended {
		t.Error("Stop() returned while the run was under way")
	}
}

func TestStoppedLoopDoesNotStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		l := lifecycle.Every(time.Second, func(context.Context) { runs++ })
		l.Stop()
		l.Start()
		time.Sleep(time.Minute)
		l.Stop()
		if runs != 0 {
			t.Errorf("a stopped loop ran %d times", runs)
		}
	})
}

// Whoever starts and stops, and how often: when any Stop has returned, nothing runs and nothing will.
func TestStartAndStopFromManyGoroutines(t *testing.T) {
	t.Parallel()
	for range 200 {
		var running atomic.Int32
		l := lifecycle.NewLoop(0, func(context.Context) time.Duration {
			running.Add(1)
			defer running.Add(-1)
			return 0
		})
		var all sync.WaitGroup
		for range 4 {
			all.Go(l.Start)
			all.Go(func() {
				l.Stop()
				if n := running.Load(); n != 0 {
					t.Errorf("%d runs under way after Stop()", n)
				}
			})
		}
		all.Wait()
		l.Start()
		if n := running.Load(); n != 0 {
			t.Errorf("%d runs under way after Start() of a stopped loop", n)
		}
	}
}
