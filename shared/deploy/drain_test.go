package deploy

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"leadgate/shared/testwait"
)

// process is a gateway of its own on the stores of the system.
type process struct {
	*exec.Cmd
	url, admin string
	key        string
	ended      chan error
}

func mustGateway(t *testing.T, env ...string) *process {
	t.Helper()
	sys := mustSystem(t)
	listen, admin := mustListen(t), mustListen(t)
	p := &process{Cmd: exec.CommandContext(t.Context(), sys.Program("gateway")), url: "http://" + listen,
		admin: "http://" + admin, key: sys.Key, ended: make(chan error, 1)}
	p.Env = append(p.Environ(), "DATABASE_URL="+sys.DatabaseURL, "REDIS_URL="+sys.RedisURL,
		"LEADGATE_ADMIN_TOKEN="+sys.AdminToken, "LEADGATE_SECRET_KEYS="+sys.SecretKeys, "LEADGATE_LISTEN="+listen,
		"LEADGATE_ADMIN_LISTEN="+admin, "LEADGATE_ALLOW_UNSAFE_POSTGRES=true")
	p.Env = append(p.Env, env...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() { p.Process.Kill() })
	testwait.Until(t, "the gateway", func() bool { return p.status(t, p.url+"/readyz") == http.StatusOK })
	return p
}

// status is that of a GET, 0 where nobody answers.
func (p *process) status(t *testing.T, url string) int {
	t.Helper()
	status, _, err := send(t.Context(), http.DefaultClient, url, "", "")
	if err != nil {
		return 0
	}
	return status
}

func (p *process) mustSignal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (p *process) mustEnd(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(2 * time.Minute):
		t.Fatal("the gateway goes on")
		return nil
	}
}

// A gateway that is to stop says so first, and serves meanwhile; its clients are told to close their connections.
func TestDrainBeforeTheStop(t *testing.T) {
	t.Parallel()
	const delay = time.Second
	p := mustGateway(t, "LEADGATE_DRAIN_DELAY="+delay.String())
	p.mustSignal(t, syscall.SIGTERM)
	asked := time.Now()
	testwait.Until(t, "503 of /readyz", func() bool { return p.status(t, p.url+"/readyz") == http.StatusServiceUnavailable })
	if got := p.status(t, p.admin+"/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("GET /readyz of the admin listener = %d while the gateway drains, want 503", got)
	}
	if got := p.status(t, p.url+"/healthz"); got != http.StatusOK {
		t.Errorf("GET /healthz = %d while the gateway drains, want 200: it must not be killed", got)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/api/v1/leads", strings.NewReader(`{"email":"drain@example.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.key)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("POST lead while the gateway drains = %v", err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated || !res.Close {
		t.Errorf("POST lead while the gateway drains = %d, and closes its connection: %v; want 201, true", res.StatusCode,
			res.Close)
	}
	if err := p.mustEnd(t); err != nil {
		t.Errorf("the gateway ended with %v, want 0", err)
	}
	if took := time.Since(asked); took < delay {
		t.Errorf("the gateway ended after %v, want no less than %v", took, delay)
	}
}

// Without a delay it stops at once, and a second signal ends one that drains.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := mustGateway(t, "LEADGATE_DRAIN_DELAY=5m")
	p.mustSignal(t, syscall.SIGTERM)
	testwait.Until(t, "503 of /readyz", func() bool { return p.status(t, p.url+"/readyz") == http.StatusServiceUnavailable })
	p.mustSignal(t, syscall.SIGTERM)
	var exit *exec.ExitError
	if err := p.mustEnd(t); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the gateway ended with %v after a second SIGTERM, want the signal", err)
	}
	p = mustGateway(t)
	p.mustSignal(t, syscall.SIGHUP)
	if got := p.status(t, p.url+"/readyz"); got != http.StatusOK {
		t.Errorf("GET /readyz = %d after SIGHUP, want 200", got)
	}
	p.mustSignal(t, syscall.SIGTERM)
	if err := p.mustEnd(t); err != nil {
		t.Errorf("the gateway ended with %v after SIGTERM, want 0", err)
	}
}
