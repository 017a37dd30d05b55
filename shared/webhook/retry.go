package webhook

import (
	"net/http"
	"time"
)

// Schedule is the retry schedule of a delivery. After its last attempt the delivery is exhausted: that is the dead
// letter queue, from which a replay sends again. Schedule is how long to wait before each attempt; its length is how
// many attempts there are.
type Schedule []time.Duration

// DefaultSchedule gives twelve attempts over about 76 hours.
func DefaultSchedule() Schedule {
	return Schedule{
		0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Jitter is the part of a wait by which it varies, so that retries do not come all at once.
const Jitter = 0.2

// MaxRetryAfter is the longest that an answer's Retry-After delays the next attempt.
const MaxRetryAfter = 24 * time.Hour

// Next says when to try again after the schedule's first tries attempts, the last of which came to v; random is a
// random number in [0,1). false: never, the schedule is used up, or the receiver wishes so. Retry-After is honoured
// where it asks for more patience than the schedule has.
func (s Schedule) Next(tries int, v Result, now time.Time, random float64) (time.Time, bool) {
	if ClassOf(v.Error) == FailedInternal { // a fault of ours uses up no try
		return now.Add(withJitter(internalWait, random)), true
	}
	if tries >= len(s) || v.Wish == WishAbort {
		return time.Time{}, false
	}
	wait := withJitter(s[tries], random)
	if Overloaded(v.Error, v.Status) {
		wait = max(wait, minOverloadWait)
	}
	return now.Add(max(wait, min(v.RetryAfter, MaxRetryAfter))), true
}

// internalWait is how long a delivery waits after a fault of ours.
const internalWait = 30 * time.Second

func withJitter(d time.Duration, random float64) time.Duration {
	return time.Duration(float64(d) * (1 + Jitter*(2*random-1)))
}

// Overloaded reports whether a failure says that the receiver is overloaded: 429, 502, 503, 504 (Standard Webhooks), or
// no answer in time.
func Overloaded(err string, status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return ClassOf(err) == FailedTimeout
}

// Succeeded reports whether an HTTP status ends a delivery: 2xx and nothing else.
func Succeeded(status int) bool { return status >= 200 && status <= 299 }
