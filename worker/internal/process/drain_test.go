package process_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/process"
)

func TestDeliversSigned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL + "/in?token=x")
	b.worker(options{})
	b.mustWake(b.mustLeads(1)...)

	got := rec.mustNext(t)
	verify(t, e, got)
	var payload struct {
		Type string
		Data struct{ ID, WorkspaceID string }
	}
	if err := json.Unmarshal(got.body, &payload); err != nil || payload.Type != webhook.LeadCreated ||
		payload.Data.WorkspaceID != id.Workspace.Format(b.ws) {
		t.Errorf("payload = %s, %v, want lead.created of the workspace", got.body, err)
	}
	b.awaitStates(e, 1, webhook.Delivered)
	all, attempts := b.deliveries(e)
	if want := id.Event.Format(all[0].EventID); got.id != want {
		t.Errorf("webhook-id = %s, want the event's id %s", got.id, want)
	}
	if a := attempts[all[0].ID]; len(a) != 1 || a[0].Status != 200 || a[0].Error != "" {
		t.Errorf("attempts = %+v, want one with status 200", a)
	}
	inspect := asynq.NewInspectorFromRedisClient(b.redis)
	want := "woken endpoints: delivered 1, failed 0"
	testwait.Until(t, "result "+want, func() bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueWebhook)
		return len(tasks) == 1 && string(tasks[0].Result) == want
	})
}

// Whatever is not 2xx is tried again: an error, a redirect, which is not followed, and an answer that is not HTTP.
func TestRetriesUntilDelivered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			http.Error(w, "oh no", 500)
		case 2:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case 3:
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				io.WriteString(conn, "not HTTP\r\n\r\n")
				conn.Close()
			}
		}
	})
	e := b.mustEndpoint(rec.URL + "/in")
	b.worker(options{sweep: 100 * time.Millisecond})
	b.mustWake(b.mustLeads(1)...)
	b.awaitStates(e, 1, webhook.Delivered)

	all, attempts := b.deliveries(e)
	type short struct {
		Number, Status int
		Class          webhook.ErrorClass
	}
	var got []short
	for _, a := range attempts[all[0].ID] {
		got = append(got, short{a.Number, a.Status, webhook.ClassOf(a.Error)})
	}
	want := []short{{1, 500, webhook.FailedStatus}, {2, 302, webhook.FailedStatus}, {3, 0, webhook.FailedConnection},
		{4, 200, ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	if head := attempts[all[0].ID][0].ResponseHead; head != "oh no\n" {
		t.Errorf("ResponseHead = %q, want the body of the answer", head)
	}
	for range want {
		r := rec.mustNext(t)
		verify(t, e, r)
		if r.id != id.Event.Format(all[0].EventID) {
			t.Errorf("webhook-id = %s, want the event's at every attempt", r.id)
		}
	}
}

func TestScheduleEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) })
	e := b.mustEndpoint(rec.URL)
	b.worker(options{sweep: 100 * time.Millisecond, schedule: webhook.Schedule{0, 10 * time.Millisecond}})
	b.mustWake(b.mustLeads(2)...)
	b.awaitStates(e, 2, webhook.Exhausted)
	all, _ := b.deliveries(e)
	for _, d := range all {
		if d.Attempts != 2 || d.NextAt != nil || d.LastStatus != 400 {
			t.Errorf("delivery = %+v, want 2 attempts, no next, status 400", d)
		}
	}
}

// While deliveries come in one by one, drains end all the time; none may be left behind, and there is no sweep to help.
func TestNoWakeUpIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	b.worker(options{})
	const n = 150
	for range n {
		b.mustWake(b.mustLeads(1)...)
	}
	b.awaitStates(e, n, webhook.Delivered)
}

// A delivery committed while the drain's last attempt is under way is taken by the same drain or the next.
func TestWokenWhileDraining(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hold := make(chan struct{})
	rec := mustReceive(t, holdFirst(hold))
	e := b.mustEndpoint(rec.URL)
	b.worker(options{})
	b.mustWake(b.mustLeads(1)...)
	rec.mustNext(t)
	b.mustWake(b.mustLeads(1)...)
	close(hold)
	b.awaitStates(e, 2, webhook.Delivered)
}

// A lease that outlives its drain makes the endpoint rest until it lapses: for everybody, the sweep too.
func TestNoDrainEndsWithTheLease(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]struct {
		options
		first int
	}{
		"after a full take":             {options{}, process.LeaseLimit},
		"when slices end in the middle": {options{maxRun: 20 * time.Millisecond}, 20 * process.LeaseLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			rec := mustReceive(t, nil)
			e := b.mustEndpoint(rec.URL)
			b.worker(o.options)
			b.mustWake(b.mustLeads(o.first)...)
			b.awaitStates(e, o.first, webhook.Delivered)
			b.mustWake(b.mustLeads(1)...)
			b.awaitStates(e, o.first+1, webhook.Delivered)
			if got := b.longestPause(e); got > process.LeaseTime*9/10 { // a busy machine takes seconds, a lease all of its time
				t.Errorf("the endpoint rested for %v, want less than a lease of %v", got, process.LeaseTime)
			}
		})
	}
}

// Two workers that know nothing of each other, as after a lost Redis, share one endpoint: the lease keeps every
// delivery single.
func TestWorkersDoNotOverlap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	other := setup(t)
	other.db, other.ws = b.db, b.ws
	for _, worker := range []*bundle{b, other} {
		worker.worker(options{sweep: 100 * time.Millisecond})
	}
	const n = 500
	keys := b.mustLeads(n)
	b.mustWake(keys...)
	other.mustWake(keys...)
	b.awaitStates(e, n, webhook.Delivered)
	var got []string
	for range n {
		got = append(got, rec.mustNext(t).id)
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != n || len(rec.got) != 0 {
		t.Errorf("requests = %d of them different, and %d more, want %d different ones", len(got), len(rec.got), n)
	}
}

// A hanging endpoint keeps its own drain only.
func TestHangingEndpointDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stuck := mustReceive(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b.mustEndpoint(stuck.URL)
	b.worker(options{})
	b.mustWake(b.mustLeads(50)...)
	stuck.mustNext(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	b.mustWake(b.mustLeads(1)...)
	b.awaitStates(e, 1, webhook.Delivered)
}

func BenchmarkIdleDelivery(bm *testing.B) {
	b := setup(bm)
	rec := mustReceive(bm, nil)
	b.mustEndpoint(rec.URL)
	b.worker(options{})
	var all []time.Duration
	for bm.Loop() {
		start := time.Now()
		b.mustWake(b.mustLeads(1)...)
		rec.mustNext(bm)
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	bm.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	bm.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkDrain empties a backlog for one endpoint, receiver included.
func BenchmarkDrain(bm *testing.B) {
	const n = 20_000
	for bm.Loop() {
		bm.StopTimer()
		b := setup(bm)
		rec := mustReceive(bm, nil)
		rec.got = make(chan request, n)
		e := b.mustEndpoint(rec.URL)
		var keys []task.Key
		for range n / 500 {
			keys = b.mustLeads(500)
		}
		bm.StartTimer()
		stop := b.worker(options{})
		b.mustWake(keys...)
		for range n {
			rec.mustNext(bm)
		}
		bm.StopTimer()
		b.awaitStates(e, n, webhook.Delivered)
		stop(0)
		bm.StartTimer()
	}
	bm.ReportMetric(n*float64(bm.N)/bm.Elapsed().Seconds(), "deliveries/s")
}
