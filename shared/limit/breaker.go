package limit

import (
	"sync/atomic"
	"time"
)

// BreakerPause is how long a Breaker keeps callers away after a failure.
const BreakerPause = 500 * time.Millisecond

// Breaker is a circuit breaker: it keeps callers from waiting for a service that does not answer. A failure opens it;
// while it is open one caller in each BreakerPause is let through to try, and its success closes the breaker. The zero
// value is closed.
type Breaker struct {
	openUntil atomic.Int64 // Unix nanoseconds; 0: closed
}

// Allow reports whether the service may be called at now. The first caller after a pause is let through and starts the
// next pause.
func (b *Breaker) Allow(now time.Time) bool {
	until := b.openUntil.Load()
	if until == 0 {
		return true
	}
	return now.UnixNano() >= until && b.openUntil.CompareAndSwap(until, now.Add(BreakerPause).UnixNano())
}

// Failure opens the breaker and reports whether it was closed.
func (b *Breaker) Failure(now time.Time) (opened bool) {
	return b.openUntil.Swap(now.Add(BreakerPause).UnixNano()) == 0
}

// Success closes the breaker and reports whether it was open.
func (b *Breaker) Success() (closed bool) {
	return b.openUntil.Load() != 0 && b.openUntil.Swap(0) != 0
}
