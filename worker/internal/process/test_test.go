package process_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// mustTest makes a test of e, as an owner's request does.
func (b *bundle) mustTest(e webhook.Endpoint) (delivery id.UUID) {
	b.Helper()
	delivery, err := b.db.CreateTestDelivery(b.Context(), b.ws, e.ID, id.New(), []byte(`{"message":"hello"}`), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return delivery
}

// mustAsk asks a worker for the attempt, and waits for the task to end with result.
func (b *bundle) mustAsk(e webhook.Endpoint, delivery id.UUID, result string) {
	b.Helper()
	results := func() (n int) {
		tasks, _ := asynq.NewInspectorFromRedisClient(b.redis).ListCompletedTasks(task.QueueWebhook, asynq.PageSize(1000))
		for _, t := range tasks {
			if t.Type == task.TypeTest && string(t.Result) == "delivery "+id.Delivery.Format(delivery)+": "+result {
				n++
			}
		}
		return n
	}
	before := results()
	if err := b.waker.EnqueueTest(b.Context(), b.ws, e.ID, delivery); err != nil {
		b.Fatal(err)
	}
	testwait.Until(b, "a test with result "+result, func() bool { return results() == before+1 })
}

// mustExec changes what no method changes.
func (b *bundle) mustExec(q string, args ...any) {
	b.Helper()
	pgtest.Exec(b, b.db, q, args...)
}

// A test is one attempt, whatever state its endpoint is in and however it goes, and leaves the endpoint's health alone.
func TestTestIsOneAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.worker(options{sweep: 100 * time.Millisecond})
	for _, c := range []struct {
		name, endpoint string // how the endpoint stands
		status         int
		want           webhook.State
	}{
		{"succeeds", `failures = 0`, 200, webhook.Delivered},
		{"fails", `failures = 0`, 500, webhook.Exhausted},
		{"redirects", `failures = 0`, 302, webhook.Exhausted},
		{"disabled", `enabled = false, disabled_at = now(), disabled_reason = 'owner'`, 200, webhook.Delivered},
		{"breaker open",
			`failures = 7, failing_since = now(), last_error = 'status: 503', probe_at = now() + interval '1 hour'`, 500,
			webhook.Exhausted},
		{"a drain has the lease", `drain_token = gen_random_uuid(), drain_until = now() + interval '1 hour'`, 200,
			webhook.Delivered},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) })
			e := b.mustEndpoint(rec.URL)
			b.mustExec(`update endpoints set `+c.endpoint+` where id = $1`, e.ID)
			before, err := b.db.GetEndpoint(t.Context(), b.ws, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			delivery := b.mustTest(e)
			b.mustAsk(e, delivery, string(c.want))
			got := rec.mustNext(t)
			verify(t, e, got)
			if !strings.Contains(string(got.body), `"type":"webhook.test"`) || !strings.Contains(string(got.body),
				`"data":{"message":"hello"}`) {
				t.Errorf("%s: payload = %s, want the test event", c.name, got.body)
			}
			all, attempts := b.deliveries(e)
			if len(all) != 1 || all[0].State != c.want || all[0].Attempts != 1 || all[0].NextAt != nil ||
				all[0].LastStatus != c.status {
				t.Errorf("%s: deliveries = %+v, want one %s at its first attempt with status %d", c.name, all, c.want, c.status)
			}
			if a := attempts[delivery]; len(a) != 1 || a[0].Number != 1 || a[0].Status != c.status {
				t.Errorf("%s: attempts = %+v, want one with status %d", c.name, a, c.status)
			}
			after, err := b.db.GetEndpoint(t.Context(), b.ws, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if before.Health.Failures != after.Health.Failures || before.Health.Open() != after.Health.Open() ||
				before.Enabled != after.Enabled {
				t.Errorf("%s: endpoint = %+v, want it as before: %+v", c.name, after, before)
			}
			b.mustAsk(e, delivery, "nothing to attempt")
			if len(rec.got) != 0 {
				t.Errorf("%s: a repeated task sent it again", c.name)
			}
		})
	}
}

// Nothing is sent to an endpoint that was deleted, nor what another workspace or endpoint owns.
func TestTestOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	b.worker(options{})
	e, other := b.mustEndpoint(rec.URL), b.mustEndpoint(rec.URL)
	delivery := b.mustTest(e)
	b.mustAsk(other, delivery, "nothing to attempt")
	stranger := *b
	stranger.ws = id.New()
	stranger.mustAsk(e, delivery, "nothing to attempt")
	b.mustExec(`update endpoints set deleted_at = now() where id = $1`, e.ID)
	b.mustAsk(e, delivery, "nothing to attempt")
	if len(rec.got) != 0 {
		t.Errorf("%d requests, want none", len(rec.got))
	}
}

// A test that succeeds while the breaker is open has the endpoint probed at once: what waits goes out long before the
// breaker's own time.
func TestTestProbes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec, works := mustFail(t, 503)
	e := b.mustEndpoint(rec.URL)
	b.worker(options{sweep: 100 * time.Millisecond, schedule: webhook.Schedule{0, time.Hour, time.Hour}})
	const n = 100
	b.mustWake(b.mustLeads(n)...)
	testwait.Until(t, "a failing endpoint's task in retry", func() bool { return len(b.standing()) == 1 })
	works.Store(true)
	b.mustAsk(e, b.mustTest(e), string(webhook.Delivered))
	testwait.Until(t, "the endpoint to work", func() bool {
		states, _ := b.states(e)
		got, err := b.db.GetEndpoint(t.Context(), b.ws, e.ID)
		return err == nil && !got.Health.Open() && states[webhook.Delivered] > n/2
	})
}

// A test under way when its worker stops is not recorded, and another worker makes it.
func TestStopMidTest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, holdFirst(nil))
	e := b.mustEndpoint(rec.URL)
	stop := b.worker(options{})
	delivery := b.mustTest(e)
	if err := b.waker.EnqueueTest(t.Context(), b.ws, e.ID, delivery); err != nil {
		t.Fatal(err)
	}
	rec.mustNext(t)
	stop(0)
	if all, attempts := b.deliveries(e); len(all) != 1 || all[0].State != webhook.Held || len(attempts) != 0 {
		t.Fatalf("after the stop: %+v, %d attempts recorded, want it held and untouched", all, len(attempts))
	}
	b.worker(options{})
	b.awaitStates(e, 1, webhook.Delivered)
}
