package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/config"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
	"leadgate/shared/version"
	"leadgate/shared/webhook"
)

// worker is run() at work.
type worker struct {
	ops   string // URL
	stop  context.CancelFunc
	ended chan error
	out   *output
}

// output is what a worker has logged so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.text.String() }

// start runs a worker; more are further variables, each NAME=value.
func start(t *testing.T, database, redis string, more ...string) *worker {
	t.Helper()
	env := map[string]string{"DATABASE_URL": database, "REDIS_URL": redis, "LEADGATE_WORKER_LISTEN": "127.0.0.1:0",
		"LEADGATE_WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8,::1/128", "LEADGATE_WEBHOOK_ALLOW_HTTP": "true",
		"LEADGATE_SWEEP": "200ms", "LEADGATE_ALLOW_UNSAFE_POSTGRES": "true"}
	for _, v := range more {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &worker{stop: cancel, ended: make(chan error, 1), out: &output{}}
	read, write := io.Pipe()
	go func() {
		w.ended <- run(ctx, nil, func(name string) string { return env[name] }, write)
		write.Close()
	}()
	ops := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(read); lines.Scan(); {
			w.out.mu.Lock()
			w.out.text.WriteString(lines.Text() + "\n")
			w.out.mu.Unlock()
			var line struct{ Msg, Ops string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "working" {
				ops <- "http://" + line.Ops
			}
		}
	}()
	t.Cleanup(cancel)
	select {
	case w.ops = <-ops:
	case err := <-w.ended:
		t.Fatalf("run() = %v before it worked", err)
	case <-time.After(2 * time.Minute):
		t.Fatal("run() does not work within two minutes")
	}
	return w
}

// mustStop asks run to end.
func (w *worker) mustStop(t *testing.T) {
	t.Helper()
	w.stop()
	select {
	case err := <-w.ended:
		if err != nil {
			t.Errorf("run() = %v after a stop, want nil", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("run() goes on two minutes after it was asked to stop")
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// mustLead makes a workspace with an endpoint for every event, and a lead in it.
func mustLead(t *testing.T, database, url string) {
	t.Helper()
	db, err := pg.Open(database, pg.Options{MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ws := pgtest.Workspace(t, db).ID
	pgtest.Endpoint(t, db, ws, func(e *webhook.Endpoint) { e.URL = url })
	pgtest.Lead(t, db, ws, func(l *lead.Lead) {
		l.Email, l.Metadata = "ada@example.com", []byte(`{"utm_source":"news"}`)
	})
}

// A whole life: nobody wakes it, so the sweep finds what is owed; both events arrive; the operators' pages tell; it
// stops.
func TestRun(t *testing.T) {
	t.Parallel()
	events := make(chan string, 10)
	hooks := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		events <- string(body)
	}))
	defer hooks.Close()
	database := pgtest.URL(t)
	mustLead(t, database, hooks.URL+"/in?secret=hunter2")
	w := start(t, database, redistest.Start(t).URL())
	got := map[string]string{}
	for range 2 {
		select {
		case body := <-events:
			var e struct{ Type string }
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatal(err)
			}
			got[e.Type] = body
		case <-time.After(2 * time.Minute):
			t.Fatalf("events = %v, want lead.created and lead.enriched", got)
		}
	}
	if !strings.Contains(got[webhook.LeadEnriched], `"enrichment":{"email":{`) || got[webhook.LeadCreated] == "" {
		t.Errorf("events = %v, want lead.created and a lead.enriched with facts", got)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": `"redis":"ok"`,
		"/metrics": "leadgate_enriched_total 1", "/debug/pprof/": "LEADGATE_WORKER_TOKEN"} {
		wanted := 200
		if strings.HasPrefix(path, "/debug/") { // off, unless there is a token
			wanted = 404
		}
		if status, body := get(t, w.ops+path); status != wanted || !strings.Contains(body, want) {
			t.Errorf("GET %s = %d %.200s, want %d and %q", path, status, body, wanted, want)
		}
	}
	w.mustStop(t)
	log := w.out.String()
	if !strings.Contains(log, `"msg":"attempt"`) {
		t.Errorf("log has no line of an attempt:\n%s", log)
	}
	for _, private := range []string{"ada@", "hunter2", "/in"} {
		if strings.Contains(log, private) {
			t.Errorf("log tells %q:\n%s", private, log)
		}
	}
}

// What a worker has counted stays counted when Redis loses all that it has.
func TestCountersOutliveRedis(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	w := start(t, pgtest.URL(t), store.URL())
	c, err := rdb.Open(store.URL(), rdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sweeps := func() (n float64) {
		_, body := get(t, w.ops+"/metrics")
		for line := range strings.Lines(body) {
			if value, ok := strings.CutPrefix(line, `leadgate_queue_processed_total{queue="upkeep"} `); ok {
				if n, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
					t.Fatal(err)
				}
			}
		}
		return n
	}
	testwait.Until(t, "three sweeps", func() bool { return sweeps() >= 3 })
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if n := sweeps(); n < 3 {
		t.Errorf("%v sweeps counted after Redis lost all, want the three of before", n)
	}
	testwait.Until(t, "more sweeps", func() bool { return sweeps() > 4 })
	w.mustStop(t)
}

// Profiles show what a worker works on, and cost it time: only who has a token gets them.
func TestProfilesNeedAToken(t *testing.T) {
	t.Parallel()
	const token, other = "a-token-for-tests-of-it", "another-token-for-tests"
	w := start(t, pgtest.URL(t), redistest.Start(t).URL(), "LEADGATE_WORKER_TOKEN="+token+" "+other)
	ask := func(path, header string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", w.ops+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	basic := &http.Request{Header: http.Header{}}
	basic.SetBasicAuth("anyone", token)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/symbol"} {
		for _, header := range []string{"Bearer " + token, "Bearer " + other, basic.Header.Get("Authorization")} {
			if status, body := ask(path, header); status != 200 {
				t.Errorf("GET %s with the token = %d %.100s, want 200", path, status, body)
			}
		}
		for _, header := range []string{"", "Bearer wrong", "Bearer " + token + " " + other} {
			if status, body := ask(path, header); status != 401 || strings.Contains(body, "goroutine") {
				t.Errorf("GET %s with %q = %d %.100s, want 401", path, header, status, body)
			}
		}
	}
	for _, path := range []string{"/healthz", "/metrics"} {
		if status, _ := ask(path, ""); status != 200 {
			t.Errorf("GET %s without a token = %d, want 200", path, status)
		}
	}
	for range 10 {
		ask("/debug/pprof/", "Bearer guess")
	}
	if status, _ := ask("/debug/pprof/", "Bearer "+token); status != 429 {
		t.Errorf("GET after many guesses = %d, want 429", status)
	}
	w.mustStop(t)
}

func TestMemoryBudgetIsShown(t *testing.T) {
	t.Parallel()
	w := start(t, pgtest.URL(t), redistest.Start(t).URL(), "LEADGATE_MEMORY_BUDGET=64MiB")
	_, body := get(t, w.ops+"/metrics")
	for _, want := range []string{"leadgate_memory_budget_bytes 6.7108864e+07\n", "leadgate_memory_used_bytes 0\n",
		"leadgate_memory_short_total 0\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics have no %q", want)
		}
	}
	if log := w.out.String(); !strings.Contains(log, `"msg":"memory limit set"`) {
		t.Errorf("log does not tell the memory limit:\n%s", log)
	}
	w.mustStop(t)
}

// Without Redis a worker starts, says so, and works when Redis comes.
func TestRedisAwayAtStart(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	if err := redis.Stop(); err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{}, 10)
	hooks := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer hooks.Close()
	database := pgtest.URL(t)
	mustLead(t, database, hooks.URL)
	w := start(t, database, redis.URL(), "LEADGATE_ATTEMPT_LOG=false")
	if status, body := get(t, w.ops+"/readyz"); status != 200 || !strings.Contains(body, `"redis":"away"`) {
		t.Errorf("GET /readyz = %d %s, want 200 and Redis away", status, body)
	}
	if err := redis.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-time.After(2 * time.Minute):
		t.Error("nothing was delivered after Redis came")
	}
	w.mustStop(t)
	if log := w.out.String(); strings.Contains(log, `"msg":"attempt"`) {
		t.Errorf("an attempt that went well is logged against LEADGATE_ATTEMPT_LOG=false:\n%s", log)
	}
}

func TestOldSchemaIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	db, err := pg.Open(database, pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, db, "delete from goose_db_version where version_id > 0")
	db.Close()
	args := []string{"--database-url", database, "--redis-url", "redis://127.0.0.1:1/0", "--ops-listen", "127.0.0.1:0",
		"--allow-unsafe-postgres"}
	err = run(t.Context(), args, func(string) string { return "" }, io.Discard)
	if err == nil || errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), "gateway migrate") {
		t.Errorf("run() = %v, want what to do about the schema", err)
	}
}

func TestMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	args := []string{"--drains", "0", "--sweep", "1ms", "--ops-listen", "here", "--webhook-allow-cidrs",
		"10.0.0.0/8,localhost,home", "--db-conns", "1",
		"--probes", "0", "--retention", "1h", "--submission-retention", "720h", "--disable-after", "1s", "--operator-hook", "https://192.168.0.1/hunter2",
		"--operator-hook-secret", "hunter2", "--memory-budget", "1MiB"}
	err := run(t.Context(), args, func(string) string { return "" }, io.Discard)
	if !errors.Is(err, config.ErrInvalid) {
		t.Fatalf("run() = %v, want ErrBad", err)
	}
	for _, want := range []string{"--database-url (DATABASE_URL)", "--redis-url (REDIS_URL)", "--drains", "--sweep",
		"--ops-listen", "--webhook-allow-cidrs", `"localhost"`, `"home"`, "--db-conns",
		"--probes (LEADGATE_PROBES): must", "--retention (LEADGATE_RETENTION): must be between 24h",
		"--submission-retention (LEADGATE_SUBMISSION_RETENTION): must be between 744h",
		"--disable-after (LEADGATE_DISABLE_AFTER): must be 0, or",
		"--memory-budget (LEADGATE_MEMORY_BUDGET): must be 0, or at least 24 MiB",
		"--operator-hook (LEADGATE_OPERATOR_HOOK): must be a host",
		"--operator-hook-secret (LEADGATE_OPERATOR_HOOK_SECRET): must be whsec_"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("run() = %v, want it to name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("run() = %v, want it to tell no secret", err)
	}
}

func TestOperatorHookIsSigned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ hook, secret, want string }{
		{"", "", ""},
		{"https://ops.example.com/in", webhook.NewSecret(), ""},
		{"https://ops.example.com/in", "", "must be set with --operator-hook"},
		{"", webhook.NewSecret(), "is of no use without --operator-hook"},
	} {
		t.Run(c.want, func(t *testing.T) {
			var s settings
			env := map[string]string{"DATABASE_URL": "postgres://127.0.0.1/x", "REDIS_URL": "redis://127.0.0.1/0",
				"LEADGATE_OPERATOR_HOOK": c.hook, "LEADGATE_OPERATOR_HOOK_SECRET": c.secret}
			_, _, err := config.Parse(&s, "worker", "", config.Source{Getenv: func(name string) string { return env[name] },
				Stdout: io.Discard})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Parse() with a hook %q and a secret of %d characters = %v, want %q", c.hook, len(c.secret), err, c.want)
			}
			if s.Retention != 30*24*time.Hour || s.DisableAfter != 5*24*time.Hour || s.Probes != 64 {
				t.Errorf("defaults = %s, %s, %d, want 30 days, 5 days, 64", s.Retention, s.DisableAfter, s.Probes)
			}
		})
	}
}

func TestBadURLsAndVersion(t *testing.T) {
	t.Parallel()
	args := []string{"--database-url", "host=db password=hunter2", "--redis-url", "redis://:hunter2@", "--ops-listen", ":"}
	err := run(t.Context(), args, func(string) string { return "" }, io.Discard)
	for _, want := range []string{"--database-url", "--redis-url", "--ops-listen"} {
		if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(),
			"hunter2") {
			t.Errorf("run(%q) = %v, want it to name %s and no password", args, err, want)
		}
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"--version"}, func(string) string { return "" }, &out); err != nil ||
		out.String() != version.String()+"\n" {
		t.Errorf("run(--version) = %q, %v, want %q", out.String(), err, version.String())
	}
}

// asynq complains at every poll while Redis is away; the log has it now and then.
func TestAsynqDoesNotRepeatItself(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := &asynqLogger{log: slog.New(slog.NewTextHandler(&out, nil)), logged: map[string]time.Time{}}
	for range 100 {
		l.Error("Dequeue error: UNKNOWN: redis eval error: dial tcp 127.0.0.1:1: connect: connection refused")
		l.Warn("Could not move task id=", id.New().String())
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("lines = %d, want one of each complaint", n)
	}
}
