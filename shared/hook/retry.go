package hook

import "time"

// Schedule is how long to wait before each attempt; its length is how many attempts there are.
type Schedule []time.Duration

// DefaultSchedule gives twelve attempts over about 76 hours.
func DefaultSchedule() Schedule {
	return Schedule{
		0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Jitter is the part of a wait by which it varies, so that failures do not come back all at once.
const Jitter = 0.2

// Next says when to try again after made attempts; spread is a random number in [0,1). false: never, the schedule is used up.
func (s Schedule) Next(made int, now time.Time, spread float64) (time.Time, bool) {
	if made >= len(s) {
		return time.Time{}, false
	}
	wait := float64(s[made]) * (1 + Jitter*(2*spread-1))
	return now.Add(time.Duration(wait)), true
}

// Succeeded tells whether an HTTP status ends a delivery: 2xx and nothing else.
func Succeeded(status int) bool { return status >= 200 && status <= 299 }
