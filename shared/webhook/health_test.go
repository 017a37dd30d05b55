package webhook_test

import (
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// bad is a failed attempt at delivery n.
func bad(n byte, err string) webhook.Result {
	v := webhook.Result{Delivery: id.UUID{15: n}, Error: err, At: noon}
	if webhook.ClassOf(err) == webhook.FailedStatus {
		v.Status = 500
	}
	return v
}

// noteAll lets attempts happen, all at noon.
func noteAll(h *webhook.Health, all ...webhook.Result) {
	for _, v := range all {
		h.Record(v, noon, 0.5, false, nil)
	}
}

func TestBreakerOpensWhenTheEndpointFailsAsAWhole(t *testing.T) {
	t.Parallel()
	refused := webhook.FailedRefused.WithDetail("nobody listens there")
	for name, c := range map[string]struct {
		attempts []webhook.Result
		open     bool
		failing  bool
	}{
		"one delivery fails again and again": {[]webhook.Result{bad(1, refused), bad(1, refused), bad(1, refused),
			bad(1, refused), bad(1, refused), bad(1, refused)}, false, true},
		"four of several": {[]webhook.Result{bad(1, refused), bad(2, refused), bad(3, refused),
			bad(4, refused)}, false, true},
		"five of two": {[]webhook.Result{bad(1, refused), bad(1, refused), bad(1, refused),
			bad(1, refused), bad(2, refused)}, true, true},
		"a success between": {[]webhook.Result{bad(1, refused), bad(2, refused), bad(3, refused),
			bad(4, refused), {At: noon}, bad(5, refused)}, false, false},
		"a late success": {[]webhook.Result{bad(1, refused), bad(2, refused), bad(3, refused),
			bad(4, refused), bad(5, refused), {At: noon}}, false, false},
		"faults of ours": {[]webhook.Result{bad(1, "internal: a"), bad(2, "internal: a"),
			bad(3, "internal: a"), bad(4, "internal: a"), bad(5, "internal: a")}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h webhook.Health
			noteAll(&h, c.attempts...)
			if h.Open() != c.open || h.Failing() != c.failing {
				t.Errorf("open %v, failing %v, want %v, %v: %+v", h.Open(), h.Failing(), c.open, c.failing, h)
			}
			if last := c.attempts[len(c.attempts)-1]; last.Error == "" && (h.FailingSince != nil || h.LastError != "" ||
				h.LastSuccessAt == nil) {
				t.Errorf("after a success: %+v, want nothing of the failures", h)
			}
		})
	}
}

func TestProbesComeAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	var h webhook.Health
	for n := range byte(webhook.BreakerThreshold) {
		h.Record(bad(n, "status: 500"), noon, 0.5, false, nil)
	}
	at := *h.ProbeAt
	waits := []time.Duration{at.Sub(noon)}
	for n := range byte(9) {
		in := bad(n, "status: 500")
		in.At = at
		h.Record(in, at, 0.5, false, nil)
		waits = append(waits, h.ProbeAt.Sub(at))
		at = *h.ProbeAt
	}
	want := []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
		5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 15 * time.Minute, 15 * time.Minute}
	for i := range want {
		if waits[i].Round(time.Millisecond) != want[i] {
			t.Fatalf("waits before probes = %v, want %v", waits, want)
		}
	}
	// An attempt that was in flight when the breaker opened is no probe.
	probe, probes := *h.ProbeAt, h.Probes
	h.Record(bad(77, "status: 500"), probe.Add(-time.Second), 0.5, false, nil)
	if !h.ProbeAt.Equal(probe) || h.Probes != probes {
		t.Errorf("after a straggler: probe at %v (%d), want %v (%d)", h.ProbeAt, h.Probes, probe, probes)
	}
}

func TestBusyReceiverIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		v    webhook.Result
		wait time.Duration // of this delivery
		rest time.Duration // of the endpoint; 0: none
	}{
		"500":      {webhook.Result{Error: "status: 500", Status: 500}, 5 * time.Second, 0},
		"503":      {webhook.Result{Error: "status: 503", Status: 503}, time.Minute, 0},
		"429":      {webhook.Result{Error: "status: 429", Status: 429}, time.Minute, 0},
		"time-out": {webhook.Result{Error: "timeout: no answer within 15s"}, time.Minute, 0},
		"429, Retry-After": {webhook.Result{Error: "status: 429", Status: 429, RetryAfter: 5 * time.Minute},
			5 * time.Minute, 5 * time.Minute},
		"503, short Retry-After": {webhook.Result{Error: "status: 503", Status: 503, RetryAfter: 2 * time.Second},
			time.Minute, 2 * time.Second},
		"429, absurd Retry-After": {webhook.Result{Error: "status: 429", Status: 429, RetryAfter: 1000 * time.Hour},
			webhook.MaxRetryAfter, webhook.MaxPause},
		"500, Retry-After of its own": {webhook.Result{Error: "status: 500", Status: 500, RetryAfter: time.Minute},
			time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.v.At = noon
			at, ok := webhook.DefaultSchedule().Next(1, c.v, noon, 0.5)
			if got := at.Sub(noon).Round(time.Millisecond); !ok || got != c.wait {
				t.Errorf("Next = %v, %v, want %v", got, ok, c.wait)
			}
			var h webhook.Health
			h.Record(c.v, noon, 0.5, false, &at)
			var rest time.Duration
			if h.Open() {
				rest = h.ProbeAt.Sub(noon)
			}
			if rest != c.rest {
				t.Errorf("the endpoint rests for %v, want %v", rest, c.rest)
			}
		})
	}
}

// What was in flight when a receiver asked for a pause does not end it, and what succeeds later does.
func TestLateSuccessKeepsThePause(t *testing.T) {
	t.Parallel()
	var h webhook.Health
	later := noon.Add(time.Second)
	h.Record(webhook.Result{Error: "status: 429", Status: 429, RetryAfter: time.Minute, At: noon}, later, 0.5, false, nil)
	h.Record(webhook.Result{At: noon.Add(time.Millisecond)}, later, 0.5, false, nil)
	if !h.Open() || h.ProbeAt.Sub(later) != time.Minute || h.Failures != 0 {
		t.Errorf("after a success that was in flight: %+v, want the pause of a minute", h)
	}
	h.Record(webhook.Result{At: later.Add(time.Second)}, later.Add(2*time.Second), 0.5, false, nil)
	if h.Open() {
		t.Errorf("after a later success: %+v, want it closed", h)
	}
}

// A fault of ours is nothing to hold against an endpoint, but it must not break its order, nor end its pause, nor spend
// a try.
func TestFaultOfOurs(t *testing.T) {
	t.Parallel()
	v := webhook.Result{Error: webhook.FailedInternal.WithDetail("a fault on our side"), At: noon}
	at, ok := webhook.DefaultSchedule().Next(len(webhook.DefaultSchedule()), v, noon, 0.5)
	if !ok || at.Sub(noon) < 10*time.Second {
		t.Errorf("Next = %v, %v, want another try, a while later", at, ok)
	}
	var h webhook.Health
	h.Record(v, noon, 0.5, true, &at)
	if !h.Open() || !h.ProbeAt.Equal(at) || h.Failures != 0 {
		t.Errorf("an ordered endpoint = %+v, want it to wait until %v without a failure", h, at)
	}
	h = webhook.Health{}
	h.Record(v, noon, 0.5, false, &at)
	if h.Open() {
		t.Errorf("any other endpoint = %+v, want it to go on", h)
	}
}

func TestOrderedEndpointWaitsForItsFirst(t *testing.T) {
	t.Parallel()
	var h webhook.Health
	retry := noon.Add(30 * time.Second)
	h.Record(bad(1, "status: 500"), noon, 0.5, true, &retry)
	if !h.Open() || !h.ProbeAt.Equal(retry) {
		t.Errorf("probe at %v, want %v", h.ProbeAt, retry)
	}
	h = webhook.Health{}
	h.Record(bad(1, "status: 500"), noon, 0.5, true, nil) // its last try
	if h.Open() {
		t.Errorf("probe at %v, want the next delivery at once", h.ProbeAt)
	}
}
