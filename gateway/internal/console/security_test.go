package console_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/gateway/internal/console"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/testbrowser"
	"leadgate/shared/testwait"
)

const cookieName = "console_session"

// cookie returns the session's cookie as the visitor's browser has it, or "".
func (v *visitor) cookie(t testing.TB) string {
	t.Helper()
	at, err := url.Parse(v.b.url + "/console")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Jar.Cookies(at) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}

// mustCookie signs a fresh visitor in by posting form to path with headers, and returns the cookie of the answer.
func (b *bundle) mustCookie(t testing.TB, path string, form url.Values, header ...string) *http.Cookie {
	t.Helper()
	v := b.visitor(t)
	var found *http.Cookie
	v.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		for _, c := range r.Response.Cookies() {
			if strings.TrimPrefix(c.Name, "__Host-") == cookieName {
				found = c
			}
		}
		return http.ErrUseLastResponse
	}
	header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	if got := v.do(t, "POST", path, strings.NewReader(form.Encode()), header...); found == nil {
		t.Fatalf("POST %s = %d without a cookie: %s", path, got.status, got.text)
	}
	return found
}

// mustLink makes a one-time link with more fields of JSON, and returns its secret.
func (b *bundle) mustLink(t testing.TB, fields string) string {
	t.Helper()
	var made struct{ URL string }
	b.call(t, "POST", "/console-sessions", fields, &made)
	_, secret, ok := strings.Cut(made.URL, "#")
	if !ok {
		t.Fatalf("link = %s", made.URL)
	}
	return secret
}

var inBraces = regexp.MustCompile(`\{[^}]*\}`)

// somewhere is a path of the table with an id that nothing has.
func somewhere(path string) string {
	return inBraces.ReplaceAllString(path, id.Endpoint.Format(id.New()))
}

// Pages of other sites change nothing, whatever they send: neither do those of the same site on another host.
func TestOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	paths := []string{"/console/sign-in", "/console/open", "/console/sign-out"}
	for _, r := range console.Routes() {
		if r.Method != "GET" {
			paths = append(paths, somewhere(r.Path))
		}
	}
	for _, path := range paths {
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com"},
			{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.com"},
			{"Origin", "https://evil.example.com"},
			{"Origin", "null"},
		} {
			header = append(header, "Content-Type", "application/x-www-form-urlencoded")
			if got := v.do(t, "POST", path, strings.NewReader("name=x"), header...); got.status != 403 {
				t.Errorf("POST %s with %v = %d, want 403", path, header, got.status)
			}
		}
	}
	if got := v.get(t, "/console"); got.path != "/console" {
		t.Error("the visitor was signed out by another site")
	}
}

// No site shows the console in a frame, but those that a session names.
func TestOnlyNamedSitesFrameTheConsole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	wantFrames := func(v *visitor, path, want string) {
		t.Helper()
		got := v.get(t, path)
		if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
			return // a file, or why there is none
		}
		_, ancestors, _ := strings.Cut(got.header.Get("Content-Security-Policy"), "frame-ancestors ")
		if ancestors != want {
			t.Errorf("GET %s = %d with frame-ancestors %q, want %q", path, got.status, ancestors, want)
		}
	}
	framed := b.visitor(t)
	framed.Jar = tlsJar{framed.Jar}
	link := b.mustLink(t, `{"scopes":["leads:read"],"frameOrigins":["https://app.example.com"]}`)
	if got := framed.post(t, "/console/open", url.Values{"link": {link}}); got.path != "/console" {
		t.Fatalf("open = %d at %s", got.status, got.path)
	}
	wantFrames(b.visitor(t), "/console/sign-in", "'none'")
	wantFrames(b.visitor(t), "/console/open", "'self' *") // the link itself says which
	for _, r := range console.Routes() {
		if r.Method != "GET" {
			continue
		}
		wantFrames(v, somewhere(r.Path), "'none'")
		wantFrames(framed, somewhere(r.Path), "'self' https://app.example.com")
	}
}

// tlsJar is a browser's cookies to which the tests' server is one with TLS.
type tlsJar struct{ http.CookieJar }

func secured(u *url.URL) *url.URL {
	s := *u
	s.Scheme = "https"
	return &s
}

func (j tlsJar) SetCookies(u *url.URL, all []*http.Cookie) { j.CookieJar.SetCookies(secured(u), all) }
func (j tlsJar) Cookies(u *url.URL) []*http.Cookie         { return j.CookieJar.Cookies(secured(u)) }

// A product shows the console of its customer in a frame, with the link as the guide says; another site cannot.
func TestConsoleInAFrame(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32 // by pages that are alive: each asks for news again and again
	b := setup(t, func(d *console.Deps) {
		pulse := d.Pulse
		d.Pulse = func(ctx context.Context, workspace id.UUID) (pg.Pulse, error) {
			asked.Add(1)
			return pulse(ctx, workspace)
		}
	})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>Product</title><iframe width="1000" height="600" src="%s/console/open#%s"></iframe>`,
			b.url, html.EscapeString(r.URL.Query().Get("link")))
	}))
	t.Cleanup(site.Close)
	product := strings.Replace(site.URL, "127.0.0.1", "localhost", 1) // another site than the console's
	fields := `{"scopes":["leads:read"],"frameOrigins":["` + product + `"]}`
	p := testbrowser.New(t)
	p.Allow(b.url)
	p.Open(product + "/?link=" + b.mustLink(t, fields))
	testwait.Until(t, "the console to be alive in the frame", func() bool { return asked.Load() > 3 })
	p.Screenshot("framed")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
	other := testbrowser.New(t)
	other.Allow(b.url)
	other.Open(strings.Replace(site.URL, "127.0.0.1", "evil.example.com", 1) + "/?link=" + b.mustLink(t, fields))
	var refused []string
	testwait.Until(t, "the console to be refused in the frame", func() bool {
		refused = append(refused, other.Problems()...)
		return strings.Contains(strings.Join(refused, " "), "frame-ancestors")
	})
}

// A session that was there before is never the one that a person signs in to.
func TestSignInIsANewSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	planted := b.mustSignIn(t, b.secret).cookie(t) // somebody else's, put into the victim's browser
	for name, value := range map[string]string{"a known session": planted, "an invented one": strings.Repeat("x", len(planted))} {
		v := b.visitor(t)
		at, _ := url.Parse(b.url + "/console")
		v.Jar.SetCookies(at, []*http.Cookie{{Name: cookieName, Value: value, Path: "/console"}})
		if got := v.post(t, "/console/sign-in", url.Values{"key": {b.secret}}); got.path != "/console" {
			t.Fatalf("sign in = %d at %s", got.status, got.path)
		}
		if now := v.cookie(t); now == value || now == "" {
			t.Errorf("%s: the cookie is %q after signing in, want another than before", name, now)
		}
	}
	var all []struct{ ID string }
	if b.call(t, "GET", "/console-sessions", "", &all); len(all) != 3 {
		t.Errorf("sessions = %d, want 3: nobody shares one", len(all))
	}
}

// A session sees and does what its scopes say: other pages are 403 and are not in the navigation, and their forms do
// nothing when they are posted by hand.
func TestSessionsKeepToTheirScopes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hook := b.mustEndpoint(t, "")
	for _, may := range tenant.Scopes() {
		v := b.mustSignIn(t, b.mustKey(t, b.workspace, may))
		nav := v.get(t, "/console").text
		for _, r := range console.Routes() {
			if r.Scope == "" || r.Scope == may {
				continue
			}
			path := inBraces.ReplaceAllString(r.Path, hook)
			got := v.do(t, r.Method, path, strings.NewReader("url=https://evil.example.com"), "Sec-Fetch-Site", "same-origin",
				"Content-Type", "application/x-www-form-urlencoded")
			if got.status != 403 || !strings.Contains(got.text, "lacks the scope "+string(r.Scope)) {
				t.Errorf("%s %s with %s = %d, want 403 for want of %s", r.Method, path, may, got.status, r.Scope)
			}
			if r.Method == "GET" && strings.Contains(nav, `<a href="`+r.Path+`"`) {
				t.Errorf("with %s the navigation leads to %s", may, r.Path)
			}
		}
	}
	if e := b.endpoint(t, hook); e.URL != "https://hooks.example.com/in" || !e.Enabled {
		t.Errorf("the endpoint was changed: %+v", e)
	}
}

// Who signs out is out on the server: the cookie that somebody copied before opens nothing.
func TestSignOutEndsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	copied := b.visitor(t)
	at, _ := url.Parse(b.url + "/console")
	copied.Jar.SetCookies(at, []*http.Cookie{{Name: cookieName, Value: v.cookie(t), Path: "/console"}})
	if got := copied.get(t, "/console"); got.path != "/console" {
		t.Fatalf("the copy is at %s", got.path)
	}
	if got := v.post(t, "/console/sign-out", nil); got.path != "/console/sign-in" || v.cookie(t) != "" {
		t.Errorf("after signing out at %s with cookie %q", got.path, v.cookie(t))
	}
	wantSignedOut(t, copied)
}

// A session ends when its time is over, and its key's end is its own.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.mustCookie(t, "/console/open", url.Values{"link": {b.mustLink(t, `{"expiresInSeconds":120}`)}})
	if c.MaxAge < 100 || c.MaxAge > 120 {
		t.Errorf("the cookie lives for %d s, want the session's two minutes", c.MaxAge)
	}
	v := b.visitor(t)
	at, _ := url.Parse(b.url + "/console")
	v.Jar.SetCookies(at, []*http.Cookie{c})
	v.get(t, "/console").want(t, "Overview")
	b.ahead.Store(int64(2 * time.Minute))
	if got := v.get(t, "/console"); got.path != "/console/sign-in" {
		t.Errorf("after its end = %d at %s", got.status, got.path)
	}
	b.ahead.Store(0)
	key := b.mustKey(t, b.workspace, tenant.LeadsRead)
	of := b.mustSignIn(t, key)
	var all []struct{ ID string }
	b.call(t, "GET", "/keys", "", &all)
	b.call(t, "DELETE", "/keys/"+all[0].ID, "", nil)
	wantSignedOut(t, of)
}

// The cookie cannot be read by scripts, goes to the console alone, and where there is TLS only through that.
func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *console.Deps) { d.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	outside := setup(t)
	key := func(b *bundle) url.Values { return url.Values{"key": {b.secret}} }
	for about, c := range map[string]struct {
		cookie              *http.Cookie
		secure, partitioned bool
		site                http.SameSite
	}{
		"plain":           {b.mustCookie(t, "/console/sign-in", key(b)), false, false, http.SameSiteLaxMode},
		"behind TLS":      {b.mustCookie(t, "/console/sign-in", key(b), "X-Forwarded-Proto", "https"), true, false, http.SameSiteLaxMode},
		"behind two":      {b.mustCookie(t, "/console/sign-in", key(b), "X-Forwarded-Proto", "https, http"), true, false, http.SameSiteLaxMode},
		"a stranger says": {outside.mustCookie(t, "/console/sign-in", key(outside), "X-Forwarded-Proto", "https"), false, false, http.SameSiteLaxMode},
		"in a frame": {b.mustCookie(t, "/console/open", url.Values{"link": {b.mustLink(t,
			`{"frameOrigins":["https://app.example.com"]}`)}}), true, true, http.SameSiteNoneMode},
	} {
		name, path := cookieName, "/console"
		if strings.HasPrefix(about, "behind") {
			name, path = "__Host-"+cookieName, "/"
		}
		if k := c.cookie; k.Name != name || !k.HttpOnly || k.Path != path || k.Domain != "" || k.Secure != c.secure ||
			k.Partitioned != c.partitioned || k.SameSite != c.site || k.MaxAge <= 0 {
			t.Errorf("%s: %s", about, strings.Replace(k.String(), k.Value, "...", 1))
		}
	}
}

// Over TLS the console takes no cookie that another host of its domain can have planted.
func TestPlantedCookiesAreIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *console.Deps) { d.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	mine := b.mustCookie(t, "/console/sign-in", url.Values{"key": {b.secret}}, "X-Forwarded-Proto", "https")
	theirs := b.mustSignIn(t, b.mustWorkspace(t).secret).cookie(t)
	notice := base64.RawURLEncoding.EncodeToString([]byte("Call +1-555-0100"))
	for planted, want := range map[string]string{
		cookieName + "=" + theirs: "/console/sign-in",
		cookieName + "=" + theirs + "; " + mine.Name + "=" + mine.Value + "; console_notice=" + notice: "/console",
	} {
		got := b.visitor(t).do(t, "GET", "/console", nil, "X-Forwarded-Proto", "https", "Cookie", planted)
		if got.path != want || strings.Contains(got.text, "Call +1-555") {
			t.Errorf("with %.30s arrived at %s, want %s without the notice", planted, got.path, want)
		}
	}
}

// In a frame the end of a session is told; what was sent after it is asked for again.
func TestEndOfASessionIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.visitor(t).do(t, "GET", "/console/leads", nil, "Sec-Fetch-Dest", "iframe")
	got.wantPage(t, 401, "Your session here has ended", "!Secret key")
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'self' *") {
		t.Errorf("policy = %s, want that the page around it shows it", policy)
	}
	lost := b.visitor(t).do(t, "POST", "/console/settings", strings.NewReader("name=x"), "Sec-Fetch-Site", "same-origin",
		"Content-Type", "application/x-www-form-urlencoded", "Referer", b.url+"/console/settings")
	lost.wantPage(t, 200, "what you just did was not done", `value="/console/settings"`)
}

// Signing in leads to pages of the console alone.
func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, next := range []string{"https://evil.example.com", "//evil.example.com/console/", `/\evil.example.com`,
		"/console//evil.example.com@x", "javascript:alert(1)", "/docs", "https:evil.example.com", "/console/../..//evil.example.com",
		"/console/\r\nLocation: https://evil.example.com", "/console/sign-out", "http:/console/leads", "/console@evil.example.com"} {
		v := b.visitor(t)
		var location string
		v.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			location = r.Response.Header.Get("Location")
			return http.ErrUseLastResponse
		}
		v.post(t, "/console/sign-in", url.Values{"key": {b.secret}, "next": {next}})
		u, err := url.Parse(location)
		if err != nil || location == "" || u.IsAbs() || u.Host != "" || !strings.HasPrefix(location, "/") ||
			strings.HasPrefix(location, "//") || strings.HasPrefix(location, `/\`) || u.Path == "/docs" || u.Path == "/console/sign-out" {
			t.Errorf("next %q leads to %q", next, location)
		}
		if page := b.visitor(t).get(t, "/console/sign-in?next="+url.QueryEscape(next)); strings.Contains(page.text, "evil.example.com\"") {
			t.Errorf("next %q is on the page", next)
		}
	}
	v := b.visitor(t)
	if got := v.post(t, "/console/sign-in", url.Values{"key": {b.secret}, "next": {"/console/leads?status=new"}}); got.path != "/console/leads" {
		t.Errorf("arrived at %s", got.path)
	}
}

// Another workspace's things are not there, on any page and for any form.
func TestOtherWorkspacesAreNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hook := b.mustEndpoint(t, "")
	b.mustLead(t, `{"email":"ada@example.com"}`)
	var keys, bots, sent, sessions []struct{ ID string }
	b.call(t, "GET", "/keys", "", &keys)
	b.call(t, "GET", "/chatbots", "", &bots)
	b.call(t, "GET", "/deliveries", "", &sent)
	b.mustSignIn(t, b.secret)
	b.call(t, "GET", "/console-sessions", "", &sessions)
	var replay struct{ ID string }
	b.call(t, "POST", "/replays", `{"endpointId":"`+hook+`"}`, &replay)
	ours, _ := json.Marshal(b.endpoint(t, hook))
	v := b.mustSignIn(t, b.mustWorkspace(t).secret)
	for family, one := range map[string]string{"/console/endpoints/": hook, "/console/keys/": keys[0].ID,
		"/console/settings/chatbots/": bots[0].ID, "/console/deliveries/": sent[0].ID, "/console/replays/": replay.ID,
		"/console/sessions/": sessions[0].ID} {
		for _, r := range console.Routes() {
			if !strings.HasPrefix(r.Path, family+"{") {
				continue
			}
			path := inBraces.ReplaceAllString(r.Path, one)
			got := v.do(t, r.Method, path, strings.NewReader("name=x&url=https://evil.example.com&overlapSeconds=0"),
				"Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded")
			if got.status != 404 {
				t.Errorf("%s %s of another workspace = %d, want 404", r.Method, path, got.status)
			}
		}
	}
	if now, _ := json.Marshal(b.endpoint(t, hook)); string(now) != string(ours) {
		t.Errorf("the endpoint became %s", now)
	}
	b.call(t, "GET", "/keys", "", &keys) // its key was not revoked
}
