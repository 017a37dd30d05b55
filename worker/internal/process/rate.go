package process

import (
	"context"
	"sync"
	"time"
)

// Bounds of an endpoint's rate limit.
const (
	rateSlack   = 100 * time.Millisecond // by which late attempts catch up: a rate holds over 0.1 s
	maxInterval = 2 * time.Second        // between two attempts at the lowest rate, and a little more
)

// rateLimiter throttles: it keeps attempts to an endpoint's rate. When the next one is due is recorded with the
// outcomes, so that the rate holds across runs and workers.
type rateLimiter struct {
	interval time.Duration // 0: no limit

	mu   sync.Mutex
	next time.Time // when the next attempt is due
}

// newRateLimiter returns a limiter of rate attempts per second, 0 for no limit, the first of which is due at until.
func newRateLimiter(rate int, until time.Time) *rateLimiter {
	l := &rateLimiter{next: until}
	if latest := time.Now().Add(maxInterval); l.next.After(latest) { // another worker's clock is ahead
		l.next = latest
	}
	if rate > 0 {
		l.interval = time.Second / time.Duration(rate)
	}
	return l
}

// wait waits until the next attempt is due, of n deliveries at once, which are no more than the rate allows in a second.
// It reports false when ctx ended first.
func (l *rateLimiter) wait(ctx context.Context, n int) bool {
	if l.interval == 0 {
		return true
	}
	l.mu.Lock()
	at := l.next
	if oldest := time.Now().Add(-rateSlack); at.Before(oldest) {
		at = oldest
	}
	interval := time.Duration(n) * l.interval
	l.next = at.Add(interval)
	l.mu.Unlock()
	pause := time.Until(at)
	if pause <= 0 {
		return true
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		l.mu.Lock()
		l.next = l.next.Add(-interval) // the attempt is not made
		l.mu.Unlock()
		return false
	}
}

// until returns when the next attempt is due, which is what to record; zero without a limit.
func (l *rateLimiter) until() time.Time {
	if l.interval == 0 {
		return time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}
