package tenant

import "time"

// Quota allows Count at once, and goes on at Count for each Per.
type Quota struct {
	Count int
	Per   time.Duration
}

// Interval is the time one takes of the quota, in whole microseconds and at least one, as Rate.Interval is.
func (q Quota) Interval() time.Duration {
	return max(time.Microsecond, (q.Per / time.Duration(max(1, q.Count))).Truncate(time.Microsecond))
}

// Decide is GCRA for one more at now, as Rate.Decide is: wait is how long until it is allowed, zero when it is.
func (q Quota) Decide(tat, now time.Time) (wait time.Duration, next time.Time) {
	interval := q.Interval()
	if tat.Before(now) {
		tat = now
	}
	next = tat.Add(interval)
	if over := next.Sub(now) - interval*time.Duration(q.Count); over > 0 {
		return over, tat
	}
	return 0, next
}
