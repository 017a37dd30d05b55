package admin_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/admin"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
)

func TestReadinessIsPostgres(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	a := b.do(b.request("GET", "/readyz", ""))
	if want := `{"success":true,"data":{"postgres":"ok","redis":"ok"}}` + "\n"; a.status != http.StatusOK ||
		a.body != want {
		t.Errorf("GET /readyz = %d %s, want 200 %s", a.status, a.body, want)
	}
	away := setup(t, func(d *admin.Deps) {
		d.Ready = func(context.Context) error {
			return errors.New(
				"dial tcp: refused")
		}
	})
	a = away.do(away.request("GET", "/readyz", ""))
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.body,
		"refused") || !strings.Contains(a.body, `"postgres":"away"`) {
		t.Errorf("GET /readyz without Postgres = %d %s, want 503, Retry-After and no cause", a.status, a.body)
	}
	if a := away.do(away.request("GET", "/healthz", "")); a.status != http.StatusOK {
		t.Errorf("GET /healthz without Postgres = %d, want 200", a.status)
	}
}

func TestReadinessOutlivesRedis(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	b := setup(t, func(d *admin.Deps) { d.Redis = redistest.Open(t, store) })
	if err := store.Stop(); err != nil {
		t.Fatal(err)
	}
	a := b.do(b.request("GET", "/readyz", ""))
	if a.status != http.StatusOK || !strings.Contains(a.body, `"redis":"away, ingest goes on"`) {
		t.Errorf("GET /readyz without Redis = %d %s, want 200 that says so", a.status, a.body)
	}
	if m := b.metrics(); m.status != http.StatusOK || !strings.Contains(m.body, `leadgate_store_up{store="redis"} 0`) {
		t.Errorf("GET /metrics without Redis = %d, want 200 with leadgate_store_up{redis} 0:\n%s", m.status, m.body)
	}
}

// A Redis that takes connections and says nothing takes no time from Postgres.
func TestReadinessOutlivesARedisThatHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	client, err := rdb.Open("redis://"+silent.Addr().String(), rdb.Options{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	b := setup(t, func(d *admin.Deps) {
		d.Redis = client
		d.Ready = func(ctx context.Context) error { return ctx.Err() }
	})
	a := b.do(b.request("GET", "/readyz", ""))
	want := `"postgres":"ok","redis":"away, ingest goes on"`
	if a.status != http.StatusOK || !strings.Contains(a.body, want) {
		t.Errorf("GET /readyz = %d %s, want 200 %s", a.status, a.body, want)
	}
}
