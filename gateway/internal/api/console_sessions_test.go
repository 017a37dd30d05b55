package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// consoleSession is a session as its maker sees it.
type consoleSession struct {
	ID, Name, URL, WorkspaceID string
	KeyID                      *string
	Scopes, FrameOrigins       []string
	Brand                      struct{ Name, LogoURL, Accent string }
	ExpiresAt, LinkExpiresAt   string
	OpenedAt, EndedAt          *string
}

func (b *bundle) mustMakeLink(t *testing.T, secret, body string) (s consoleSession, link string) {
	t.Helper()
	got := b.send(t, secret, "POST", "/api/v1/console-sessions", body)
	if got.status != http.StatusCreated {
		t.Fatalf("POST console-sessions %s = %d %s, want 201", body, got.status, got.text)
	}
	got.data(t, &s)
	link, ok := strings.CutPrefix(s.URL, b.url+"/console/open#")
	if !ok {
		t.Fatalf("url = %q, want the link in the fragment of %s/console/open", s.URL, b.url)
	}
	return s, link
}

func (b *bundle) tenants() tenants.Service { return tenants.Service{DB: b.db, Now: b.now} }

func (b *bundle) mustSignIn(t *testing.T, link string) (secret string) {
	t.Helper()
	secret, _, err := b.tenants().OpenSessionLink(t.Context(), link)
	if err != nil {
		t.Fatalf("OpenSessionLink = %v", err)
	}
	return secret
}

func TestConsoleSessionsAreMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made, link := b.mustMakeLink(t, b.secret, `{"name":" Ada ","scopes":["leads:read"],"expiresInSeconds":7200,
		"linkExpiresInSeconds":60,"frameOrigins":["https://app.example.com"],
		"brand":{"name":"Acme","logoUrl":"https://app.example.com/logo.svg","accent":"#0A7CFF"}}`)
	until := func(d time.Duration) string { return b.now().Add(d).UTC().Format(time.RFC3339)[:16] }
	if made.Name != "Ada" || *made.KeyID != id.Key.Format(b.key) || !slices.Equal(made.Scopes, []string{"leads:read"}) ||
		!slices.Equal(made.FrameOrigins, []string{"https://app.example.com"}) || made.Brand.Accent != "#0a7cff" ||
		made.Brand.Name != "Acme" || made.Brand.LogoURL != "https://app.example.com/logo.svg" ||
		made.ExpiresAt[:16] < until(119*time.Minute) || made.ExpiresAt[:16] > until(2*time.Hour) ||
		made.LinkExpiresAt[:16] > until(time.Minute) || made.OpenedAt != nil {
		t.Errorf("POST console-sessions = %+v, want what was asked for", made)
	}
	list := b.send(t, b.secret, "GET", "/api/v1/console-sessions", "")
	if strings.Contains(list.text, "cl_") || strings.Contains(list.text, "url") || !strings.Contains(list.text, made.ID) {
		t.Errorf("GET console-sessions = %s, want the session without its link", list.text)
	}
	plain, _ := b.mustMakeLink(t, b.secret, `{}`)
	if plain.Name != "" || len(plain.Scopes) != 3 || len(plain.FrameOrigins) != 0 {
		t.Errorf("POST console-sessions {} = %+v, want the defaults", plain)
	}
	secret := b.mustSignIn(t, link)
	for what, text := range map[string]string{"a session": secret, "a link": link} {
		b.send(t, text, "GET", "/api/v1/workspace", "").wantError(t, what+" as an API key", 401, "UNAUTHORIZED")
	}
	if got := b.send(t, b.secret, "DELETE", "/api/v1/console-sessions/"+made.ID, ""); got.status != 204 {
		t.Errorf("DELETE console-session = %d %s, want 204", got.status, got.text)
	}
	ended := b.send(t, b.secret, "DELETE", "/api/v1/console-sessions", "")
	if ended.status != 200 || !strings.Contains(ended.text, `"ended":1`) {
		t.Errorf("DELETE console-sessions = %d %s, want the other one ended", ended.status, ended.text)
	}
	audit := b.send(t, b.secret, "GET", "/api/v1/audit", "").text
	for _, action := range []string{tenant.SessionCreated, tenant.SessionOpened, tenant.SessionEnded} {
		if !strings.Contains(audit, action) {
			t.Errorf("the audit lacks %s: %s", action, audit)
		}
	}
	if strings.Contains(audit, "Ada") || strings.Contains(audit, "cl_") || strings.Contains(audit, "cs_") {
		t.Errorf("the audit has a name or a secret: %s", audit)
	}
}

func TestConsoleSessionsAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, field := range map[string]string{
		`{"scopes":[]}`:                                              "scopes",
		`{"scopes":["leads:rule"]}`:                                  "scopes",
		`{"expiresInSeconds":59}`:                                    "expiresInSeconds",
		`{"expiresInSeconds":43201}`:                                 "expiresInSeconds",
		`{"linkExpiresInSeconds":9}`:                                 "linkExpiresInSeconds",
		`{"linkExpiresInSeconds":3601}`:                              "linkExpiresInSeconds",
		`{"frameOrigins":["*"]}`:                                     "frameOrigins",
		`{"frameOrigins":["app.example"]}`:                           "frameOrigins",
		`{"frameOrigins":["https://app.example.com; script-src *"]}`: "frameOrigins",
		`{"frameOrigins":["https://app.example.com/"]}`:              "frameOrigins",
		`{"frameOrigins":["https://a.example.com"` + strings.Repeat(`,"x"`, 10) + `]}`:      "frameOrigins",
		`{"brand":{"logoUrl":"http://app.example.com/logo.svg"}}`:                           "brand.logoUrl",
		`{"brand":{"logoUrl":"javascript:alert(1)"}}`:                                       "brand.logoUrl",
		`{"brand":{"accent":"red"}}`:                                                        "brand.accent",
		`{"brand":{"accent":"#fff"}}`:                                                       "brand.accent",
		`{"brand":{"name":"` + strings.Repeat("x", 101) + `"}}`:                             "brand.name",
		`{"brand":{"colour":"#000000"}}`:                                                    "brand.colour",
		`{"name":"` + strings.Repeat("x", 101) + `"}`:                                       "name",
		`{"name":"a\u0007"}`:                                                                "name",
		`{"workspaceId":"ws_01jhn3m1c4d6f8h0k2n4q6s8v0"}`:                                   "workspaceId",
		`{"brand":{"logoUrl":"https://user:pw@app.example.com/logo.svg","accent":"#0000"}}`: "brand.logoUrl",
	} {
		got := b.send(t, b.secret, "POST", "/api/v1/console-sessions", body)
		got.wantError(t, body, 400, "VALIDATION_ERROR")
		if !slices.ContainsFunc(got.body.Details.Errors, func(e struct{ Field, Pointer, Message string }) bool {
			return e.Field == field
		}) && got.body.Details.Field != field {
			t.Errorf("%s = %s, want %s refused", body, got.text, field)
		}
	}
}

// Whoever manages keys gets no further than its own scopes, and puts nobody out who is set above it.
func TestConsoleSessionsCannotGrowPower(t *testing.T) {
	t.Parallel()
	b := setup(t)
	weak := b.mustMakeKey(t, b.secret, `{"name":"weak","scopes":["keys:manage","leads:read"]}`)
	strong, link := b.mustMakeLink(t, b.secret, `{"scopes":["leads:read","leads:write"]}`)
	for what, body := range map[string]string{"a scope it lacks": `{"scopes":["leads:write"]}`, "the default scopes": `{}`} {
		b.send(t, weak.Secret, "POST", "/api/v1/console-sessions", body).wantError(t, what, 403, "FORBIDDEN")
	}
	b.send(t, weak.Secret, "DELETE", "/api/v1/console-sessions/"+strong.ID, "").wantError(t, "ending a stronger session", 403,
		"FORBIDDEN")
	own, ownLink := b.mustMakeLink(t, weak.Secret, `{"scopes":["leads:read"]}`)
	if got := b.send(t, weak.Secret, "DELETE", "/api/v1/console-sessions", ""); !strings.Contains(got.text, `"ended":1`) {
		t.Errorf("DELETE console-sessions by a weak key = %d %s, want its like ended", got.status, got.text)
	}
	if _, _, err := b.tenants().OpenSessionLink(t.Context(), ownLink); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("the link of %s, which was ended = %v, want UNAUTHORIZED", own.ID, err)
	}
	b.mustSignIn(t, link)
	reader := b.mustMakeKey(t, b.secret, `{"name":"reader","scopes":["leads:read"]}`)
	b.send(t, reader.Secret, "POST", "/api/v1/console-sessions", `{"scopes":["leads:read"]}`).wantError(t,
		"a key without keys:manage", 403, "FORBIDDEN")
}

// The console asks in its own process, as its session; whatever comes over the network says only what its key says.
func TestContextSaysWhoAsks(t *testing.T) {
	t.Parallel()
	var handler http.Handler
	var au *auth.Auth
	b := setup(t, func(d *api.Deps) { au, handler = d.Auth, api.New(*d) })
	made, link := b.mustMakeLink(t, b.secret, `{"scopes":["leads:read","keys:manage"]}`)
	p, _, err := au.Session(t.Context(), b.mustSignIn(t, link), admitAll)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(auth.WithPrincipal(t.Context(), p), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer of nothing")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	if got := ask("GET", "/api/v1/workspace", ""); got.Code != 200 || !strings.Contains(got.Body.String(),
		id.Workspace.Format(b.workspace)) {
		t.Errorf("GET workspace in the session = %d %s, want the workspace", got.Code, got.Body)
	}
	if got := ask("PATCH", "/api/v1/workspace", `{"name":"x"}`); got.Code != 403 {
		t.Errorf("PATCH workspace in the session = %d %s, want FORBIDDEN", got.Code, got.Body)
	}
	if got := ask("POST", "/api/v1/keys", `{"name":"lasting","scopes":["leads:read"]}`); got.Code != 201 ||
		!strings.Contains(got.Body.String(), `"expiresAt":null`) {
		t.Errorf("POST keys in the session = %d %s, want a key that outlives it", got.Code, got.Body)
	}
	audit := b.send(t, b.secret, "GET", "/api/v1/audit?limit=1", "").text
	if !strings.Contains(audit, `"consoleSession":"`+made.ID+`"`) || !strings.Contains(audit, *made.KeyID) {
		t.Errorf("audit = %s, want the key and the session that did it", audit)
	}
}

func admitAll() error { return nil }
