package devstack_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/tenant"
)

// standIn is a process that says its environment, is ready at once and ends with code 0 on SIGTERM.
const standIn = `package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	for _, name := range []string{"LEADGATE_LISTEN", "LEADGATE_ADMIN_LISTEN", "LEADGATE_WORKER_LISTEN"} {
		if at := os.Getenv(name); at != "" {
			go http.ListenAndServe(at, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, os.Getenv("LEADGATE_ADMIN_TOKEN"))
			}))
		}
	}
	fmt.Println("token", os.Getenv("LEADGATE_ADMIN_TOKEN") != "")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	fmt.Println("stopped")
}
`

// journal collects the lines of all parts in the order in which they come.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) part(name string) io.Writer { return part{j, name} }

type part struct {
	j    *journal
	name string
}

func (p part) Write(b []byte) (int, error) {
	p.j.mu.Lock()
	defer p.j.mu.Unlock()
	p.j.lines = append(p.j.lines, p.name+": "+strings.TrimSpace(string(b)))
	return len(b), nil
}

func (j *journal) index(t *testing.T, line string) int {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.Index(j.lines, line)
	if i < 0 {
		t.Fatalf("no line %q in\n%s", line, strings.Join(j.lines, "\n"))
	}
	return i
}

// mustRoot makes a module whose gateway and worker are stand-ins.
func mustRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example\n", "Procfile": "# comment\n\ngateway: bin/gateway serve\nworker: bin/worker\n",
		"gateway/main.go": standIn, "worker/main.go": standIn,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func mustSystem(t *testing.T, opt devstack.SystemOptions) *devstack.System {
	t.Helper()
	s, err := devstack.Start(t.Context(), opt)
	if err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

func TestSystem(t *testing.T) {
	t.Parallel()
	root, dir := mustRoot(t), mustDir(t)
	var said journal
	s := mustSystem(t, devstack.SystemOptions{Root: root, Dir: dir, Workers: 2, Output: said.part})

	// The demo tenant is in the migrated database.
	hash, ok := tenant.HashSecret(s.Key)
	if !ok {
		t.Fatalf("Key = %q, want a secret", s.Key)
	}
	p, err := mustOpen(t, s.DatabaseURL).PrincipalByHash(t.Context(), hash, time.Now())
	if err != nil || p.Settings.Rate < 10_000 || !slices.Equal(p.Scopes, tenant.Scopes()) {
		t.Errorf("PrincipalByHash() = %+v, %v, want a key that may do everything, at a high rate", p, err)
	}
	if len(s.Workers()) != 2 {
		t.Fatalf("Workers() = %d, want 2", len(s.Workers()))
	}
	if got := mustGet(t, s.AdminURL); got != s.AdminToken || got == "" {
		t.Errorf("the gateway's token = %q, want %q", got, s.AdminToken)
	}

	// A worker can be killed and started again; that is no reason to stop.
	w := s.Workers()[0]
	was := w.PID()
	w.Kill()
	if w.PID() != 0 {
		t.Errorf("PID() after Kill = %d, want 0", w.PID())
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.PID() == was || w.PID() == 0 {
		t.Errorf("PID() after Start = %d, was %d, want a new one", w.PID(), was)
	}
	select {
	case err := <-s.Exited():
		t.Errorf("Exited() = %v, want nothing", err)
	default:
	}

	if err := s.Stop(); err != nil {
		t.Fatalf("Stop() = %v", err)
	}
	said.index(t, "worker.1: token false") // the admin token is the gateway's
	gateway := said.index(t, "gateway: stopped")
	if w1, w2 := said.index(t, "worker.1: stopped"), said.index(t, "worker.2: stopped"); w1 < gateway || w2 < gateway {
		t.Error("a worker stopped before the gateway")
	}

	// The tenant stays over a restart, and only its owner can read the key.
	again := mustSystem(t, devstack.SystemOptions{Root: root, Dir: dir})
	if again.Key != s.Key || again.ChatbotID != s.ChatbotID || again.AdminToken != s.AdminToken ||
		again.SecretKeys != s.SecretKeys {
		t.Error("the demo tenant, or the key of its secrets, changed over a restart")
	}
	for _, file := range []string{"demo.json", "secret-keys"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", file, info.Mode(), err)
		}
	}

	// An end nobody asked for is told.
	syscall.Kill(again.Gateway().PID(), syscall.SIGKILL)
	select {
	case err := <-again.Exited():
		if !strings.Contains(err.Error(), "gateway ended") {
			t.Errorf("Exited() = %v, want it to name the gateway", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the gateway's death was not told")
	}
}

func TestSystemUsesGivenStores(t *testing.T) {
	t.Parallel()
	p := mustPostgres(t, devstack.PostgresOptions{})
	if err := p.CreateDatabase(t.Context(), "mine", ""); err != nil {
		t.Fatal(err)
	}
	s := mustSystem(t, devstack.SystemOptions{Root: mustRoot(t), DatabaseURL: p.URL("mine"),
		RedisURL: "redis://127.0.0.1:1/0"})
	if s.Postgres != nil || s.Redis != nil {
		t.Error("private stores were started beside the given ones")
	}
	var n int
	if err := mustOpen(t, p.URL("mine")).GetContext(t.Context(), &n, "select count(*) from workspaces"); err != nil ||
		n != 1 {
		t.Errorf("workspaces in the given database = %d, %v, want 1", n, err)
	}
}

// A process that does not start is an error with what it said, and nothing stays behind.
func TestSystemStartFails(t *testing.T) {
	t.Parallel()
	root, dir := mustRoot(t), mustDir(t)
	broken := "package main\n\nimport \"os\"\n\nfunc main() { println(\"no such thing\"); os.Exit(2) }\n"
	if err := os.WriteFile(filepath.Join(root, "worker", "main.go"), []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := devstack.Start(t.Context(), devstack.SystemOptions{Root: root, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "start worker") || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("Start() = %v, want what the worker said", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres", "data", "postmaster.pid")); err == nil {
		t.Error("Postgres still runs")
	}
}

func TestListenBusy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if at, err := devstack.Listen(l.Addr().String()); !errors.Is(err, devstack.ErrBusy) {
		t.Errorf("Listen(%s) = %q, %v, want ErrBusy", l.Addr(), at, err)
	}
	if at, err := devstack.Listen("127.0.0.1:0"); err != nil || strings.HasSuffix(at, ":0") {
		t.Errorf("Listen(127.0.0.1:0) = %q, %v, want a free port", at, err)
	}
}

func mustGet(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
