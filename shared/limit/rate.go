// Package limit bounds how often something happens and how much of it runs at a time: a rate limit (GCRA), a rate
// limiter of one process, a fair semaphore and a circuit breaker. Nothing here reads the clock, stores anything or
// knows what it limits.
package limit

import "time"

// Rate allows Burst events at once and one more in each Interval.
type Rate struct {
	Interval time.Duration
	Burst    int
}

// NewRate returns the rate of n events in each period, of which burst may come at once. Its interval has whole
// microseconds, at least one, because Redis' clock has no finer ones: so the script of shared/rdb and Decide agree.
func NewRate(n int, period time.Duration, burst int) Rate {
	return Rate{max(time.Microsecond, (period / time.Duration(max(1, n))).Truncate(time.Microsecond)), burst}
}

// Decision is the answer to one event: whether it may happen, and what the rate limit's headers tell the client.
type Decision struct {
	Limited    bool
	Remaining  int           // events that may happen right now, after this one
	RetryAfter time.Duration // when Limited: until one may happen again
	Reset      time.Duration // until the whole burst may happen again
}

// Decide is GCRA (ITU-T I.371) for one event at now. tat is the theoretical arrival time that the last call returned,
// zero at first. A limited event spends nothing. The Lua scripts of shared/rdb decide the same on Redis' clock.
func (r Rate) Decide(tat, now time.Time) (Decision, time.Time) {
	tolerance := r.Interval * time.Duration(r.Burst)
	if tat.Before(now) {
		tat = now
	}
	next := tat.Add(r.Interval)
	used := next.Sub(now)
	if over := used - tolerance; over > 0 {
		return Decision{Limited: true, RetryAfter: over, Reset: tat.Sub(now)}, tat
	}
	return Decision{Remaining: int((tolerance - used) / r.Interval), Reset: used}, next
}
