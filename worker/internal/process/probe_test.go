package process_test

import (
	"fmt"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// standing returns the tasks that stand for failing endpoints.
func (b *bundle) standing() []*asynq.TaskInfo {
	tasks, _ := asynq.NewInspectorFromRedisClient(b.redis).ListRetryTasks(task.QueueFailing)
	return tasks
}

// states counts an endpoint's deliveries by state, and all attempts.
func (b *bundle) states(e webhook.Endpoint) (n map[webhook.State]int, attempts int) {
	n = map[webhook.State]int{}
	all, _ := b.deliveries(e)
	for _, d := range all {
		n[d.State]++
		attempts += d.Attempts
	}
	return n, attempts
}

// mustFail starts a receiver that answers status until it works.
func mustFail(t testing.TB, status int) (rec *receiver, works *atomic.Bool) {
	t.Helper()
	works = new(atomic.Bool)
	return mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !works.Load() {
			w.WriteHeader(status)
		}
	}), works
}

// An endpoint that fails as a whole is one task in retry with the reason; what waits is not spent; run now probes it,
// and then everything goes.
func TestFailingEndpointIsOneTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec, works := mustFail(t, 503)
	e := b.mustEndpoint(rec.URL)
	b.worker(options{schedule: webhook.Schedule{0, 5 * time.Minute, 5 * time.Minute}, sweep: 100 * time.Millisecond})
	const n = 300
	b.mustWake(b.mustLeads(n)...)
	testwait.Until(t, "a task in retry", func() bool { return len(b.standing()) == 1 })
	first := b.standing()[0]
	reason := regexp.MustCompile(
		fmt.Sprintf(
			`^503 from 127\.0\.0\.1: failed \d+ times since [-0-9]{10} [:0-9]{8}Z, %d wait, next try in (1m|[45]\ds|1m\ds|1m1\ds)`, n))
	if !reason.MatchString(first.LastErr) {
		t.Errorf("LastErr = %q, want %s", first.LastErr, reason)
	}
	if want := "endpoint " + id.Endpoint.Format(e.ID) + " of " + id.Workspace.Format(b.ws); first.ID != want {
		t.Errorf("task id = %q, want %q", first.ID, want)
	}
	if _, spent := b.states(e); spent > webhook.BreakerThreshold+webhook.DefaultInFlight {
		t.Errorf("attempts spent = %d, want no more than were under way when the breaker opened", spent)
	}

	// More leads change nothing: nobody is woken, nothing is sent.
	if woken := b.mustLeads(2); len(woken) != 0 {
		t.Errorf("woken = %v, want nobody while the breaker is open", woken)
	}

	inspect := asynq.NewInspectorFromRedisClient(b.redis)
	_, before := b.states(e)
	if err := inspect.RunTask(task.QueueFailing, first.ID); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "one more attempt, and the task back in retry", func() bool {
		_, now := b.states(e)
		return now == before+1 && len(b.standing()) == 1
	})
	works.Store(true)
	if err := inspect.RunTask(task.QueueFailing, first.ID); err != nil {
		t.Fatal(err)
	}
	// Those that were attempted are due in five minutes; all others go now.
	testwait.Until(t, "what was never tried to be delivered", func() bool {
		all, _ := b.deliveries(e)
		for _, d := range all {
			if d.State == webhook.Pending && d.Attempts == 0 {
				return false
			}
		}
		return len(all) == n+2
	})
	testwait.Until(t, "no task standing for it", func() bool {
		info, err := inspect.GetQueueInfo(task.QueueFailing)
		return err == nil && info.Size == 0
	})
}

// The breaker closes by itself: a probe comes when its pause is over.
func TestEndpointRecoversByItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec, works := mustFail(t, 500)
	e := b.mustEndpoint(rec.URL)
	b.worker(options{schedule: webhook.Schedule{0, time.Second, time.Second, time.Second, time.Second},
		sweep: 100 * time.Millisecond})
	b.mustWake(b.mustLeads(50)...)
	testwait.Until(t, "a task in retry", func() bool { return len(b.standing()) == 1 })
	works.Store(true)
	b.awaitStates(e, 50, webhook.Delivered)
}

// The task that stands for an endpoint may rest for long, because of one delivery; when the endpoint's time comes
// sooner, it does not wait for it.
func TestProbeIsNotLate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec, works := mustFail(t, 500)
	e := b.mustEndpoint(rec.URL)
	b.worker(options{schedule: webhook.Schedule{0, 0, 0, time.Hour}, sweep: 100 * time.Millisecond})
	b.mustWake(b.mustLeads(1)...)
	testwait.Until(t, "a task that rests for an hour", func() bool {
		all := b.standing()
		return len(all) == 1 && time.Until(all[0].NextProcessAt) > 30*time.Minute
	})
	b.mustWake(b.mustLeads(5)...) // the breaker opens
	testwait.Until(t, "an open breaker", func() bool {
		now, err := b.db.GetEndpoint(t.Context(), b.ws, e.ID)
		return err == nil && now.Health.Open()
	})
	works.Store(true)
	b.mustLeads(1) // due as soon as the breaker lets it
	testwait.Until(t, "the last one delivered", func() bool {
		all, _ := b.deliveries(e)
		return len(all) == 7 && all[0].State == webhook.Delivered
	})
}

// A receiver may end the tries of a delivery that it refuses.
func TestReceiverAborts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("webhook-delivery", "abort-message")
		w.WriteHeader(400)
	})
	e := b.mustEndpoint(rec.URL)
	b.worker(options{})
	b.mustWake(b.mustLeads(1)...)
	b.awaitStates(e, 1, webhook.Exhausted)
}

// What arrived has arrived, also where the answer says that nothing more is wanted.
func TestReceiverDisablesTheEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Webhook-Delivery", " Disable")
	})
	e := b.mustEndpoint(rec.URL)
	b.worker(options{sweep: 100 * time.Millisecond})
	b.mustWake(b.mustLeads(1)...)
	testwait.Until(t, "the endpoint disabled", func() bool {
		now, err := b.db.GetEndpoint(t.Context(), b.ws, e.ID)
		return err == nil && !now.Enabled && now.Disabled != nil && now.Disabled.Reason == webhook.DisabledGone
	})
	b.awaitStates(e, 1, webhook.Delivered)
}

// 410 says that nobody wants them any more: the endpoint is disabled, and what waits is held.
func TestGoneDisablesTheEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) })
	e := b.mustEndpoint(rec.URL)
	b.worker(options{sweep: 100 * time.Millisecond})
	b.mustWake(b.mustLeads(3)...)
	testwait.Until(t, "the endpoint disabled", func() bool {
		now, err := b.db.GetEndpoint(t.Context(), b.ws, e.ID)
		return err == nil && !now.Enabled && now.Disabled != nil && now.Disabled.Reason == webhook.DisabledGone
	})
	b.awaitStates(e, 3, webhook.Held)
	b.mustLeads(1)
	b.awaitStates(e, 4, webhook.Held)
}

// After a day of nothing but failure the workspace's other endpoints hear of it, once; after five the endpoint is
// disabled.
func TestLongFailureIsToldAndEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	e := b.mustEndpoint(rec.URL)
	other := mustReceive(t, nil)
	b.mustEndpoint(other.URL, "endpoint.*")
	b.worker(options{schedule: webhook.Schedule{0, time.Hour}, disableAfter: 120 * time.Hour,
		sweep: 100 * time.Millisecond})
	b.mustWake(b.mustLeads(60)...)
	testwait.Until(t, "a task in retry", func() bool { return len(b.standing()) == 1 })
	failingFor := func(d time.Duration) {
		t.Helper()
		const q = `update endpoints set probes = 3, failing_since = now() - make_interval(secs => $3) where workspace_id = $1 and id = $2`
		if _, err := b.db.ExecContext(t.Context(), q, b.ws, e.ID, d.Seconds()); err != nil {
			t.Fatal(err)
		}
		if err := asynq.NewInspectorFromRedisClient(b.redis).RunTask(task.QueueFailing, b.standing()[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	failingFor(25 * time.Hour)
	typeOf := regexp.MustCompile(`"type":"([a-z.]+)"`)
	if got := typeOf.FindSubmatch(other.mustNext(t).body); string(got[1]) != webhook.EndpointFailing {
		t.Errorf("event = %s, want %s", got[1], webhook.EndpointFailing)
	}
	testwait.Until(t, "the task back in retry", func() bool { return len(b.standing()) == 1 })
	failingFor(121 * time.Hour)
	if got := typeOf.FindSubmatch(other.mustNext(t).body); string(got[1]) != webhook.EndpointDisabled {
		t.Errorf("event = %s, want %s", got[1], webhook.EndpointDisabled)
	}
	b.awaitStates(e, 60, webhook.Held)
}
