package main

import (
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/devstack"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testbrowser"
	"leadgate/shared/testwait"
)

// Who is signed in at the primary's gateway sees every page at one that only reads, on a standby. What would change
// something says that this gateway only reads, with 503; so does whatever signs in or out.
func TestConsoleOfAReader(t *testing.T) {
	t.Parallel()
	p := testbrowser.New(t)
	primary, _ := pgtest.Start(t)
	standby, _ := pgtest.Start(t, func(o *devstack.PostgresOptions) { o.StandbyOf = primary })
	redis := redistest.Start(t).URL()
	writer := start(t, environment(primary.URL(pgtest.SystemDB), redis))
	workspace, key := newTenant(t, writer.env)
	if status, text := writer.send(writer.api+"/api/v1/leads", key, `{"email":"ann@example.com"}`, nil); status != http.StatusCreated {
		t.Fatalf("POST /leads = %d %s, want 201", status, text)
	}
	env := environment(standby.URL(pgtest.SystemDB), redis)
	env["LEADGATE_READ_ONLY"] = "true"
	reader := start(t, env)
	link := map[string]string{"DATABASE_URL": writer.env["DATABASE_URL"], "LEADGATE_URL": writer.api}
	p.Open(field(must(t, link, "console-link", "--workspace", workspace, "--name", "Ada"), "http://"))
	p.WaitText("ann@example.com")
	testwait.Until(t, "the session on the standby", func() bool { // cookies are the host's, whatever the port
		p.Open(reader.api + "/console")
		return strings.Contains(p.Text("body"), "ann@example.com")
	})
	p.Problems()
	var pages []string
	p.Eval(`[...document.querySelectorAll("nav a")].map(a => a.getAttribute("href"))`, &pages)
	if len(pages) < 14 {
		t.Fatalf("pages = %v, want all", pages)
	}
	for _, page := range append(pages, "/console/leads/new", "/console/imports/new", "/console/endpoints/new") {
		p.Open(reader.api + page)
		wantStatus(t, p, page, http.StatusOK)
		p.WaitText("This gateway only reads: nothing can be changed here")
		if got := p.Problems(); len(got) > 0 {
			t.Errorf("%s: %q", page, got)
		}
	}
	p.Open(reader.api + "/console/leads/new")
	p.Fill("#email", "bob@example.com")
	p.Click("main button")
	p.WaitText("This gateway only reads, and nothing was stored")
	wantStatus(t, p, "a new lead", http.StatusServiceUnavailable)
	var entered string
	if p.Eval(`document.querySelector("#email").value`, &entered); entered != "bob@example.com" {
		t.Errorf("the form has the email %q, want what was entered", entered)
	}
	p.Click(`form[action="/console/sign-out"] button`)
	p.WaitText("nobody can sign in or out here")
	stranger := testbrowser.New(t)
	stranger.Open(reader.api + "/console/leads")
	stranger.WaitText("nobody can sign in or out here")
	wantStatus(t, stranger, "signing in", http.StatusServiceUnavailable)
	if status, text := reader.send(reader.admin+"/admin/api/v1/workspaces", token, `{"name":"x"}`, nil); status !=
		http.StatusServiceUnavailable || !strings.Contains(text, "This gateway only reads") {
		t.Errorf("a workspace of the administrator = %d %s, want 503 that says why", status, text)
	}
	if text := reader.log(); strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("it logs errors:\n%s", text)
	}
}

// wantStatus fails unless the page that is shown came with a status.
func wantStatus(t *testing.T, p *testbrowser.Page, what string, want int) {
	t.Helper()
	var got int
	if p.Eval(`performance.getEntriesByType("navigation")[0].responseStatus`, &got); got != want {
		t.Errorf("%s: status %d, want %d", what, got, want)
	}
}
