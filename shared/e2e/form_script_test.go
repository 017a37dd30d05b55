package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"leadgate/shared/testbrowser"
)

// mustContact is a site whose page has a form of a gateway with settings, and loads form.js.
func (c *tenant) mustContact(t *testing.T, gateway string, settings map[string]any) *page {
	t.Helper()
	p := newPage(t)
	c.mustAddForm(t, p, gateway, settings)
	return p
}

// mustAddForm makes a form and puts it and form.js into a page.
func (c *tenant) mustAddForm(t *testing.T, p *page, gateway string, settings map[string]any) {
	t.Helper()
	settings["origins"] = []string{p.URL}
	p.form = gateway + c.mustFormPath(t, settings)
	p.script = `<script src="` + gateway + `/form.js" defer></script>`
}

// write fills a form in as a person does, who takes a while.
func write(b *testbrowser.Page, email string) {
	b.Fill("[name=name]", "Ada Lovelace")
	b.Fill("[name=email]", email)
	b.Fill("[name=message]", "Could you send me an offer for two engines?")
	b.Wait("performance.now() > 1500")
}

// waitToken waits until a page has had n tokens, the last for as long as a person has it at least.
func waitToken(b *testbrowser.Page, n int) {
	b.Wait(fmt.Sprintf(`performance.now() > 1200 + performance.getEntriesByType('resource').
		filter(r => r.name.endsWith('/token'))[%d]?.responseEnd`, n-1))
}

// submission is what became of a submission.
type submission struct {
	Verdict, Page string
	Points        int
	Reasons       []struct{ Check string }
	LeadID        *string
}

// mustSubmission returns the only submission with an email.
func (c *tenant) mustSubmission(t *testing.T, email string) submission {
	t.Helper()
	got := c.call(t, "GET", "/api/v1/submissions?text="+url.QueryEscape(email), "")
	var all []submission
	if got.data(t, &all); len(all) != 1 {
		t.Fatalf("submissions with %s = %v, want one", email, got)
	}
	return all[0]
}

// wantPerson fails the test unless there is one submission with an email, which is believed to be a person's.
func (c *tenant) wantPerson(t *testing.T, email string) {
	t.Helper()
	if s := c.mustSubmission(t, email); s.Verdict != "clean" || s.Points != 0 || s.LeadID == nil {
		t.Errorf("submission = %+v, want a person's", s)
	}
}

func TestFormScriptInABrowser(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	for name, form := range map[string]struct{ captcha, query, host string }{
		"plain.token": {"", "", "127.0.0.1"}, "plain.work": {"altcha", "", "127.0.0.1"},
		"fetch.token": {"", "fetch", "127.0.0.1"}, "fetch.work": {"altcha", "fetch", "127.0.0.1"},
		"without.tls": {"altcha", "", "shop.example.com"}, // where browsers have no crypto.subtle
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]any{"requireToken": true}
			if form.captcha != "" {
				settings["captcha"] = form.captcha
			}
			p := newPage(t)
			p.URL = strings.Replace(p.URL, "127.0.0.1", form.host, 1)
			c.mustAddForm(t, p, c.URL, settings)
			b := p.visit(t, "person.html", form.query)
			write(b, name+"@example.com")
			waitToken(b, 1)
			b.Press("Tab") // to the button, as without a mouse
			b.Press("Enter")
			b.WaitText("Thanks")
			if got := b.Problems(); got != nil {
				t.Errorf("Problems() = %q, want none", got)
			}
			c.wantPerson(t, name+"@example.com")
		})
	}
}

func TestFormWithoutItsScriptInABrowser(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	p := c.mustContact(t, c.URL, map[string]any{"requireToken": true, "holdAt": 40})
	p.script = ""
	b := p.visit(t, "person.html", "")
	write(b, "a@example.com")
	b.Click("button")
	b.WaitText("Thanks")
	s := c.mustSubmission(t, "a@example.com")
	if s.Verdict != "held" || len(s.Reasons) != 1 || s.Reasons[0].Check != "token" || s.LeadID != nil {
		t.Errorf("submission = %+v, want it held for its token", s)
	}

	p = c.mustContact(t, c.URL, map[string]any{"captcha": "altcha"})
	p.script = ""
	b = p.visit(t, "person.html", "")
	write(b, "b@example.com")
	b.Click("button")
	b.WaitText("Your browser did not check that you are a person.")
}

// A page that was open for more than an hour, the computer perhaps asleep meanwhile, asks for another token when its
// visitor is back, and does another proof of work.
func TestFormTokenExpiresInABrowser(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	g := c.mustGate(t)
	p := c.mustContact(t, g.URL, map[string]any{"requireToken": true, "captcha": "altcha"})
	b := p.visit(t, "person.html", "")
	write(b, "a@example.com")
	b.WaitText("Checked that you are a person.")
	if got := g.tokens.Load(); got != 1 {
		t.Errorf("the page asked %d times for a token, want once", got)
	}
	b.Eval(`{
		const now = Date.now
		Date.now = () => now() + 3600e3
		document.dispatchEvent(new Event('visibilitychange'))
	}`, nil)
	waitToken(b, 2)
	b.Click("button")
	b.WaitText("Thanks")
	if got := g.tokens.Load(); got != 2 {
		t.Errorf("the page asked %d times for a token, want twice", got)
	}
	c.wantPerson(t, "a@example.com")
}

// While there are no challenges to be had the visitor reads that nothing was sent, and sends the same again later.
func TestFormWithoutChallengesInABrowser(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	for _, query := range []string{"", "fetch"} {
		g := c.mustGate(t)
		broken := make(chan struct{})
		g.outage.Store(&outage{"/challenge", broken})
		p := c.mustContact(t, g.URL, map[string]any{"requireToken": true, "captcha": "altcha"})
		b := p.visit(t, "person.html", query)
		email := query + "a@example.com"
		write(b, email)
		waitToken(b, 1)
		b.WaitText("Checking that you are a person")
		b.Click("button")
		close(broken)
		b.WaitText("Nothing was sent, because the check that you are a person did not work. Please send the form again.")
		if got := b.Axe(); len(got) != 0 {
			t.Errorf("Axe() = %q, want none", got)
		}
		var typed string
		if b.Eval("document.forms[0].elements.email.value", &typed); typed != email {
			t.Errorf("the form has %q, want what was typed", typed)
		}
		if got := c.call(t, "GET", "/api/v1/submissions?text="+email, ""); strings.Contains(string(got.body), "sub_") {
			t.Errorf("submissions = %v, want none yet", got)
		}
		g.outage.Store(nil)
		b.Click("button")
		b.WaitText("Thanks")
		c.wantPerson(t, email)
	}
}

// A form does not wait for long for a token that does not come.
func TestFormWithoutTokensInABrowser(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	g := c.mustGate(t)
	g.outage.Store(&outage{"/token", nil})
	p := c.mustContact(t, g.URL, map[string]any{"requireToken": true})
	b := p.visit(t, "person.html", "")
	write(b, "a@example.com")
	b.Click("button")
	b.WaitText("Thanks")
	if s := c.mustSubmission(t, "a@example.com"); s.LeadID == nil || s.Points != 40 || s.Reasons[0].Check != "token" {
		t.Errorf("submission = %+v, want a lead that lacks the token only", s)
	}
}

// A page whose policy does not let the script ask for anything sends its form all the same.
func TestFormScriptThatMayNotAskInABrowser(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	p := c.mustContact(t, c.URL, map[string]any{"requireToken": true})
	p.policy = "connect-src 'self'"
	b := p.visit(t, "person.html", "")
	write(b, "a@example.com")
	b.Click("button")
	b.WaitText("Thanks")
	if s := c.mustSubmission(t, "a@example.com"); s.LeadID == nil {
		t.Errorf("submission = %+v, want a lead", s)
	}
}

// gate is a gateway as a page sees it through a bad network.
type gate struct {
	*httptest.Server
	tokens atomic.Int32 // that were asked for
	outage atomic.Pointer[outage]
}

// outage is what is not answered.
type outage struct {
	path string        // its end
	over chan struct{} // when it is closed, the connections of what was asked for end
}

func (c *tenant) mustGate(t *testing.T) *gate {
	t.Helper()
	target, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	g := &gate{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			g.tokens.Add(1)
		}
		if o := g.outage.Load(); o != nil && strings.HasSuffix(r.URL.Path, o.path) {
			select {
			case <-o.over:
			case <-r.Context().Done():
			}
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}
