package tenant

import "time"

// Rate is a workspace's limit: Burst requests at once, PerSecond sustained.
type Rate struct {
	PerSecond int
	Burst     int
}

// Verdict is what a rate limit says of one request, and what its headers tell the client.
type Verdict struct {
	Limited    bool
	Remaining  int           // requests left right now
	RetryAfter time.Duration // when Limited: until one is allowed again
	Reset      time.Duration // until the whole burst is allowed again
}

// Window is the time in which a used-up burst refills, the "w" of RateLimit-Policy; at least a second.
func (r Rate) Window() time.Duration {
	return max(time.Second, time.Duration(r.Burst)*time.Second/time.Duration(r.PerSecond)).Round(time.Second)
}

// Interval is the time one request takes of the burst, in whole microseconds and at least one: Redis' clock has no finer ones,
// so the script of shared/rdb and Decide both count in it and agree.
func (r Rate) Interval() time.Duration {
	return max(time.Microsecond, (time.Second / time.Duration(max(1, r.PerSecond))).Truncate(time.Microsecond))
}

// Decide is GCRA (ITU-T I.371) for one request at now: tat is the theoretical arrival time the last call returned, zero at first.
// The Lua script of shared/rdb decides the same on Redis' clock.
func (r Rate) Decide(tat, now time.Time) (Verdict, time.Time) {
	interval := r.Interval()
	tolerance := interval * time.Duration(r.Burst)
	if tat.Before(now) {
		tat = now
	}
	next := tat.Add(interval)
	if over := next.Sub(now) - tolerance; over > 0 {
		return Verdict{Limited: true, RetryAfter: over, Reset: tat.Sub(now)}, tat
	}
	used := next.Sub(now)
	return Verdict{Remaining: int((tolerance - used) / interval), Reset: used}, next
}
