package limit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	var b Breaker
	if !b.Allow(noon) || b.Success() {
		t.Fatal("a new breaker is not closed")
	}
	if !b.Failure(noon) || b.Failure(noon) {
		t.Error("Failure() does not report the first failure, and only that one")
	}
	if b.Allow(noon.Add(BreakerPause - 1)) {
		t.Error("a caller is let through within the pause")
	}
	later := noon.Add(BreakerPause)
	if !b.Allow(later) || b.Allow(later) {
		t.Error("after the pause not exactly one caller is let through")
	}
	if !b.Allow(later.Add(BreakerPause)) {
		t.Error("a caller that never reported back keeps others away for longer than a pause")
	}
	if !b.Success() || b.Success() || !b.Allow(later) {
		t.Error("a success does not close the breaker")
	}
}

func TestBreakerLetsOneCallerTry(t *testing.T) {
	t.Parallel()
	var b Breaker
	b.Failure(noon)
	for pause := 1; pause <= 50; pause++ {
		var through atomic.Int64
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				if b.Allow(noon.Add(time.Duration(pause) * BreakerPause)) {
					through.Add(1)
				}
			})
		}
		callers.Wait()
		if n := through.Load(); n != 1 {
			t.Fatalf("callers let through after pause %d = %d, want 1", pause, n)
		}
	}
}
