package admin_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/admin"
	"leadgate/shared/config"
)

// guardedPaths are paths behind the token, one of each guard.
func guardedPaths() []string {
	return []string{"/admin/", "/admin/queues", "/admin/queues/api/queues", "/admin/api/v1/workspaces", "/debug/pprof/",
		"/debug/pprof/heap"}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	forged := (&http.Cookie{Name: "leadgate_admin", Value: strings.Repeat("A", 54)}).String()
	credentials := map[string][]string{
		"no token":       nil,
		"wrong token":    {"Authorization", "Bearer " + token + "x"},
		"empty token":    {"Authorization", "Bearer "},
		"other scheme":   {"Authorization", "Digest " + token},
		"wrong password": {"Authorization", basic("admin", "guess")},
		"forged cookie":  {"Cookie", forged},
	}
	for name, header := range credentials {
		t.Run(name, func(t *testing.T) {
			for _, path := range guardedPaths() {
				b.clock.Forward(time.Minute) // a wrong guess is not the last one's fault
				a := b.do(b.request("GET", path, "", header...))
				want := "Bearer"
				if !strings.HasPrefix(path, "/admin/api/") {
					want = `Basic realm="leadgate admin", charset="UTF-8"`
				}
				if got := a.header.Get("WWW-Authenticate"); a.status != http.StatusUnauthorized || got != want {
					t.Errorf("GET %s with %s = %d, WWW-Authenticate %q; want 401, %q", path, name, a.status, got, want)
				}
				if strings.Contains(a.body, "Asynq") || !strings.Contains(a.body, `"code":"UNAUTHORIZED"`) {
					t.Errorf("GET %s with %s = %s, want only the envelope", path, name, a.body)
				}
			}
		})
	}
}

func TestSeveralAuthorizationHeadersAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	r := b.request("GET", "/admin/api/v1/workspaces", "", "Authorization", "Bearer "+token)
	r.Header.Add("Authorization", "Bearer "+token)
	if a := b.do(r); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "once") {
		t.Errorf("GET with two Authorization headers = %d %s, want 401 that says to send it once", a.status, a.body)
	}
}

func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestTokenOpensEveryGuardedPath(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, credential := range []string{"Bearer " + token, "bearer " + token, basic("anyone", token)} {
		for _, path := range guardedPaths() {
			if a := b.do(b.request("GET", path, "", "Authorization", credential)); a.status != http.StatusOK {
				t.Errorf("GET %s with %s = %d %s, want 200", path, credential, a.status, a.body)
			}
		}
	}
}

// While the token is changed both open everything. What the old one opened ends with it, and what the new one opened
// goes on.
func TestTokensOverlap(t *testing.T) {
	t.Parallel()
	const fresh = "another-admin-token-for-tests"
	of := func(tokens string) *bundle {
		return setup(t, func(d *admin.Deps) { d.Token.Secret = config.Secret(tokens) })
	}
	both, after := of(token+" \n"+fresh), of(fresh)
	for name, c := range map[string]struct {
		token string
		want  int // afterwards
	}{"old": {token, http.StatusUnauthorized}, "new": {fresh, http.StatusOK}} {
		login := both.login(c.token, "")
		cookie, _, _ := strings.Cut(login.header.Get("Set-Cookie"), ";")
		for what, header := range map[string][]string{"Bearer": {"Authorization", "Bearer " + c.token}, "a session": {"Cookie",
			cookie}} {
			if a := both.do(both.request("GET", "/admin/queues", "", header...)); a.status != http.StatusOK {
				t.Errorf("%s token by %s while both are set = %d, want 200", name, what, a.status)
			}
			after.clock.Forward(time.Minute)
			if a := after.do(after.request("GET", "/admin/queues", "", header...)); a.status != c.want {
				t.Errorf("%s token by %s afterwards = %d, want %d", name, what, a.status, c.want)
			}
		}
	}
	for _, wrong := range []string{token + " " + fresh, token + "\n" + fresh, ""} {
		both.clock.Forward(time.Minute)
		if a := both.do(both.request("GET", "/admin/queues", "", "Authorization", basic("x", wrong))); a.status != http.StatusUnauthorized {
			t.Errorf("GET with %q = %d, want 401", wrong, a.status)
		}
	}
}

func TestBrowsersGetTheLoginForm(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	const wanted = "/admin/queues/queues/webhook?status=retry"
	a := b.do(b.request("GET", wanted, "", "Accept", "text/html,*/*"))
	if got := a.header.Get("WWW-Authenticate"); a.status != http.StatusUnauthorized || got != "Bearer" {
		t.Errorf("GET as a browser = %d, WWW-Authenticate %q, want 401 and no dialog of the browser", a.status, got)
	}
	script := b.do(b.request("GET", "/admin/queues/api/queues", "", "Accept", "application/json", "Sec-Fetch-Mode", "cors"))
	if got := script.header.Get("WWW-Authenticate"); script.status != http.StatusUnauthorized || got != "Bearer" {
		t.Errorf("GET by a page's script = %d, WWW-Authenticate %q, want 401 and no dialog of the browser", script.status, got)
	}
	if !strings.Contains(a.body, `name="next" value="`+wanted+`"`) {
		t.Errorf("GET as a browser = %s, want the login form with next in it", a.body)
	}
}

func TestLoginOpensASession(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	a := b.login(token, "/admin/queues")
	cookie := a.header.Get("Set-Cookie")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/admin/queues" {
		t.Fatalf("POST login = %d to %q, want 303 to /admin/queues", a.status, a.header.Get("Location"))
	}
	for _, attribute := range []string{"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(cookie, attribute) {
			t.Errorf("Set-Cookie = %q, want %s", cookie, attribute)
		}
	}
	if strings.Contains(cookie, token) {
		t.Errorf("Set-Cookie = %q, want no token in it", cookie)
	}
	value, _, _ := strings.Cut(cookie, ";")
	for _, path := range guardedPaths() {
		if got := b.do(b.request("GET", path, "", "Cookie", value)); got.status != http.StatusOK {
			t.Errorf("GET %s with the cookie = %d, want 200", path, got.status)
		}
	}
	flipped := value[:len("leadgate_admin=")] + "B" + value[len("leadgate_admin=")+1:] // a later expiry, the old signature
	if got := b.do(b.request("GET", "/admin/queues", "", "Cookie", flipped)); got.status != http.StatusUnauthorized {
		t.Errorf("GET with a changed cookie = %d, want 401", got.status)
	}
	b.clock.Forward(12*time.Hour + time.Second)
	if got := b.do(b.request("GET", "/admin/queues", "", "Cookie", value)); got.status != http.StatusUnauthorized {
		t.Errorf("GET with an expired cookie = %d, want 401", got.status)
	}
}

// A cookie that was given over TLS is never sent without.
func TestCookieIsSecureOverTLS(t *testing.T) {
	t.Parallel()
	near, elsewhere := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		proto   string
		want    bool
	}{
		{"TLS at a trusted proxy", near, "https", true},
		{"TLS at the first of two proxies", near, "HTTPS, http", true},
		{"no TLS at a trusted proxy", near, "http", false},
		{"no proxy", near, "", false},
		{"another proxy", elsewhere, "https", false},
		{"no trusted proxy", nil, "https", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(d *admin.Deps) { d.Trusted = c.trusted })
			for path, form := range map[string]string{"/admin/login": "token=" + token, "/admin/logout": ""} {
				a := b.do(b.request("POST", path, form, "Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-Proto",
					c.proto))
				cookie := a.header.Get("Set-Cookie")
				if a.status != http.StatusSeeOther || strings.Contains(cookie, "; Secure") != c.want {
					t.Errorf("POST %s = %d, Set-Cookie %q, want Secure %v", path, a.status, cookie, c.want)
				}
			}
		})
	}
}

func (b *bundle) login(token, next string) answer {
	b.t.Helper()
	form := url.Values{"token": {token}, "next": {next}}.Encode()
	return b.do(b.request("POST", "/admin/login", form, "Content-Type", "application/x-www-form-urlencoded"))
}

func TestLogoutEndsTheBrowsersSession(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	status := func(res *http.Response, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := status(client.PostForm(b.url+"/admin/login", url.Values{"token": {token}})); got != http.StatusOK {
		t.Fatalf("login, redirect followed = %d, want 200", got)
	}
	status(client.PostForm(b.url+"/admin/logout", nil))
	if got := status(client.Get(b.url + "/admin/queues")); got != http.StatusUnauthorized {
		t.Errorf("GET after logout = %d, want 401", got)
	}
}

func TestLoginLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, next := range []string{"", "https://example.com/", "//example.com/admin/", `/\example.com/admin/`,
		"/admin/login", "/admin/logout", "javascript:alert(1)", "/elsewhere", "/adminx"} {
		t.Run(next, func(t *testing.T) {
			if a := b.login(token, next); a.header.Get("Location") != "/admin/" {
				t.Errorf("login with next=%q leads to %q, want /admin/", next, a.header.Get("Location"))
			}
		})
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for range 10 {
		if a := b.login("guess", ""); a.status != http.StatusUnauthorized {
			t.Fatalf("a wrong login = %d, want 401", a.status)
		}
	}
	for name, a := range map[string]answer{
		"login":  b.login(token, ""), // even the right token: else guessing would go on
		"basic":  b.do(b.request("GET", "/admin/queues", "", "Authorization", basic("x", "guess"))),
		"bearer": b.do(b.request("GET", "/admin/api/v1/workspaces", "", "Authorization", "Bearer guess")),
	} {
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "1" {
			t.Errorf("%s after ten wrong guesses = %d, Retry-After %q; want 429, 1", name, a.status, a.header.Get("Retry-After"))
		}
	}
	b.clock.Forward(time.Second)
	if a := b.login(token, ""); a.status != http.StatusSeeOther {
		t.Errorf("login a second later = %d, want 303", a.status)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	value, _, _ := strings.Cut(b.login(token, "").header.Get("Set-Cookie"), ";")
	for name, header := range map[string][]string{
		"fetch metadata": {"Sec-Fetch-Site", "cross-site"},
		"same site":      {"Sec-Fetch-Site", "same-site"},
		"origin":         {"Origin", "https://example.com"},
	} {
		for _, path := range []string{"/admin/api/v1/workspaces", "/admin/login", "/admin/queues/api/queues/webhook:pause"} {
			a := b.do(b.request("POST", path, `{"name":"x"}`, append(header, "Cookie", value, "Content-Type",
				"application/json")...))
			if a.status != http.StatusForbidden || !strings.Contains(a.body, `"code":"FORBIDDEN"`) {
				t.Errorf("POST %s by %s = %d %s, want 403", path, name, a.status, a.body)
			}
		}
	}
	a := b.do(b.request("POST", "/admin/api/v1/workspaces", `{"name":"x"}`, "Sec-Fetch-Site", "same-origin", "Cookie",
		value, "Content-Type", "application/json"))
	if a.status != http.StatusCreated {
		t.Errorf("POST from our own page = %d %s, want 201", a.status, a.body)
	}
}
