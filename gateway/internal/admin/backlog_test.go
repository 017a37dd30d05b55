package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
)

// mustOwe makes a workspace with an endpoint and n deliveries to it.
func (b *bundle) mustOwe(n int) (endpoint id.UUID) {
	b.t.Helper()
	ws := pgtest.Workspace(b.t, b.db).ID
	endpoint = pgtest.Endpoint(b.t, b.db, ws).ID
	pgtest.Leads(b.t, b.db, ws, n)
	return endpoint
}

func (b *bundle) wantMetrics(when string, lines ...string) {
	b.t.Helper()
	a := b.metrics()
	for _, want := range lines {
		if a.status != http.StatusOK || !strings.Contains(a.body, want+"\n") {
			b.t.Errorf("%s: GET /metrics = %d without %q:\n%s", when, a.status, want, a.body)
		}
	}
}

func TestMetricsShowTheBacklog(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.mustOwe(2)
	open := b.mustOwe(3)
	if _, err := b.db.ExecContext(t.Context(), `update endpoints set failures = 9, probe_at = now() where id = $1`,
		open); err != nil {
		t.Fatal(err)
	}
	at := []string{`leadgate_deliveries_waiting{state="due"} 2`, `leadgate_deliveries_waiting{state="later"} 3`,
		`leadgate_replays_running 0`,
		`leadgate_endpoints{breaker="closed"} 1`, `leadgate_endpoints{breaker="open"} 1`,
		`leadgate_endpoints{breaker="failing"} 0`, `leadgate_endpoints{breaker="disabled"} 0`}
	b.wantMetrics("at first", at...)
	b.mustOwe(1)
	b.clock.Forward(9 * time.Second)
	b.wantMetrics("9 s later, from memory", at...)
	b.clock.Forward(time.Second)
	b.wantMetrics("10 s later", `leadgate_deliveries_waiting{state="due"} 3`, `leadgate_endpoints{breaker="closed"} 2`)
}

// What cannot be counted in time is left out, and the rest is told.
func TestMetricsDoNotWaitForTheBacklog(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.mustOwe(1)
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `lock table endpoints`); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from memory
		began := time.Now()
		a := b.metrics()
		if took := time.Since(began); a.status != http.StatusOK || took > 20*time.Second {
			t.Errorf("GET /metrics while it cannot be counted = %d after %s, want 200 soon", a.status, took)
		}
		if strings.Contains(a.body, "leadgate_deliveries_waiting{") || !strings.Contains(a.body,
			`leadgate_store_up{store="postgres"} 1`) {
			t.Errorf("GET /metrics while it cannot be counted, want the rest and no leadgate_deliveries_waiting:\n%s", a.body)
		}
	}
	tx.Rollback()
	b.clock.Forward(10 * time.Second)
	b.wantMetrics("10 s later", `leadgate_deliveries_waiting{state="due"} 1`)
}
