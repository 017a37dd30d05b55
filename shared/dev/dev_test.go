package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/testwait"
)

// screen is what a session prints; shown is closed when it is ready.
type screen struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	once  sync.Once
	shown chan struct{}
	typed *io.PipeWriter // what is written here was typed
}

// noKeys is where nobody types.
var noKeys = strings.NewReader("")

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Write(b)
	if bytes.Contains(s.buf.Bytes(), []byte("\ncurl ")) {
		s.once.Do(func() { close(s.shown) })
	}
	return len(b), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func noEnv(string) string { return "" }

func mustDir(t *testing.T) string {
	t.Helper()
	dir, err := devstack.TempDir("leadgate-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// session runs dev until stop, which returns what run returned.
func session(t *testing.T, args ...string) (out *screen, stop func() error) {
	t.Helper()
	return sessionIn(t, noEnv, args...)
}

// sessionIn is session in an environment.
func sessionIn(t *testing.T, getenv func(string) string, args ...string) (out *screen, stop func() error) {
	t.Helper()
	typed, keyboard := io.Pipe()
	t.Cleanup(func() { typed.Close() })
	out = &screen{shown: make(chan struct{}), typed: keyboard}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, getenv, typed, out) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { stop() })
	select {
	case <-out.shown:
	case err := <-ended:
		ended <- err // for stop
		t.Fatalf("run(%v) = %v before it was ready\n%s", args, err, out)
	case <-time.After(5 * time.Minute):
		t.Fatalf("run(%v) is not ready\n%s", args, out)
	}
	return out, stop
}

// dotenv reads DIR/env as any dotenv reader would.
func dotenv(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		vars[name] = value
	}
	return vars
}

// paste runs the line that the session printed.
func paste(t *testing.T, out *screen) string {
	t.Helper()
	_, rest, _ := strings.Cut(out.String(), "\ncurl ")
	line, _, _ := strings.Cut(rest, "\n")
	answer, err := exec.Command("sh", "-c", "curl "+line).Output()
	if err != nil {
		t.Fatalf("curl %s = %v", line, err)
	}
	return string(answer)
}

func TestSession(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	args := []string{"-dir", dir, "-listen", "127.0.0.1:0", "-admin-listen", "127.0.0.1:0", "-workers", "2"}
	out, stop := session(t, args...)

	first := dotenv(t, dir)
	for _, name := range []string{"LEADGATE_URL", "LEADGATE_ADMIN_URL", "LEADGATE_WORKER_URL", "LEADGATE_ADMIN_TOKEN", "LEADGATE_KEY",
		"LEADGATE_CHATBOT_ID", "LEADGATE_WORKSPACE_ID", "DATABASE_URL", "REDIS_URL", "LEADGATE_SECRET_KEYS"} {
		if first[name] == "" {
			t.Errorf("%s is not in DIR/env", name)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("DIR/env has mode %v, %v, want 0600", info.Mode(), err)
	}
	for _, want := range []string{first["LEADGATE_URL"] + "/docs",
		first["LEADGATE_ADMIN_URL"] + "/admin/\n", first["LEADGATE_ADMIN_URL"] + "/admin/queues",
		first["LEADGATE_ADMIN_TOKEN"], "worker.2  | "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not on the screen:\n%s", want, out)
		}
	}
	links := func() int { return strings.Count(out.String(), first["LEADGATE_URL"]+"/console/open#cl_") }
	if links() != 1 {
		t.Errorf("%d links to the console, want one:\n%s", links(), out)
	}
	io.WriteString(out.typed, "\n")
	testwait.Until(t, "another link after Enter", func() bool { return links() == 2 })
	if strings.Contains(out.String(), "\x1b[") {
		t.Error("colours on something that is no terminal")
	}
	if err := run(t.Context(), args, noEnv, noKeys, io.Discard); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second run in the directory = %v, want it to say that one runs there already", err)
	}
	if _, err := exec.LookPath("curl"); err == nil {
		if got := paste(t, out); !strings.HasPrefix(got, "HTTP/1.1 201 ") {
			t.Errorf("the curl line answers %s, want 201", got)
		}
		if got := paste(t, out); !strings.HasPrefix(got, "HTTP/1.1 409 ") {
			t.Errorf("the curl line answers %s the second time, want 409", got)
		}
	}
	if err := stop(); err != nil {
		t.Fatalf("run() = %v, want nil after Ctrl-C", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "env")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("DIR/env after the end: %v, want it gone", err)
	}

	// The data stays, an ephemeral session leaves it alone, and -reset throws it away.
	_, stop = session(t, append(args, "-ephemeral")...)
	if got := dotenv(t, dir)["LEADGATE_KEY"]; got == first["LEADGATE_KEY"] {
		t.Error("an ephemeral session has the kept key")
	}
	stop()
	if _, err := os.Stat(filepath.Join(dir, "ephemeral")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("DIR/ephemeral after the end: %v, want it gone", err)
	}
	_, stop = session(t, args...)
	if got := dotenv(t, dir)["LEADGATE_KEY"]; got != first["LEADGATE_KEY"] {
		t.Error("the key changed over a restart")
	}
	stop()
	session(t, append(args, "-reset")...)
	if got := dotenv(t, dir)["LEADGATE_KEY"]; got == first["LEADGATE_KEY"] {
		t.Error("the key outlived -reset")
	}
}

func TestBusyAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = run(t.Context(), []string{"-dir", mustDir(t), "-listen", l.Addr().String()}, noEnv, noKeys, io.Discard)
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "-listen") {
		t.Errorf("run(-listen busy) = %v, want the address and the flag in it", err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want int
	}{{[]string{"-h"}, 0}, {[]string{"-nonsense"}, 2}, {[]string{"-workers", "0"}, 2}, {[]string{"extra"}, 2}} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			t.Parallel()
			if got := exitCode(run(t.Context(), tc.args, noEnv, noKeys, io.Discard), io.Discard); got != tc.want {
				t.Errorf("exit code = %d, want %d", got, tc.want)
			}
		})
	}
	if got := exitCode(errors.New("worker ended"), io.Discard); got != 1 {
		t.Errorf("exit code of a failure = %d, want 1", got)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"http://127.0.0.1:8080", "postgres://a:b@h/db?sslmode=disable&x=$HOME", "it's", "a b",
		"`id`", ""} {
		t.Run(value, func(t *testing.T) {
			got, err := exec.Command("sh", "-c", "X="+quote(value)+"; printf %s \"$X\"").Output()
			if err != nil || string(got) != value {
				t.Errorf("sh reads quote(%q) as %q, %v", value, got, err)
			}
		})
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := newConsole(&out, noEnv).part("worker")
	io.WriteString(w, "one\ntw")
	io.WriteString(w, "o\r\nthree")
	if got, want := out.String(), "worker    | one\nworker    | two\n"; got != want {
		t.Errorf("lines = %q, want %q", got, want)
	}
}
