package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"leadgate/shared/testbrowser"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// page is a site's server: it serves the pages of testdata/form, and tells what browsers bring back to it.
type page struct {
	*httptest.Server
	form    string
	script  string      // element of form.js; "": none
	policy  string      // Content-Security-Policy of person.html; "": none
	arrived chan string // "/thanks", or what a script said
}

func newPage(t *testing.T) *page {
	t.Helper()
	p := &page{arrived: make(chan string, 10)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/plain.html", "/fetch.html", "/person.html":
			text, err := os.ReadFile(filepath.Join("testdata", "form", r.URL.Path[1:]))
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", p.policy)
			io.WriteString(w, strings.NewReplacer("FORM_URL", p.form, "FORM_SCRIPT", p.script).Replace(string(text)))
		case "/thanks":
			io.WriteString(w, "<!doctype html><html lang=en><title>Thanks</title><h1>Thanks</h1>")
			p.arrived <- r.Method + " " + r.URL.Path
		case "/said":
			said, _ := io.ReadAll(r.Body)
			p.arrived <- string(said)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// visit opens one of the pages in a browser, and returns it.
func (p *page) visit(t *testing.T, name, query string) *testbrowser.Page {
	t.Helper()
	b := testbrowser.New(t)
	b.Allow(p.form)
	b.Open(p.URL + "/" + name + "?" + query)
	return b
}

// said returns what comes back to the site from one of its pages.
func (p *page) said(t *testing.T, name, query string) string {
	t.Helper()
	b := p.visit(t, name, query)
	select {
	case said := <-p.arrived:
		return said
	case <-time.After(2 * time.Minute):
		t.Fatalf("nothing came back to the site; problems: %q; the browser shows %.2000s", b.Problems(), b.Text("body"))
		return ""
	}
}

// mustForm makes a form that pages of origins may use, and returns its URL.
func (c *tenant) mustForm(t *testing.T, origins ...string) string {
	t.Helper()
	return c.URL + c.mustFormPath(t, map[string]any{"origins": origins, "chatbotId": c.chatbot, "source": "landing"})
}

// mustFormPath makes a form with settings.
func (c *tenant) mustFormPath(t *testing.T, settings map[string]any) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"name": "form", "kind": "publishable", "form": settings})
	got := request(t, "POST", c.URL+"/api/v1/keys", c.mustManager(t), string(body))
	var made struct{ Key string }
	if got.data(t, &made); got.status != http.StatusCreated || !strings.HasPrefix(made.Key, "pk-workspace_") {
		t.Fatalf("POST /keys = %v, want a publishable key", got)
	}
	return "/f/" + made.Key
}

// mustManager makes a key that can make keys.
func (c *tenant) mustManager(t *testing.T) string {
	t.Helper()
	got := c.admin(t, "POST", "/workspaces/"+c.workspace+"/keys",
		`{"name":"manager","scopes":["keys:manage","workspace:manage","leads:read","leads:write","webhooks:manage"]}`)
	var made struct{ Secret string }
	if got.data(t, &made); got.status != http.StatusCreated {
		t.Fatalf("making a key = %v", got)
	}
	return made.Secret
}

// mustFind returns the tenant's lead with an email.
func (c *tenant) mustFind(t *testing.T, email string) (l struct {
	Name, Email, Source, ChatbotID string
	Metadata                       map[string]any
}) {
	t.Helper()
	got := c.call(t, "GET", "/api/v1/leads?email="+url.QueryEscape(email), "")
	var all []json.RawMessage
	if got.data(t, &all); len(all) != 1 {
		t.Fatalf("leads with %s = %v, want one", email, got)
	}
	if err := json.Unmarshal(all[0], &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPlainFormInABrowser(t *testing.T) {
	t.Parallel()
	c, p := mustTenant(t), newPage(t)
	p.form = c.mustForm(t, p.URL)
	if got := p.said(t, "plain.html", "email=plain@example.com&utm_source=ads"); got != "GET /thanks" {
		t.Fatalf("the browser came back with %.2000s, want GET /thanks", got)
	}
	l := c.mustFind(t, "plain@example.com")
	if got := fmt.Sprint(l.Name, " ", l.Source, " ", l.ChatbotID, " ",
		l.Metadata["topic"]); got != "Ada Lovelace landing "+c.chatbot+" [a b]" ||
		l.Metadata["message"] != "Two\r\nlines & \"more\"" {
		t.Errorf("lead = %+v, want what was filled in", l)
	}
	if l.Metadata["page_url"] != p.URL+"/plain.html" || l.Metadata["utm_source"] != "ads" {
		t.Errorf("metadata = %v, want the page and its campaign", l.Metadata)
	}
	// A robot fills in what people do not see, and is thanked all the same.
	if got := p.said(t, "plain.html", "email=robot@example.com&trap"); got != "GET /thanks" {
		t.Errorf("the robot came back with %.2000s, want GET /thanks", got)
	}
	if n := c.mustRows(t); n != 1 {
		t.Errorf("%d leads, want 1", n)
	}
}

func TestScriptedFormInABrowser(t *testing.T) {
	t.Parallel()
	c, p := mustTenant(t), newPage(t)
	p.form = c.mustForm(t, p.URL)
	const want = `200 {"success":true,"data":{"received":true}}`
	// a duplicate looks the same
	for _, query := range []string{"email=json@example.com&utm_source=ads", "email=json@example.com",
		"email=fields@example.com&fields"} {
		if got := p.said(t, "fetch.html", query); got != want {
			t.Errorf("%s: the script got %.2000s, want %s", query, got, want)
		}
	}
	if l := c.mustFind(t, "json@example.com"); l.Name != "Ada Lovelace" || l.Metadata["utm_source"] != "ads" ||
		l.Metadata["page_url"] != p.URL+"/fetch.html" {
		t.Errorf("lead = %+v, want the page's campaign", l)
	}
	c.mustFind(t, "fields@example.com")
	if got := p.said(t, "fetch.html", "email=nobody"); !strings.HasPrefix(got, "400 ") ||
		!strings.Contains(got, "Must be a valid email address") {
		t.Errorf("a mistake: the script got %.2000s, want to read it", got)
	}
}

func TestFormOfAnotherSiteInABrowser(t *testing.T) {
	t.Parallel()
	c, ours, theirs := mustTenant(t), newPage(t), newPage(t)
	theirs.form = c.mustForm(t, ours.URL)
	if got := theirs.said(t, "fetch.html", "email=a@example.com"); !strings.HasPrefix(got, "403 ") ||
		!strings.Contains(got, `"origin":"`+theirs.URL) {
		t.Errorf("another site's script got %.2000s, want to read which origin may not use the form", got)
	}
	theirs.visit(t, "plain.html", "email=b@example.com").WaitText("not yet set up for this website")
	if n := c.mustRows(t); n != 0 {
		t.Errorf("%d leads, want none", n)
	}
}
