package process_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// One in flight means strictly in order: what fails is tried again before anything after it is sent.
func TestOneInFlightKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 3 || n == 4 || n == 9 {
			w.WriteHeader(500)
		}
	})
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 1})
	b.worker(options{schedule: webhook.Schedule{0, 100 * time.Millisecond, 100 * time.Millisecond},
		sweep: 100 * time.Millisecond})
	const n = 12
	for range n {
		b.mustWake(b.mustLeads(1)...)
	}
	b.awaitStates(e, n, webhook.Delivered)
	all, _ := b.deliveries(e)
	slices.Reverse(all)
	var want []string
	for i, d := range all {
		times := 1
		switch i {
		case 2:
			times = 3 // requests 3, 4 and 5
		case 6:
			times = 2 // requests 9 and 10
		}
		for range times {
			want = append(want, id.Event.Format(d.EventID))
		}
	}
	var got []string
	for range want {
		got = append(got, rec.mustNext(t).id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("arrived %v, want %v", got, want)
	}
}

func TestMaxInFlightHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var now, most atomic.Int64
	rec := mustReceive(t, func(int, http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(2 * time.Millisecond) // a receiver that works, so that attempts overlap
	})
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 3})
	b.worker(options{})
	b.mustWake(b.mustLeads(100)...)
	b.awaitStates(e, 100, webhook.Delivered)
	if got := most.Load(); got != 3 {
		t.Errorf("at once = %d, want 3", got)
	}
}

// A rate holds, also where turns end in the middle.
func TestRateHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	const rate, n = 40, 30
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, Rate: rate})
	b.worker(options{maxRun: 150 * time.Millisecond})
	b.mustWake(b.mustLeads(n)...)
	b.awaitStates(e, n, webhook.Delivered)
	_, attempts := b.deliveries(e)
	var at []time.Time
	for _, a := range attempts {
		at = append(at, a[0].At)
	}
	slices.SortFunc(at, time.Time.Compare)
	least := time.Second*(n-1)/rate - 200*time.Millisecond // it may catch up by a tenth of a second
	if got := at[n-1].Sub(at[0]); got < least {
		t.Errorf("%d deliveries took %v, want at least %v at %d/s", n, got, least, rate)
	}
}

// The workspace's own schedule counts, and not the installation's.
func TestWorkspaceHasItsOwnSchedule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.db.UpdateWorkspace(t.Context(), b.ws, func(w *tenant.Workspace) error {
		w.Settings.RetrySchedule = []int{0, 0, 0}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) })
	e := b.mustEndpoint(rec.URL)
	b.worker(options{sweep: 100 * time.Millisecond, schedule: webhook.Schedule{0, time.Hour}})
	b.mustWake(b.mustLeads(1)...)
	b.awaitStates(e, 1, webhook.Exhausted)
	if all, _ := b.deliveries(e); all[0].Attempts != 3 {
		t.Errorf("attempts = %d, want the 3 of the workspace's schedule", all[0].Attempts)
	}
}
