package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"leadgate/shared/devstack"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

// A password that is wrong is said as that, and not as an outage that will pass; leads are taken in all the same.
func TestRedisThatIsMisconfigured(t *testing.T) {
	t.Parallel()
	redis := redistest.StartWith(t, devstack.RedisOptions{Args: []string{"--user", "leadgate", "on", ">right", "~*", "&*",
		"+@all"}})
	g := start(t, environment(pgtest.URL(t), "redis://leadgate:wrong@"+redis.Addr()))
	_, secret := newTenant(t, g.env)
	status, text := g.send(g.api+"/api/v1/leads", secret, `{"email":"ann@example.com"}`, nil)
	if status != http.StatusCreated {
		t.Errorf("POST lead = %d %s, want 201", status, text)
	}
	for path, want := range map[string]string{
		"/readyz":              `"redis":"misconfigured: Redis refuses the user or the password of REDIS_URL, ingest goes on"`,
		"/metrics":             `leadgate_store_up{store="redis"} 0`,
		"/admin/api/v1/stores": `"problem":"Redis refuses the user or the password of REDIS_URL."`,
	} {
		if status, text := g.send(g.admin+path, g.env["LEADGATE_ADMIN_TOKEN"], "", nil); status != http.StatusOK ||
			!strings.Contains(text, want) {
			t.Errorf("GET %s = %d %.500s, want %s", path, status, text, want)
		}
	}
	if err := g.stop(); err != nil {
		t.Errorf("run() = %v, want nil", err)
	}
	if log := g.log(); !strings.Contains(log, `"level":"ERROR","msg":"redis misconfigured"`) ||
		strings.Contains(log, "wrong@") {
		t.Errorf("the log says %s, want an error without the password", log)
	}
}

// Certificates that are renewed are used without a start.
func TestRedisWithCertificates(t *testing.T) {
	t.Parallel()
	authority, other := redistest.NewAuthority(t), redistest.NewAuthority(t)
	redis := redistest.StartWith(t, devstack.RedisOptions{TLS: authority.Server("127.0.0.1")})
	ca, cert, key := authority.ClientFiles()
	right, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	wrong, _, _ := other.ClientFiles()
	env := environment(pgtest.URL(t), redis.URL())
	env["LEADGATE_REDIS_CA_FILE"], env["LEADGATE_REDIS_CERT_FILE"], env["LEADGATE_REDIS_KEY_FILE"] = wrong, cert, key
	g := start(t, env)
	ready := func(want string) bool {
		_, text := g.send(g.admin+"/readyz", "", "", nil)
		return strings.Contains(text, want)
	}
	if !ready("set LEADGATE_REDIS_CA_FILE") {
		t.Error("GET /readyz with another CA says nothing about it")
	}
	if err := os.WriteFile(wrong, right, 0o600); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the renewed CA is used", func() bool { return ready(`"redis":"ok"`) })
	if err := g.stop(); err != nil {
		t.Errorf("run() = %v, want nil", err)
	}
	for name, value := range map[string]string{"LEADGATE_REDIS_KEY_FILE": "", "LEADGATE_REDIS_CERT_FILE": ca} {
		bad := environment("postgres://h/d", redis.URL())
		bad["LEADGATE_REDIS_CERT_FILE"], bad["LEADGATE_REDIS_KEY_FILE"] = cert, key
		bad[name] = value
		if _, err := command(bad); err == nil || !strings.Contains(err.Error(), "our certificate for Redis") {
			t.Errorf("run() with %s=%q = %v, want a refusal", name, value, err)
		}
	}
}
