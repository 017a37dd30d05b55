package console_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/books"
	"leadgate/gateway/internal/console"
	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/idempotency"
	"leadgate/gateway/internal/intake"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/testbrowser"
)

// bundle is the API and the console on stores of their own, on a real server, with one workspace.
type bundle struct {
	db    *pg.DB
	redis redis.UniversalClient
	url   string
	books *books.Counter
	ahead atomic.Int64 // nanoseconds by which its clock is ahead
	owner
}

func (b *bundle) now() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }

// owner is a workspace as its owner sees it.
type owner struct {
	workspace, chatbot id.UUID
	secret             string // of a key with all scopes
}

func setup(t testing.TB, changes ...func(*console.Deps)) *bundle {
	t.Helper()
	b := &bundle{db: pgtest.New(t), redis: redistest.New(t)}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	keys := auth.New(auth.Deps{DB: b.db, Now: b.now, Log: log})
	waker := task.NewWaker(b.redis)
	b.books = books.New(books.Deps{DB: b.db, Log: log})
	in := intake.New(intake.Deps{DB: b.db, Redis: b.redis, Waker: waker, Log: log, Registry: prometheus.NewRegistry(),
		Now: time.Now, Books: b.books})
	t.Cleanup(in.Stop)
	keyed := idempotency.New(b.db, log)
	t.Cleanup(keyed.Stop)
	forms := form.New(form.Deps{Auth: keys, Intake: in, Once: keyed, Redis: b.redis, Log: log,
		Registry: prometheus.NewRegistry(), Now: time.Now, Wait: func(time.Time) {}, Secret: b.db.InstallationSecret,
		Books: b.books})
	public := api.New(api.Deps{DB: b.db, Auth: keys, Intake: in, Idempotency: keyed, Waker: waker, Forms: forms,
		Books: b.books,
		Edge:  httpx.New(httpx.Deps{Log: log, AccessLog: true, Listener: "api"}), Now: time.Now,
		WebhookURL: func(string) string { return "" }, Ready: func(context.Context) error { return nil }})
	d := console.Deps{API: public, Auth: keys, Tenants: tenants.Service{DB: b.db, Now: b.now}, Now: b.now,
		Pulse: b.db.Pulse, Edge: httpx.New(httpx.Deps{Log: log, AccessLog: true, Listener: "console"}), Log: log,
		Strangers: forms}
	for _, change := range changes {
		change(&d)
	}
	server := httptest.NewServer(console.Beside(public, console.New(d)))
	t.Cleanup(server.Close)
	b.url = server.URL
	b.owner = b.mustWorkspace(t)
	return b
}

func (b *bundle) mustWorkspace(t testing.TB) owner {
	t.Helper()
	o := owner{workspace: pgtest.Workspace(t, b.db).ID}
	o.chatbot = pgtest.Chatbot(t, b.db, o.workspace).ID
	o.secret = b.mustKey(t, o.workspace, tenant.Scopes()...)
	return o
}

func (b *bundle) mustKey(t testing.TB, workspace id.UUID, scopes ...tenant.Scope) string {
	t.Helper()
	_, secret := pgtest.Key(t, b.db, workspace, func(k *tenant.Key) { k.Scopes = scopes })
	return secret
}

// call asks the API with the owner's key, and reads data of its answer into to.
func (b *bundle) call(t testing.TB, method, path, body string, to any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.secret)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s = %d %s, %v", method, path, res.StatusCode, text, err)
	}
	if to != nil {
		if err := json.Unmarshal(text, &struct{ Data any }{to}); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

// mustLead makes a lead by the API and returns its id.
func (b *bundle) mustLead(t testing.TB, body string) string {
	t.Helper()
	var made struct{ ID string }
	b.call(t, "POST", "/leads", body, &made)
	return made.ID
}

// visitor is a browser without scripts, as far as HTTP is concerned.
type visitor struct {
	*http.Client
	b *bundle
}

// mustSignIn is a visitor who has signed in with a key.
func (b *bundle) mustSignIn(t testing.TB, key string) *visitor {
	t.Helper()
	v := b.visitor(t)
	if got := v.post(t, "/console/sign-in", url.Values{"key": {key}}); got.status != 200 {
		t.Fatalf("sign in = %d %s", got.status, got.text)
	}
	return v
}

func (b *bundle) visitor(t testing.TB) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{&http.Client{Jar: jar}, b}
}

// answer is the page at which a visitor arrived.
type answer struct {
	status int
	path   string
	header http.Header
	text   string
}

func (v *visitor) get(t testing.TB, path string) answer {
	t.Helper()
	return v.do(t, "GET", path, nil)
}

func (v *visitor) post(t testing.TB, path string, form url.Values) answer {
	t.Helper()
	return v.do(t, "POST", path, strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded",
		"Sec-Fetch-Site", "same-origin")
}

func (v *visitor) do(t testing.TB, method, path string, body io.Reader, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, v.b.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := v.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Request.URL.Path, res.Header, string(text)}
}

// mustOpen is a real browser in which the owner has signed in.
func (b *bundle) mustOpen(t testing.TB) *testbrowser.Page {
	t.Helper()
	p := testbrowser.New(t)
	p.Open(b.url + "/console")
	p.Fill("#key", b.secret)
	p.Click("main button")
	p.WaitText("Sign out")
	return p
}

// wantWell fails when a page, as it is now, has a problem.
func wantWell(t *testing.T, p *testbrowser.Page, name string) {
	t.Helper()
	p.WantWell(name)
}
