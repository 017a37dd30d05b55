package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/shared/testbrowser"
)

// look gets a page as an administrator's browser does.
func (b *bundle) look(path string) answer {
	b.t.Helper()
	return b.do(b.request("GET", path, "", "Authorization", "Bearer "+token, "Accept", "text/html"))
}

// Each page is well, wide and on a phone, light and dark.
func TestWalk(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.failing("Acme Corporation", "https://hooks.example.com/in", "status: 503")
	b.failing("A workspace with a name that is longer than most", "https://a-rather-long-name-of-a-host.crm.example.com/in",
		"dns: lookup a-rather-long-name-of-a-host.crm.example.com: no such host")
	p := testbrowser.New(t)
	p.Open(b.url + "/admin/login") // every other address has it with 401, which a browser logs
	p.WantWell("sign-in")
	p.Fill("#token", token)
	p.Click("main button")
	p.WaitText("deliveries are due")
	p.WantWell("overview")
	p.Open(b.url + "/admin/failing")
	p.WantWell("failing")
	p.Click("#failing button")
	p.WaitText("One delivery is tried now")
	p.Click("a[href='/admin/workspaces']")
	p.WaitText("New workspace")
	p.WantWell("workspaces")
	p.Fill("#name", "Fresh")
	p.Click("main form.form button")
	p.WaitText("The workspace was made")
	p.WantWell("workspace")
	p.Fill("#key-name", "Their shop")
	p.Click("main form.form button")
	p.WaitText("it is shown this once")
	p.WantWell("new-key")
	p.Click("main a.quiet")
	p.WaitText("Their shop")
	p.Click(".end button")
	p.WaitText("signs one browser in")
	p.WantWell("console-link")
	p.Open(b.url + "/admin/stores")
	p.WantWell("stores")
	b.fail()
	p.Open(b.url + "/admin/errors")
	p.WaitText("INTERNAL")
	p.WantWell("errors")
	b.beat("worker", "0.2.0", "worker-7d9c5b8f4-x2x7k", time.Now())
	b.beat("gateway", "0.3.0", "gateway-5b8f47d9c-k7x2x", time.Now().Add(-time.Hour/2))
	p.Open(b.url + "/admin/processes")
	p.WaitText("worker-7d9c5b8f4-x2x7k")
	p.WantWell("processes")
	p.Open(b.url + "/admin/api")
	p.WantWell("api")
	p.Click(".account button")
	p.Click("#token")
}

func TestPagesHaveNothingInline(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, path := range []string{"/admin/", "/admin/login", "/admin/api", "/admin/failing", "/admin/workspaces", "/admin/deletions", "/admin/stores",
		"/admin/errors", "/admin/processes"} {
		a := b.look(path)
		policy := a.header.Get("Content-Security-Policy")
		if a.status != http.StatusOK || policy == "" || strings.Contains(policy, "unsafe") || strings.Contains(a.body, "<style") {
			t.Errorf("GET %s = %d with policy %q, want one that allows nothing inline, and nothing inline in it", path, a.status,
				policy)
		}
	}
	if a := b.do(b.request("GET", "/admin/assets/style.css", "")); a.status != http.StatusOK ||
		!strings.HasPrefix(a.header.Get("Content-Type"), "text/css") {
		t.Errorf("GET style.css of a stranger = %d %s, want the style sheet of the sign-in page", a.status, a.body)
	}
}

// When a store is away the overview says what that means.
func TestOverviewSaysWhichStoreIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.redis.Close()
	if a := b.look("/admin/"); a.status != http.StatusOK || !strings.Contains(a.body, "Redis does not answer") {
		t.Errorf("GET /admin/ without Redis = %d %s, want a page that says so", a.status, a.body)
	}
	b.db.Close()
	if a := b.look("/admin/"); a.status != http.StatusOK || !strings.Contains(a.body, "Postgres does not answer") {
		t.Errorf("GET /admin/ without Postgres = %d %s, want a page that says so", a.status, a.body)
	}
}
