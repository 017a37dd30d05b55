package webhook

import (
	"maps"
	"math"
	"slices"
	"time"
)

// TimesStep is the ratio of two neighbouring buckets of Times. What is shown of a bucket is its middle, which is at
// most 10 % from all that is in it: the square root of the step.
const TimesStep = 1.2

// When an endpoint counts as slow.
const (
	SlowPercentile = 95
	SlowCount      = 20 // deliveries without which nothing is said
)

// Times is how long deliveries took, as a histogram: how many are in each bucket. A delivery of t milliseconds is in the
// least bucket b with t <= TimesStep^b, and in 0 if it took a millisecond or less.
type Times map[int]int

// TimesBucket returns the bucket of a time.
func TimesBucket(t time.Duration) int {
	ms := max(1, float64(t)/float64(time.Millisecond))
	return int(math.Ceil(math.Log(ms) / math.Log(TimesStep)))
}

// Add adds other times.
func (t Times) Add(other Times) {
	for bucket, n := range other {
		t[bucket] += n
	}
}

// Count returns how many deliveries there are.
func (t Times) Count() (n int) {
	for _, in := range t {
		n += in
	}
	return n
}

// Percentile returns the time that p percent of the deliveries did not exceed (the nearest rank, so one of them took
// it), at most 10 % wrong and rounded to whole milliseconds, at least one. ok is false when there are none.
func (t Times) Percentile(p float64) (ms int, ok bool) {
	rank := int(math.Ceil(p / 100 * float64(t.Count())))
	for _, bucket := range slices.Sorted(maps.Keys(t)) {
		if rank -= t[bucket]; rank <= 0 {
			return int(math.Round(math.Pow(TimesStep, float64(bucket)-0.5))), true
		}
	}
	return 0, false
}

// SpeedWindow is how long an endpoint's deliveries took in the last full hour of the clock and in that which runs.
type SpeedWindow struct{ Last, Current Times }

// Slow reports whether the SlowPercentile of both hours together is above target milliseconds, and what it is. It takes
// SlowCount deliveries.
func (w SpeedWindow) Slow(target int) (ms int, slow bool) {
	both := Times{}
	both.Add(w.Last)
	both.Add(w.Current)
	ms, _ = both.Percentile(SlowPercentile)
	return ms, ms > target && both.Count() >= SlowCount
}

// Fast reports whether an endpoint that was slow is so no longer: something arrived, and neither in the last full hour
// nor since was the SlowPercentile above target milliseconds.
func (w SpeedWindow) Fast(target int) bool {
	last, some := w.Last.Percentile(SlowPercentile)
	current, more := w.Current.Percentile(SlowPercentile)
	return (some || more) && last <= target && current <= target
}
