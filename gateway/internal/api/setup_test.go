package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/idempotency"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/spectest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// bundle is the whole API on stores of its own, on a real server, with one workspace that has a chatbot and a key.
type bundle struct {
	db      *pg.DB                // closing it takes Postgres away
	redis   redis.UniversalClient // closing it takes Redis away
	url     string
	client  *http.Client
	skew    atomic.Int64 // how far ahead of the real clock the API's is, in ns
	unready atomic.Bool
	owner
}

// owner is a workspace as its owner sees it.
type owner struct {
	workspace, chatbot, key id.UUID
	secret                  string
}

// slowest is the read timeout of the server: long enough for every request that does not stall.
const slowest = 2 * time.Second

// setup makes a bundle; change alters what its API is made of.
func setup(t testing.TB, change ...func(*api.Deps)) *bundle {
	t.Helper()
	return setupWithin(t, slowest, change...)
}

// setupWithin is setup with another read timeout.
func setupWithin(t testing.TB, readTimeout time.Duration, change ...func(*api.Deps)) *bundle {
	t.Helper()
	b := &bundle{db: pgtest.New(t), redis: redistest.New(t)}
	b.serve(t, readTimeout, change...)
	b.owner = b.mustWorkspace(t, tenant.Settings{})
	return b
}

// serve starts a gateway on the stores of b.
func (b *bundle) serve(t testing.TB, readTimeout time.Duration, change ...func(*api.Deps)) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	au := auth.New(auth.Deps{DB: b.db, Now: b.now, Log: log})
	waker := task.NewWaker(b.redis)
	in := intake.New(intake.Deps{DB: b.db, Redis: b.redis, Waker: waker, Log: log, Registry: prometheus.NewRegistry(),
		Now: time.Now})
	t.Cleanup(in.Stop)
	keyed := idempotency.New(b.db, log)
	t.Cleanup(keyed.Stop)
	forms := form.New(form.Deps{
		Auth: au, Intake: in, Once: keyed, Redis: b.redis, Log: log, Registry: prometheus.NewRegistry(), Now: b.now,
		Wait: func(time.Time) {}, Secret: b.db.InstallationSecret,
	})
	deps := api.Deps{
		DB: b.db, Auth: au, Intake: in, Idempotency: keyed, Waker: waker, Forms: forms,
		Edge: httpx.New(httpx.Deps{Log: log, AccessLog: true, Listener: "api"}),
		Now:  b.now, WebhookURL: checkURL, Ready: b.ready,
	}
	for _, c := range change {
		c(&deps)
	}
	server := httptest.NewUnstartedServer(api.New(deps))
	server.Config.ReadTimeout = readTimeout
	server.Start()
	t.Cleanup(server.Close)
	b.url, b.client = server.URL, server.Client()
}

// mustOther starts another gateway on the same stores.
func (b *bundle) mustOther(t testing.TB, change ...func(*api.Deps)) *bundle {
	t.Helper()
	other := &bundle{db: b.db, redis: b.redis, owner: b.owner}
	other.serve(t, slowest, change...)
	other.client.CheckRedirect = b.client.CheckRedirect
	return other
}

func (b *bundle) now() time.Time { return time.Now().Add(time.Duration(b.skew.Load())) }

// forward lets time pass for keys, secrets and caches.
func (b *bundle) forward(d time.Duration) { b.skew.Add(int64(d)) }

func (b *bundle) ready(context.Context) error {
	if b.unready.Load() {
		return errors.New("redis: no")
	}
	return nil
}

// checkURL is the product's, but for one address that makes a bug.
func checkURL(url string) string {
	if strings.Contains(url, "panic.example.com") {
		panic("a bug")
	}
	return webhook.CheckURL(url, webhook.Allow{})
}

func (b *bundle) mustWorkspace(t testing.TB, s tenant.Settings) owner {
	t.Helper()
	c := owner{workspace: pgtest.Workspace(t, b.db, func(w *tenant.Workspace) { w.Settings = s }).ID}
	c.chatbot = pgtest.Chatbot(t, b.db, c.workspace).ID
	c.key, c.secret = b.mustKey(t, c.workspace, tenant.Scopes())
	return c
}

func (b *bundle) mustKey(t testing.TB, workspace id.UUID, scopes []tenant.Scope) (id.UUID, string) {
	t.Helper()
	k, secret := pgtest.Key(t, b.db, workspace, func(k *tenant.Key) { k.Scopes, k.CreatedAt = scopes, b.now() })
	return k.ID, secret
}

// answer is what came back, with its body as text and, where it is JSON, read.
type answer struct {
	status int
	header http.Header
	text   string
	body   struct {
		Success    bool
		Error      string
		Code       string
		RequestID  string
		Data       json.RawMessage
		NextCursor *string
		NextSince  string
		HasMore    bool
		Details    struct {
			Field   string
			Value   any
			Message string
			Errors  []struct{ Field, Pointer, Message string }
		}
	}
}

// send asks as whoever has secret; "" sends no key.
func (b *bundle) send(t *testing.T, secret, method, path, body string) answer {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, r)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return b.do(t, req)
}

func (b *bundle) do(t *testing.T, req *http.Request) answer {
	t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	checkDocumented(t, req, spectest.Answer{Status: res.StatusCode, Header: res.Header, Body: text})
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && req.Method != http.MethodHead {
		if err := json.Unmarshal(text, &a.body); err != nil {
			t.Fatalf("%s %s answered %q, want JSON", req.Method, req.URL.Path, text)
		}
	}
	return a
}

// wantError checks status and code, and that the envelope is whole.
func (a answer) wantError(t *testing.T, what string, status int, code string) {
	t.Helper()
	if a.status != status || a.body.Code != code || a.body.Success || a.body.Error == "" ||
		a.body.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("%s = %d %s, want %d %s in the envelope", what, a.status, a.text, status, code)
	}
}

// mustCreate posts a lead with this email and returns its public id.
func (b *bundle) mustCreate(t *testing.T, c owner, email string) string {
	t.Helper()
	got := b.send(t, c.secret, "POST", "/api/v1/leads", `{"email":"`+email+`"}`)
	return mustID(t, got)
}

// mustID returns the id of what a 201 made.
func mustID(t *testing.T, a answer) string {
	t.Helper()
	var made struct{ ID string }
	if err := json.Unmarshal(a.body.Data, &made); err != nil || a.status != http.StatusCreated {
		t.Fatalf("answer = %d %s, want 201", a.status, a.text)
	}
	return made.ID
}
