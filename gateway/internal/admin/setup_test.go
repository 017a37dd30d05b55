package admin_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/admin"
	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/failures"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/config"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

const token = "an-admin-token-for-tests"

// bundle is an admin listener on stores of its own.
type bundle struct {
	t     *testing.T
	url   string
	db    *pg.DB
	redis redis.UniversalClient
	clock *testwait.Clock
	log   *slog.Logger
	group lifecycle.Group // of what runs beside the listener

	failed *failures.Recorder
}

// setup starts an admin listener; change, if not nil, alters what it is made of.
func setup(t *testing.T, change func(*admin.Deps)) *bundle {
	t.Helper()
	b := &bundle{t: t, db: pgtest.New(t), redis: redistest.New(t), clock: testwait.NewClock(time.Now())}
	registry := prometheus.NewRegistry()
	log := slog.New(slog.DiscardHandler)
	b.log, b.failed = log, failures.Run(&b.group, b.redis, log)
	d := admin.Deps{
		DB: b.db, API: api.New(api.Deps{DB: b.db, Now: b.clock.Now, Edge: httpx.New(httpx.Deps{Log: log, Listener: "api"})}),
		Failures: b.failed, Redis: b.redis, Token: config.WatchedSecret{Secret: token}, Log: log, Registry: registry, Ready: b.db.PingContext,
		Now: b.clock.Now,
		Edge: httpx.New(httpx.Deps{Log: log, Registry: registry, Listener: "admin",
			Failed: b.failed.Record}), APIAddr: "127.0.0.1:8080",
	}
	if change != nil {
		change(&d)
	}
	server := httptest.NewServer(admin.New(d))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request as it is, following no redirect.
func (b *bundle) do(r *http.Request) answer {
	b.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// request makes a request without credentials; header is pairs of name and value.
func (b *bundle) request(method, path, body string, header ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// call uses the admin API with the token and decodes "data" into out, if that is not nil. It fails unless the status is
// want.
func (b *bundle) call(method, path, body string, want int, out any) answer {
	b.t.Helper()
	r := b.request(method, path, body, "Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	a := b.do(r)
	if a.status != want {
		b.t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, a.status, a.body, want)
	}
	if out != nil {
		var envelope struct{ Data json.RawMessage }
		if err := json.Unmarshal([]byte(a.body), &envelope); err != nil {
			b.t.Fatalf("%s %s = %s: %v", method, path, a.body, err)
		}
		if err := json.Unmarshal(envelope.Data, out); err != nil {
			b.t.Fatalf("%s %s = %s: %v", method, path, a.body, err)
		}
	}
	return a
}

// workspace makes one and returns its path.
func (b *bundle) workspace() string {
	b.t.Helper()
	var made struct{ ID string }
	b.call("POST", "/admin/api/v1/workspaces", `{"name":"Acme"}`, http.StatusCreated, &made)
	return "/admin/api/v1/workspaces/" + made.ID
}
