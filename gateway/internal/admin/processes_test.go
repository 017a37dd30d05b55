package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/rdb"
	"leadgate/shared/testwait"
)

// beat has a process say that it runs.
func (b *bundle) beat(kind, version, host string, seen time.Time) {
	b.t.Helper()
	p := rdb.Process{Kind: kind, Version: version, Host: host, PID: 7, StartedAt: seen.Add(-time.Hour), SeenAt: seen,
		DBConns: 3, DBMax: 16}
	if err := rdb.Beat(b.t.Context(), b.redis, p); err != nil {
		b.t.Fatal(err)
	}
}

func TestProcessesAreToldWithTheirVersions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	now := b.clock.Now()
	var got struct {
		Known     bool
		State     string
		Summary   string
		Processes []struct {
			Kind, Version, Host string
			Runs                bool
		}
	}
	want := func(state, summary string, processes int) {
		t.Helper()
		b.call("GET", "/admin/api/v1/processes", "", http.StatusOK, &got)
		if got.State != state || !strings.Contains(got.Summary, summary) || len(got.Processes) != processes {
			t.Errorf("GET processes = %+v, want %s, %q and %d", got, state, summary, processes)
		}
	}
	want("bad", "No worker runs", 0)
	b.beat("gateway", "1.0.0", "a", now)
	if a := b.look("/admin/"); !strings.Contains(a.body, "No worker runs") {
		t.Errorf("GET /admin/ = %s, want that no worker runs", a.body)
	}
	b.beat("worker", "1.0.0", "a", now)
	if a := b.look("/admin/"); strings.Contains(a.body, "No worker runs") {
		t.Errorf("GET /admin/ = %s, want nothing of a worker that runs", a.body)
	}
	want("good", "one version: 1.0.0 on 1 gateway and 1 worker", 2)
	b.beat("gateway", "1.1.0", "b", now)
	b.beat("gateway", "1.1.0", "c", now)
	want("warn", "2 versions run: 1.0.0 on 1 gateway and 1 worker; 1.1.0 on 2 gateways", 4)
	b.beat("worker", "1.0.0", "a", now.Add(-time.Minute)) // it is the last one, and was killed
	want("bad", "No worker runs", 4)
	if a := b.look("/admin/processes"); !strings.Contains(a.body, "Not seen") || !strings.Contains(a.body, "1.1.0") {
		t.Errorf("GET processes page = %s, want what runs and what is not seen", a.body)
	}
	server := asynq.NewServerFromRedisClient(b.redis, asynq.Config{LogLevel: asynq.FatalLevel})
	if err := server.Start(asynq.NewServeMux()); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "a worker of a version without heartbeats", func() bool {
		b.call("GET", "/admin/api/v1/processes", "", http.StatusOK, &got)
		return got.State == "warn" && len(got.Processes) == 5 && strings.Contains(got.Summary, "an older version on 1 worker")
	})
	server.Shutdown()
	b.clock.Forward(2 * time.Hour)
	want("bad", "No worker runs", 0)
	b.redis.Close()
	want("warn", "it is not known", 0)
}
