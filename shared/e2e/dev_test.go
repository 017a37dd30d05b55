package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"leadgate/shared/devstack"
)

// screen is what a session shows; ready is closed when it has shown a curl line.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	once  sync.Once
	ready chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	if _, rest, ok := bytes.Cut(s.text.Bytes(), []byte("\ncurl ")); ok && bytes.Contains(rest, []byte("\n")) {
		s.once.Do(func() { close(s.ready) })
	}
	return len(b), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// goRunDev is the README's command, in a process group as a terminal gives it one.
func goRunDev(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "./shared/dev", "-ephemeral", "-listen", "127.0.0.1:0", "-admin-listen",
		"127.0.0.1:0", "-dir", dir)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "DATABASE_URL" && name != "REDIS_URL" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

func TestDev(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := &screen{ready: make(chan struct{})}
	cmd := goRunDev(t, dir)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := sync.OnceValue(func() error {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // Ctrl-C
		return <-ended
	})
	t.Cleanup(func() { stop() })
	select {
	case <-out.ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("go run ./shared/dev = %v before it was ready\n%s", err, out)
	case <-time.After(2 * time.Minute):
		t.Fatalf("go run ./shared/dev shows no curl line\n%s", out)
	}

	env := mustEnv(t, filepath.Join(dir, "env"))
	posted := request(t, "POST", env["LEADGATE_URL"]+"/api/v1/chatbots/"+env["LEADGATE_CHATBOT_ID"]+"/leads",
		env["LEADGATE_KEY"], `{"email":"env@example.com"}`)
	if posted.status != http.StatusCreated {
		t.Errorf("POST with what DIR/env says = %v, want 201", posted)
	}
	listed := request(t, "GET", env["LEADGATE_ADMIN_URL"]+"/admin/api/v1/workspaces/"+env["LEADGATE_WORKSPACE_ID"],
		env["LEADGATE_ADMIN_TOKEN"], "")
	if listed.status != http.StatusOK {
		t.Errorf("the admin API with what DIR/env says = %v, want 200", listed)
	}
	t.Run("paste", func(t *testing.T) { paste(t, out) })

	second, err := goRunDev(t, dir).CombinedOutput()
	if err == nil || !strings.Contains(string(second), "already") || !strings.Contains(string(second), dir) {
		t.Errorf("a second start in the directory = %v, %s, want it to say that one runs there already", err, second)
	}
	stop() // go run's own exit code is 1 after Ctrl-C, whatever its program's was
	if strings.Contains(out.String(), "\ndev: ") || !strings.Contains(out.String(), "| stopping\n") {
		t.Errorf("Ctrl-C does not end it in order:\n%s", out)
	}
	for _, gone := range []string{"env", "ephemeral"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); !os.IsNotExist(err) {
			t.Errorf("DIR/%s after the end: %v, want it gone", gone, err)
		}
	}
}

// mustEnv has sh read the file, as a user would, and returns every variable the README promises.
func mustEnv(t *testing.T, file string) map[string]string {
	t.Helper()
	vars := map[string]string{}
	for _, name := range []string{"LEADGATE_URL", "LEADGATE_ADMIN_URL", "LEADGATE_WORKER_URL", "LEADGATE_ADMIN_TOKEN", "LEADGATE_KEY",
		"LEADGATE_CHATBOT_ID", "LEADGATE_WORKSPACE_ID", "DATABASE_URL", "REDIS_URL", "LEADGATE_SECRET_KEYS"} {
		value, err := exec.Command("env", "-i", "sh", "-c", fmt.Sprintf(`. %s; printf %%s "$%s"`, file, name)).Output()
		if err != nil || len(value) == 0 {
			t.Errorf("DIR/env gives %s the value %q, %v", name, value, err)
		}
		vars[name] = string(value)
	}
	return vars
}

// paste runs the curl line that the screen shows, twice.
func paste(t *testing.T, out *screen) {
	mustTool(t, "curl")
	_, rest, _ := strings.Cut(out.String(), "\ncurl ")
	line, _, _ := strings.Cut(rest, "\n")
	run := func() (head string, a answer) {
		said, err := exec.Command("sh", "-c", "curl "+line).Output()
		if err != nil {
			t.Fatalf("curl %s = %v", line, err)
		}
		head, text, _ := strings.Cut(string(said), "\r\n\r\n")
		return head, answer{body: []byte(text)}
	}
	head, first := run()
	if !strings.HasPrefix(head, "HTTP/1.1 201 ") {
		t.Errorf("the curl line answers %s %v, want 201", head, first)
	}
	head, second := run()
	if !strings.HasPrefix(head, "HTTP/1.1 409 ") || second.id(t) != first.id(t) {
		t.Errorf("the curl line answers %s %v the second time, want 409 with %s", head, second, first.id(t))
	}
}
