package admin_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leadgate/gateway/internal/admin"
	"leadgate/shared/id"
	"leadgate/shared/task"
)

// wake puts a wake-up of each kind into its queue.
func (b *bundle) wake() (drain, enrich task.Key) {
	b.t.Helper()
	ws := id.New()
	drain, enrich = task.Drain(ws, id.New()), task.Enrich(ws)
	w := task.NewWaker(b.redis)
	err := errors.Join(w.Wake(b.t.Context(), []task.Key{enrich}), w.WakeDrains(b.t.Context(), []task.Key{drain}))
	if err != nil {
		b.t.Fatal(err)
	}
	return drain, enrich
}

func (b *bundle) dashboard(method, path string) answer {
	b.t.Helper()
	return b.do(b.request(method, "/admin/queues"+path, "", "Authorization", "Bearer "+token))
}

func TestDashboardIsServed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, path := range []string{"", "/", "/queues/webhook?status=retry"} {
		a := b.dashboard("GET", path)
		if a.status != http.StatusOK || !strings.Contains(a.body, "Asynq - Monitoring") || !strings.Contains(a.body,
			`src="/admin/queues/static/js/`) {
			t.Errorf("GET %s = %d %.200s, want the dashboard", path, a.status, a.body)
		}
		if got := a.header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'self'") {
			t.Errorf("GET %s: Content-Security-Policy = %q, want default-src 'self'", path, got)
		}
	}
}

// The dashboard without Redis is no mistake of ours.
func TestDashboardWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.redis.Close()
	a := b.dashboard("GET", "/api/queues")
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "Redis does not answer in time.") ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("GET queues without Redis = %d %s, want 503 that says so", a.status, a.body)
	}
}

func TestTasksReadWell(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	drain, enrich := b.wake()
	path, endpoint := b.failing("Acme", "https://hooks.example.com/secret-part", "status: 503")
	b.call("POST", "/admin/api/v1/"+path+"/probe", "", http.StatusAccepted, nil)
	for queue, want := range map[string]string{"webhook": drain.String(), "enrich": enrich.String(),
		"failing": "Acme · hooks.example.com · endpoint " + endpoint + " of " + strings.Split(path, "/")[1]} {
		a := b.dashboard("GET", "/api/queues/"+queue+"/pending_tasks")
		if !strings.Contains(a.body, `"payload":"`+want+`"`) {
			t.Errorf("pending tasks of %s = %s, want payload %q", queue, a.body, want)
		}
	}
}

func TestDashboardOnlyShowsUnlessWritable(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	for _, r := range [][2]string{{"POST", "/api/queues/webhook:pause"},
		{"DELETE", "/api/queues/webhook/pending_tasks:delete_all"}, {"DELETE", "/api/queues/webhook"}} {
		t.Run(fmt.Sprint(r), func(t *testing.T) {
			if a := b.dashboard(r[0], r[1]); a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s = %d, want 405", r[0], r[1], a.status)
			}
		})
	}
	w := setup(t, func(d *admin.Deps) { d.QueuesWritable = true })
	w.wake()
	if a := w.dashboard("POST", "/api/queues/webhook:pause"); a.status != http.StatusNoContent {
		t.Errorf("POST pause of a writable dashboard = %d %s, want 204", a.status, a.body)
	}
	if a := w.metrics(); !strings.Contains(a.body, `leadgate_queue_paused{queue="webhook"} 1`) {
		t.Errorf("GET /metrics after a pause does not tell it:\n%s", a.body)
	}
}

func (b *bundle) metrics() answer {
	b.t.Helper()
	return b.do(b.request("GET", "/metrics", ""))
}

func TestMetricsTellQueuesAndStores(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	a := b.metrics()
	for _, want := range []string{
		`leadgate_queue_tasks{queue="webhook",state="pending"} 1`, `leadgate_queue_tasks{queue="enrich",state="retry"} 0`,
		`leadgate_queue_latency_seconds{queue="webhook"}`, `leadgate_store_up{store="postgres"} 1`,
		`leadgate_store_up{store="redis"} 1`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("GET /metrics: no %q in it:\n%s", want, a.body)
		}
	}
}
