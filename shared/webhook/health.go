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
	FailingDelivery id.UUID    // the delivery that failed, when it is the only one; a poisonous one is no reason to keep others waiting
	ProbeAt         *time.Time
	Probes          int    // failed probes in a row
	LastError       string // of the last attempt; "" when it succeeded
	LastSuccessAt   *time.Time
	Notified        bool // the workspace was told that it fails

	Opened time.Time // when its breaker opened, if this round saw it; not kept
}

// When an endpoint counts as failing.
const (
	FailingThreshold = 3              // failures in a row: administrators see it
	BreakerThreshold = 5              // failures in a row, of more than one delivery: the breaker opens
	NotifyAfter      = 24 * time.Hour // of nothing but failure: the workspace is told
	MaxPause         = time.Hour      // an endpoint's own Retry-After stops all its deliveries for so long at most
	minOverloadWait  = time.Minute    // after 429, 502, 503, 504 and time-outs: the receiver is overloaded
)

// probeWaits is how long an open breaker rests before each probe; the last one repeats.
var probeWaits = []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute}

// Open tells whether the breaker is.
func (h *Health) Open() bool { return h.ProbeAt != nil }

// Failing tells whether the endpoint is worth an administrator's look.
func (h *Health) Failing() bool { return h.Failures >= FailingThreshold || h.Open() }

// Result is what one attempt was to its endpoint.
type Result struct {
	Delivery   id.UUID
	Error      string        // "" when it succeeded
	Status     int           // 0 when there was no answer
	RetryAfter time.Duration // what the answer asked for; 0: nothing
	At         time.Time
}

// Record takes an attempt's outcome in. ordered: the endpoint takes one delivery after the other, so a failed one holds
// up the rest until retryAt. spread is a random number in [0,1).
func (h *Health) Record(v Result, now time.Time, spread float64, ordered bool, retryAt *time.Time) {
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
		rest = h.rest(v, spread)
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

func (h *Health) rest(v Result, spread float64) time.Duration {
	rest := jitter(probeWaits[min(h.Probes, len(probeWaits)-1)], spread)
	if Overloaded(v.Error, v.Status) {
		rest = max(rest, minOverloadWait)
	}
	return rest
}
