package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"leadgate/shared/loadgen"
)

// arrivals is when the webhooks of one load came first, by event type and the number of the lead, which its email
// tells.
type arrivals struct {
	epoch time.Time
	email []byte                    // up to the number, as payloads have it
	first map[string][]atomic.Int64 // by event: nanoseconds after epoch; 0: not yet
}

func newArrivals(run string, leads int) *arrivals {
	a := &arrivals{epoch: time.Now(), email: []byte(`"email":"` + emailOf(run)), first: map[string][]atomic.Int64{}}
	for _, event := range loadgen.LeadEvents() {
		a.first[event] = make([]atomic.Int64, leads+1) // numbers begin with 1
	}
	return a
}

// record notes when the payload of a webhook arrived; those of other loads are passed over.
func (a *arrivals) record(at time.Time, body []byte) {
	i := bytes.Index(body, a.email)
	rest, typed := bytes.CutPrefix(body, []byte(`{"type":"`))
	if i < 0 || !typed {
		return
	}
	event, _, _ := bytes.Cut(rest, []byte(`"`))
	digits, _, _ := bytes.Cut(body[i+len(a.email):], []byte("@"))
	n, err := strconv.Atoi(string(digits))
	if first := a.first[string(event)]; err == nil && n > 0 && n < len(first) {
		first[n].CompareAndSwap(0, int64(at.Sub(a.epoch)))
	}
}

// of returns how late the webhooks of an event were, counted from the moment each lead was due to be posted.
func (a *arrivals) of(event string, begin time.Time, perSecond int) (d delays) {
	d.begin = begin
	for n := range a.first[event] {
		since := a.first[event][n].Load()
		if since == 0 {
			continue
		}
		at, due := a.epoch.Add(time.Duration(since)), dueAt(begin, perSecond, int64(n))
		d.sorted = append(d.sorted, at.Sub(due))
		d.due, d.at = append(d.due, due), append(d.at, at)
	}
	slices.Sort(d.sorted)
	return d
}

// delays are those of all that arrived.
type delays struct {
	begin   time.Time
	sorted  []time.Duration
	due, at []time.Time
}

func (d *delays) percentile(p float64) time.Duration {
	if len(d.sorted) == 0 {
		return 0
	}
	return d.sorted[min(len(d.sorted)-1, int(p*float64(len(d.sorted))))]
}

func (d *delays) mean() (mean time.Duration) {
	for _, one := range d.sorted {
		mean += one
	}
	return mean / time.Duration(max(1, len(d.sorted)))
}

// waiting is how many were due at a moment and had not arrived.
func (d *delays) waiting(at time.Time) (n int) {
	for i := range d.due {
		if !d.due[i].After(at) && d.at[i].After(at) {
			n++
		}
	}
	return n
}

// rate is how many arrived a second, from begin to the last.
func (d *delays) rate() float64 {
	if len(d.at) == 0 {
		return 0
	}
	last := slices.MaxFunc(d.at, time.Time.Compare)
	return float64(len(d.at)) / last.Sub(d.begin).Seconds()
}

func (d *delays) String() string {
	return fmt.Sprintf("mean %v  p50 %v  p99 %v  max %v", tenths(d.mean()), tenths(d.percentile(.50)),
		tenths(d.percentile(.99)), tenths(d.percentile(1)))
}

// tenths rounds to tenths of a millisecond.
func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
