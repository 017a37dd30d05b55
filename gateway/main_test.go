package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/config"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

const token = "an-admin-token-for-tests"

// gateway is run() at work, on free ports.
type gateway struct {
	t          *testing.T
	api, admin string
	env        map[string]string
	cancel     context.CancelFunc
	ended      chan error

	mu   sync.Mutex
	said strings.Builder
}

// log is what it has logged so far.
func (g *gateway) log() string { g.mu.Lock(); defer g.mu.Unlock(); return g.said.String() }

// environment is what serving needs.
func environment(database, redis string) map[string]string {
	return map[string]string{
		"DATABASE_URL": database, "REDIS_URL": redis, "LEADGATE_ADMIN_TOKEN": token,
		"LEADGATE_LISTEN": "127.0.0.1:0", "LEADGATE_ADMIN_LISTEN": "127.0.0.1:0",
		"LEADGATE_ALLOW_UNSAFE_POSTGRES": "true", // that of tests keeps nothing
	}
}

// start runs a gateway and waits until it listens; it is stopped when t ends.
func start(t *testing.T, env map[string]string) *gateway {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g := &gateway{t: t, env: env, cancel: cancel, ended: make(chan error, 1)}
	read, write := io.Pipe()
	go func() {
		g.ended <- run(ctx, nil, func(name string) string { return env[name] }, write)
		write.Close()
	}()
	addresses := make(chan [2]string, 2)
	go func() {
		lines := bufio.NewScanner(read)
		for lines.Scan() {
			g.mu.Lock()
			g.said.WriteString(lines.Text() + "\n")
			g.mu.Unlock()
			var line struct{ Msg, Listener, Addr string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
				addresses <- [2]string{line.Listener, "http://" + line.Addr}
			}
		}
	}()
	t.Cleanup(func() { cancel() })
	for range 2 {
		select {
		case a := <-addresses:
			if a[0] == "api" {
				g.api = a[1]
			} else {
				g.admin = a[1]
			}
		case err := <-g.ended:
			t.Fatalf("run() = %v before it listened", err)
		case <-time.After(2 * time.Minute):
			t.Fatal("run() does not listen within two minutes")
		}
	}
	return g
}

// stop asks run to end and returns what it returned.
func (g *gateway) stop() error {
	g.t.Helper()
	g.cancel()
	select {
	case err := <-g.ended:
		return err
	case <-time.After(2 * time.Minute):
		g.t.Fatal("run() goes on two minutes after it was asked to stop")
		return nil
	}
}

// send posts JSON, or gets where body is "", and decodes the answer's data into out if that is not nil.
func (g *gateway) send(url, bearer, body string, out any) (status int, text string) {
	g.t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(g.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, &struct{ Data any }{out}); err != nil {
			g.t.Fatalf("%s = %s: %v", url, answer, err)
		}
	}
	return res.StatusCode, string(answer)
}

// command runs another command on the gateway's stores.
func command(env map[string]string, args ...string) (string, error) {
	var out bytes.Buffer
	err := run(context.Background(), args, func(name string) string { return env[name] }, &out)
	return out.String(), err
}

// tenant makes a workspace with a key by the command line and returns the secret.
func newTenant(t *testing.T, env map[string]string) (workspace, secret string) {
	t.Helper()
	var ws, key struct{ ID, Secret string }
	for _, step := range []struct {
		out  any
		args []string
	}{
		{&ws, []string{"workspace", "create", "Acme", "--json"}},
		{&key, []string{"key", "create", "--name=site", "--json", "--workspace="}},
	} {
		if last := len(step.args) - 1; step.args[last] == "--workspace=" {
			step.args[last] += ws.ID
		}
		text, err := command(env, step.args...)
		if err != nil {
			t.Fatalf("%v: %v", step.args, err)
		}
		if err := json.Unmarshal([]byte(text), step.out); err != nil {
			t.Fatalf("%v = %s: %v", step.args, text, err)
		}
	}
	return ws.ID, key.Secret
}

func TestRunTakesLeadsInUntilItIsStopped(t *testing.T) {
	t.Parallel()
	g := start(t, environment(pgtest.URL(t), redistest.Start(t).URL()))
	_, secret := newTenant(t, g.env)
	var made struct{ ID string }
	if status, text := g.send(g.api+"/api/v1/leads", secret, `{"email":"ann@example.com"}`,
		&made); status != http.StatusCreated {
		t.Fatalf("POST lead = %d %s, want 201", status, text)
	}
	if status, text := g.send(g.api+"/api/v1/leads", secret, `{"email":"ANN@example.com"}`,
		nil); status != http.StatusConflict || !strings.Contains(text, made.ID) {
		t.Errorf("POST the same email = %d %s, want 409 naming %s", status, text, made.ID)
	}
	if status, _ := g.send(g.admin+"/admin/api/v1/workspaces", secret, "", nil); status != http.StatusUnauthorized {
		t.Errorf("a workspace's key on the admin API = %d, want 401", status)
	}
	for _, url := range []string{g.api + "/readyz", g.admin + "/readyz"} {
		if status, text := g.send(url, "", "", nil); status != http.StatusOK {
			t.Errorf("GET %s = %d %s, want 200", url, status, text)
		}
	}
	_, metrics := g.send(g.admin+"/metrics", "", "", nil)
	for _, want := range []string{`leadgate_http_requests_total{listener="api",method="POST",route="/api/v1/leads",status="201"} 1`, `go_sql_open_connections{db_name="postgres"}`, "leadgate_queue_tasks"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("GET /metrics: no %s in it:\n%s", want, metrics)
		}
	}
	if err := g.stop(); err != nil {
		t.Errorf("run() = %v after a stop, want nil", err)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(g.api, "http://")); err == nil {
		c.Close()
		t.Error("the API still listens after the stop")
	}
}

// A request that has begun when the stop comes is answered, and its lead is written.
func TestStopFinishesWhatHasBegun(t *testing.T) {
	t.Parallel()
	g := start(t, environment(pgtest.URL(t), redistest.Start(t).URL()))
	_, secret := newTenant(t, g.env)
	body := `{"email":"late@example.com"}`
	c, err := net.Dial("tcp", strings.TrimPrefix(g.api, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The answer to Expect says that the handler is at work and waits for the body.
	fmt.Fprintf(c,
		"POST /api/v1/leads HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", secret, len(body))
	answers := bufio.NewReader(c)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("answer to Expect = %q, %v; want 100 Continue", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil { // the empty line after it
		t.Fatal(err)
	}
	g.cancel()
	for { // until the stop has closed the door
		other, err := net.Dial("tcp", strings.TrimPrefix(g.api, "http://"))
		if err != nil {
			break
		}
		other.Close()
	}
	io.WriteString(c, body)
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the answer during the stop: %v", err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Errorf("POST that ends during the stop = %d, want 201", res.StatusCode)
	}
	if err := g.stop(); err != nil {
		t.Errorf("run() = %v, want nil", err)
	}
}

func TestRunStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	url := store.URL()
	if err := store.Stop(); err != nil {
		t.Fatal(err)
	}
	g := start(t, environment(pgtest.URL(t), url))
	_, secret := newTenant(t, g.env)
	if status, text := g.send(g.api+"/api/v1/leads", secret, `{"email":"ann@example.com"}`,
		nil); status != http.StatusCreated {
		t.Errorf("POST lead without Redis = %d %s, want 201", status, text)
	}
	if status, text := g.send(g.admin+"/readyz", "", "", nil); status != http.StatusOK || !strings.Contains(text,
		"away, ingest goes on") {
		t.Errorf("GET /readyz without Redis = %d %s, want 200 that says so", status, text)
	}
	if err := g.stop(); err != nil {
		t.Errorf("run() = %v, want nil", err)
	}
}

func TestRunRefusesAnOldSchema(t *testing.T) {
	t.Parallel()
	env := environment(pgtest.OwnerURL(t), redistest.Start(t).URL())
	db, err := pg.Open(env["DATABASE_URL"], pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "drop schema public cascade; create schema public"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"serve"}, {"workspace", "list"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			if _, err := command(env, args...); err == nil || !strings.Contains(err.Error(), "gateway migrate") ||
				config.Exit(io.Discard, "", err) != 1 {
				t.Errorf("run(%q) on an empty database = %v, want a refusal that names gateway migrate", args, err)
			}
		})
	}
	if text, err := command(env, "migrate"); err != nil || !strings.Contains(text, "migrations applied: ") ||
		strings.Contains(text, "applied: 0") {
		t.Errorf("run(migrate) = %q, %v, want some migrations applied", text, err)
	}
	if text, err := command(env, "migrate", "--json", "--grant-to", pgtest.RunRole); err != nil || text != "{\n  \"applied\": 0\n}\n" {
		t.Errorf("run(migrate) again = %q, %v, want none applied", text, err)
	}
	env["DATABASE_URL"] = pgtest.RunURL(t, env["DATABASE_URL"])
	g := start(t, env)
	if status, text := g.send(g.api+"/readyz", "", "", nil); status != http.StatusOK {
		t.Errorf("GET /readyz as a role with few rights = %d %s, want 200", status, text)
	}
	if err := g.stop(); err != nil {
		t.Errorf("run() on the new schema = %v, want nil", err)
	}
}

// No shell reads a file of settings: everybody who has read the manual knows the token that such a line makes.
func TestAdminTokenIsNoCommand(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"$(openssl rand -hex 24)", "`openssl rand -hex 24`", "${LEADGATE_ADMIN_TOKEN:-}"} {
		t.Run(value, func(t *testing.T) {
			env := environment("postgres://h/d", "redis://127.0.0.1:1/0")
			env["LEADGATE_ADMIN_TOKEN"] = value
			if _, err := command(env); err == nil || !strings.Contains(err.Error(),
				"--admin-token (LEADGATE_ADMIN_TOKEN): is a command that no shell has run") {
				t.Errorf("run() with the token %s = %v, want it refused", value, err)
			}
		})
	}
}

func TestMemoryBudgetAndTokenFile(t *testing.T) {
	t.Parallel()
	env := environment(pgtest.URL(t), redistest.Start(t).URL())
	env["LEADGATE_MEMORY_BUDGET"] = "1MiB"
	if _, err := command(env); err == nil || !strings.Contains(err.Error(),
		"--memory-budget (LEADGATE_MEMORY_BUDGET): must be 0, or at least 24 MiB") {
		t.Errorf("run() = %v, want it to name the least budget", err)
	}
	env["LEADGATE_MEMORY_BUDGET"], env["LEADGATE_MIGRATE"] = "64MiB", "true"
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("alice="+token), 0o600); err != nil {
		t.Fatal(err)
	}
	delete(env, "LEADGATE_ADMIN_TOKEN")
	env["LEADGATE_ADMIN_TOKEN_FILE"] = file
	g := start(t, env)
	_, text := g.send(g.admin+"/metrics", token, "", nil)
	if want := "leadgate_memory_budget_bytes 6.7108864e+07\n"; !strings.Contains(text, want) {
		t.Errorf("metrics have no %q", want)
	}
	const next = "the-next-token-of-alice"
	if err := os.WriteFile(file, []byte("alice="+next), 0o600); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the token of the file as it is now", func() bool {
		status, _ := g.send(g.admin+"/admin/api/v1/workspaces", next, "", nil)
		return status == http.StatusOK
	})
	if err := g.stop(); err != nil {
		t.Errorf("run() = %v after a stop, want nil", err)
	}
}

func TestRunRefusesATakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	env := environment(pgtest.URL(t), redistest.Start(t).URL())
	env["LEADGATE_ADMIN_LISTEN"] = taken.Addr().String()
	_, err = command(env)
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || errors.Is(err, config.ErrInvalid) {
		t.Errorf("run() on a taken port = %v, want an error that names it", err)
	}
}

func TestRunTellsEveryMistakeAndNoSecret(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"DATABASE_URL": "mysql://app:hush@db/leads", "REDIS_URL": "rubbish:hush", "LEADGATE_ADMIN_TOKEN": "hush",
		"LEADGATE_LISTEN": "8080",
		"LEADGATE_GRACE":  "0s", "LEADGATE_DB_CONNS": "0", "LEADGATE_LOG_LEVEL": "loud",
		"LEADGATE_WEBHOOK_ALLOW_CIDRS": "10.0.0.0/8,home", "LEADGATE_ADMIN_LISTEN": ":",
		"LEADGATE_TRUSTED_PROXIES": "10.0.0.0/8,10.0.0.1.nip", "LEADGATE_PUBLIC_URL": "leads.example.com/x",
	}
	_, err := command(env)
	if config.Exit(io.Discard, "", err) != 2 {
		t.Fatalf("run() = %v, want a bad configuration", err)
	}
	for name := range env {
		if got := strings.Count(err.Error(), "("+name+"): "); got != 1 {
			t.Errorf("run() names %s %d times, want once:\n%v", name, got, err)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("run() prints a secret:\n%v", err)
	}
}
