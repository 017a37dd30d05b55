package console_test

import (
	"bufio"
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/gateway/internal/console"
	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
)

// What stands in place of an id in an address is never another route of the API: an export, of any size, is not held.
func TestNoIDIsAnotherRoute(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	b := setup(t, func(d *console.Deps) {
		api := d.API
		d.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked = append(asked, r.URL.Path)
			mu.Unlock()
			api.ServeHTTP(w, r)
		})
	})
	v := b.mustSignIn(t, b.secret)
	for _, one := range []string{"export", "batch", "..", ".", "%2e%2e", "x%3fy", "x%23y", "%00", "a%0d%0ab", "lead_1%20"} {
		for _, r := range console.Routes() {
			if !strings.Contains(r.Path, "{") || strings.HasSuffix(r.Path, "/{id}") && one == "export" && r.Method == "GET" {
				continue // the page of an export is one
			}
			asked = nil
			got := v.do(t, r.Method, inBraces.ReplaceAllString(r.Path, one), strings.NewReader("name=x"),
				"Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html")
			if got.status != 404 || len(asked) > 0 {
				t.Errorf("%s %s of %q = %d, and asked the API for %q; want 404", r.Method, r.Path, one, got.status, asked)
			}
		}
	}
}

// A change of a form's name takes nothing away that the page does not show.
func TestFormKeepsWhatThePageDoesNotShow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	type shown struct {
		Name string
		Form struct{ Source, Preset, ChatbotID string }
	}
	var made struct {
		ID string
		shown
	}
	b.call(t, "POST", "/keys", `{"name":"Contact","kind":"publishable","form":{"source":"landing","preset":"typeform",
		"chatbotId":"`+id.Chatbot.Format(b.chatbot)+`","origins":["https://www.example.com"]}}`, &made)
	v := b.mustSignIn(t, b.mustKey(t, b.workspace, "keys:manage", "leads:write", "leads:read")) // which lists no chatbots
	page := v.get(t, "/console/forms/"+made.ID)
	if strings.Contains(page.text, `name="chatbotId"`) || strings.Contains(page.text, `name="source"`) {
		t.Fatal("the page shows them after all")
	}
	v.post(t, page.path, url.Values{"name": {"Contact us"}, "origins": {"https://www.example.com"}, "redirectUrl": {""},
		"onDuplicate": {"append"}, "captcha": {""}})
	var now shown
	b.call(t, "GET", "/keys/"+made.ID, "", &now)
	if now.Name != "Contact us" || now.Form != made.Form || now.Form.Source != "landing" {
		t.Errorf("the form became %+v, and was %+v", now, made)
	}
}

// However small its rate is, an owner can open the console and make the rate larger.
func TestSmallRateLocksNobodyOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	b.call(t, "PATCH", "/workspace", `{"rate":1,"burst":1}`, nil)
	try := func(what string, do func() answer) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for got := do(); got.status != 200; got = do() {
			if got.status != 429 || time.Now().After(deadline) {
				t.Fatalf("%s = %d", what, got.status)
			}
			<-time.After(300 * time.Millisecond) // the rate is that of Redis' clock
		}
	}
	for v.get(t, "/console/books").status != 429 { // what the gateway knew of the workspace is a second old at most
	}
	if got := v.get(t, "/console/books"); got.status == 429 && got.header.Get("Retry-After") == "" {
		t.Error("the page does not tell when to ask again")
	}
	try("the overview", func() answer { return v.get(t, "/console") })
	v.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	try("the settings", func() answer {
		got := v.post(t, "/console/settings", url.Values{"rate": {""}, "burst": {""}})
		if got.status == 303 {
			got.status = 200
		}
		return got
	})
	var w struct{ Burst, BurstCeiling int }
	if b.call(t, "GET", "/workspace", "", &w); w.Burst != w.BurstCeiling {
		t.Errorf("the burst is still %d", w.Burst)
	}
}

// A page that reads no news keeps no place: each write has an end. And none keeps the process from ending.
func TestNewsEnd(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	b := setup(t, func(d *console.Deps) { d.Stopping = stopping })
	v := b.mustSignIn(t, b.secret)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", b.url+"/console/live", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := v.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "retry:") {
		t.Fatalf("the stream begins with %q: %v", lines.Text(), lines.Err())
	}
	close(stopping)
	for lines.Scan() {
	}
	if lines.Err() != nil {
		t.Errorf("the stream did not end with the process: %v", lines.Err())
	}
}

var hiddenWas = regexp.MustCompile(`name="was" value="([^"]*)"`)

// Of two people who change different things at once, neither undoes what the other did.
func TestTwoTabsUndoNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	hook := b.mustEndpoint(t, "")
	for _, c := range []struct {
		page, api, theirs string
		mine              url.Values
	}{
		{"/console/settings", "/workspace", `{"defaultRegion":"DE"}`, url.Values{"name": {"Mine"}, "defaultRegion": {""}}},
		{"/console/endpoints/" + hook + "/edit", "/webhooks/" + hook, `{"description":"Theirs"}`,
			url.Values{"url": {"https://mine.example.com/in"}, "description": {""}, "eventTypes": {"lead.*"}, "payload": {"full"}}},
	} {
		found := hiddenWas.FindStringSubmatch(v.get(t, c.page).text)
		if found == nil {
			t.Fatalf("%s does not remember what it showed", c.page)
		}
		b.call(t, "PATCH", c.api, c.theirs, nil)
		c.mine.Set("was", html.UnescapeString(found[1]))
		if got := v.post(t, c.page, c.mine); got.status != 200 {
			t.Fatalf("%s = %d: %s", c.page, got.status, got.text)
		}
	}
	var w struct{ Name, DefaultRegion string }
	if b.call(t, "GET", "/workspace", "", &w); w.Name != "Mine" || w.DefaultRegion != "DE" {
		t.Errorf("the workspace became %+v", w)
	}
	if e := b.endpoint(t, hook); e.URL != "https://mine.example.com/in" || e.Description != "Theirs" {
		t.Errorf("the endpoint became %+v", e)
	}
}

// What fails in the console itself is an internal error with a number, which the log has too.
func TestOwnFaultsAreLogged(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *console.Deps) {
		api := d.API
		d.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "PATCH" {
				_, _ = w.Write([]byte("{"))
				return
			}
			api.ServeHTTP(w, r)
		})
	})
	v := b.mustSignIn(t, b.secret)
	var keys []struct{ ID string }
	b.call(t, "GET", "/keys", "", &keys)
	got := v.do(t, "POST", "/console/keys/"+keys[0].ID, strings.NewReader("name=x"), "Accept", "text/html",
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	if got.status != 500 || !strings.Contains(got.text, "request "+got.header.Get("X-Request-Id")) {
		t.Errorf("an answer that cannot be read = %d %s, want 500 with the request's id", got.status, got.text)
	}
}

// A link that somebody else sends does not lead who is signed in to another workspace unnoticed.
func TestLinkAsksWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.visitor(t).get(t, "/console/open"); !strings.Contains(got.text, "data-submit") {
		t.Error("a link does not open by itself")
	}
	v := b.mustSignIn(t, b.secret)
	got := v.get(t, "/console/open")
	if strings.Contains(got.text, "data-submit") || !strings.Contains(got.text, "You are signed in already") {
		t.Errorf("a link opens by itself for who is signed in: %s", got.text)
	}
	other := b.mustWorkspace(t)
	mine := b.owner
	b.owner = other
	link := b.mustLink(t, `{"scopes":["leads:read"]}`)
	b.owner = mine
	if got := v.post(t, "/console/open", url.Values{"link": {link}}); got.path != "/console" {
		t.Errorf("who agrees is at %s", got.path)
	}
}

// The chatbot of a form is chosen on its page, however many there are.
func TestFormShowsItsChatbotAmongMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := []string{id.Chatbot.Format(b.chatbot)}
	for range 100 {
		made = append(made, id.Chatbot.Format(pgtest.Chatbot(t, b.db, b.workspace).ID))
	}
	var listed []struct{ ID string }
	b.call(t, "GET", "/chatbots?limit=100", "", &listed)
	for _, c := range listed {
		made = slices.DeleteFunc(made, func(one string) bool { return one == c.ID })
	}
	var form struct{ ID string }
	b.call(t, "POST", "/keys", `{"name":"Contact","kind":"publishable","form":{"chatbotId":"`+made[0]+`",
		"origins":["https://www.example.com"]}}`, &form)
	page := b.mustSignIn(t, b.secret).get(t, "/console/forms/"+form.ID)
	if !strings.Contains(page.text, `value="`+made[0]+`" selected`) {
		t.Error("the page would take the form's chatbot away")
	}
}
