package webhook

import (
	"time"

	"leadgate/shared/id"
)

// Health is how an endpoint fared lately. Its breaker is open while ProbeAt is set: nothing is sent before, and then
// one delivery.
//
//	closed --failures as a whole--> open --probe fails--> open, for longer
//	   ^                             |
//	   +-------- any success --------+
type Health struct {
	Failures        int        // failed attempts in a row
	FailingSince    *time.Time // when the first of them was
	FailingDelivery id.UUID    // set while only one has failed: it alone opens no breaker
	ProbeAt         *time.Time
	Probes          int    // failed probes in a row
	LastError       string // of the last attempt; "" when it succeeded
	LastSuccessAt   *time.Time
	Notified        bool // the workspace was notified that it fails

	Opened time.Time // when its breaker opened, if this batch saw it; not stored
}

// When an endpoint counts as failing.
const (
	FailingThreshold = 3              // failures in a row: the endpoint gets a probe task, which administrators see
	BreakerThreshold = 5              // failures in a row, of more than one delivery: the breaker opens
	NotifyAfter      = 24 * time.Hour // of nothing but failures: the workspace is notified
	MaxPause         = time.Hour      // the longest that an endpoint's Retry-After stops all its deliveries
	minOverloadWait  = time.Minute    // after 429, 502, 503, 504 and time-outs: the receiver is overloaded
)

// probeWaits is how long an open breaker waits before each probe; the last one repeats.
var probeWaits = []time.Duration{
	5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	15 * time.Minute,
}

// Open reports whether the breaker is open.
func (h *Health) Open() bool { return h.ProbeAt != nil }

// Failing reports whether the endpoint gets a probe task, where an administrator sees it.
func (h *Health) Failing() bool { return h.Failures >= FailingThreshold || h.Open() }

// Result is what one attempt says about its endpoint.
type Result struct {
	Delivery   id.UUID
	Error      string        // "" when it succeeded
	Status     int           // 0 when there was no answer
	RetryAfter time.Duration // what the answer asked for; 0: nothing
	Wish       Wish          // what else it asked for
	At         time.Time
}

// Record takes an attempt's outcome in. ordered: the endpoint takes one delivery after the other, so a failed one holds
// up the rest until retryAt. random is a random number in [0,1).
func (h *Health) Record(v Result, now time.Time, random float64, ordered bool, retryAt *time.Time) {
	if v.Error == "" {
		was := *h
		*h = Health{LastSuccessAt: &v.At}
		if v.At.Before(was.Opened) { // it was in flight when the receiver asked for a pause
			h.ProbeAt, h.Opened = was.ProbeAt, was.Opened
		}
		return
	}
	if ClassOf(v.Error) == FailedInternal { // not its fault, but neither order nor pause may suffer
		if retryAt != nil && (ordered || h.Open()) {
			h.probeNotBefore(*retryAt, now)
		}
		return
	}
	wasOpen := h.Open()
	h.LastError = v.Error
	h.Failures++
	switch {
	case h.FailingSince == nil:
		h.FailingSince, h.FailingDelivery = &v.At, v.Delivery
	case h.FailingDelivery != v.Delivery:
		h.FailingDelivery = id.UUID{}
	}
	var rest time.Duration
	switch {
	case wasOpen && h.ProbeAt.After(v.At): // was in flight when the breaker opened
	case wasOpen, h.Failures >= BreakerThreshold && h.FailingDelivery == id.UUID{}:
		rest = h.pause(v, random)
		h.Probes++
	}
	if pause := min(v.RetryAfter, MaxPause); Overloaded(v.Error, v.Status) && pause > rest {
		rest = pause
	}
	if rest > 0 {
		h.probeNotBefore(now.Add(rest), now)
	}
	if ordered && retryAt != nil {
		h.probeNotBefore(*retryAt, now)
	}
}

func (h *Health) probeNotBefore(at, now time.Time) {
	if h.ProbeAt == nil || h.ProbeAt.Before(at) {
		h.ProbeAt, h.Opened = &at, now
	}
}

func (h *Health) pause(v Result, random float64) time.Duration {
	rest := withJitter(probeWaits[min(h.Probes, len(probeWaits)-1)], random)
	if Overloaded(v.Error, v.Status) {
		rest = max(rest, minOverloadWait)
	}
	return rest
}
