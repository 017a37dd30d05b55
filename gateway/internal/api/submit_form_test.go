package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

const site = "https://www.example.com"

// mustForm makes a publishable key and returns the path of its form.
func (b *bundle) mustForm(t *testing.T, c owner, f tenant.Form) string {
	t.Helper()
	text := tenant.NewText(tenant.PublishableKey, false)
	hash, _ := tenant.HashSecret(text)
	k := tenant.Key{WorkspaceID: c.workspace, ID: id.New(), Name: "form", Kind: tenant.PublishableKey, Public: text,
		Form: &f, CreatedAt: b.now()}
	if wrong := f.Check(); wrong != nil {
		t.Fatalf("form is wrong: %+v", wrong)
	}
	if err := b.db.CreateKey(t.Context(), k, hash); err != nil {
		t.Fatal(err)
	}
	return "/f/" + text
}

// submission is a request from a page of site; header pairs replace what it has.
func (b *bundle) submission(t *testing.T, method, path, contentType, body string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", site)
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		if req.Header.Del(header[i]); header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return req
}

const plainForm = "application/x-www-form-urlencoded"

// submit sends a plain form and does not follow where it leads.
func (b *bundle) submit(t *testing.T, path, body string, header ...string) answer {
	t.Helper()
	return b.do(t, b.submission(t, "POST", path, plainForm, body, header...))
}

// fetch sends a form as a script does.
func (b *bundle) fetch(t *testing.T, path, body string, header ...string) answer {
	t.Helper()
	return b.do(t, b.submission(t, "POST", path, "application/json", body, header...))
}

// setupForms is setup with a client that does not follow redirects.
func setupForms(t *testing.T, change ...func(*api.Deps)) *bundle {
	t.Helper()
	b := setup(t, change...)
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// mustLeads are the workspace's, oldest first.
func (b *bundle) mustLeads(t *testing.T, c owner) (all []lead.Lead) {
	t.Helper()
	var ids []id.UUID
	if err := b.db.SelectContext(t.Context(), &ids, "select id from leads where workspace_id = $1 order by created_at, id",
		c.workspace); err != nil {
		t.Fatal(err)
	}
	for _, u := range ids {
		l, err := b.db.GetLead(t.Context(), c.workspace, u)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

const received = `{"success":true,"data":{"received":true}}` + "\n"

func TestFormMakesALead(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, ChatbotID: id.Chatbot.Format(b.chatbot),
		Source: "landing"})
	got := b.submit(t, path, "first_name=Ada&last_name=Lovelace&email=ada%40example.com&tel=%2B1-555-0100&company=Engines",
		"Referer", site+"/contact?utm_source=ads&token=secret")
	if got.status != 200 || !strings.Contains(got.text, `<html lang="en">`) || !strings.Contains(got.text, `href="`+site+
		`/contact"`) || strings.Contains(got.text, "secret") {
		t.Errorf("answer = %d %s, want a page that thanks and leads back", got.status, got.text)
	}
	if csp := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") ||
		got.header.Get("Access-Control-Allow-Origin") != site || got.header.Get("Vary") != "Origin" {
		t.Errorf("headers = %v, want a policy and CORS", got.header)
	}
	all := b.mustLeads(t, b.owner)
	if len(all) != 1 {
		t.Fatalf("%d leads, want 1", len(all))
	}
	l := all[0]
	want := `Ada Lovelace ada@example.com +1-555-0100 landing new {"company":"Engines","utm_source":"ads","page_url":"` +
		site + `/contact"}`
	if s := fmt.Sprint(l.Name, " ", l.Email, " ", l.Phone, " ", l.Source, " ", l.Status, " ",
		string(l.Metadata)); s != want || l.ChatbotID != b.chatbot {
		t.Errorf("lead = %s of %v, want %s of the form's chatbot", s, l.ChatbotID, want)
	}
	if got := b.fetch(t, path, `{"email":"bob@example.com"}`); got.status != 200 || got.text != received {
		t.Errorf("fetch = %d %s, want %s", got.status, got.text, received)
	}
}

func TestFormGoesOn(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, RedirectURL: "https://elsewhere.example.com/done"})
	for next, want := range map[string]string{"": "https://elsewhere.example.com/done", "/thanks": site + "/thanks",
		site + "/x?y": site + "/x?y"} {
		t.Run(next, func(t *testing.T) {
			got := b.submit(t, path, "email=a@example.com&_next="+url.QueryEscape(next))
			if got.status != 303 || got.header.Get("Location") != want || got.text != "" {
				t.Errorf("_next %q: %d to %q, want 303 to %q", next, got.status, got.header.Get("Location"), want)
			}
		})
	}
	// A wrong _next costs the redirect and not the lead, which has the reason.
	got := b.submit(t, path, "email=b@example.com&_next=https://evil.example.com/")
	if all := b.mustLeads(t, b.owner); got.status != 200 || !strings.Contains(got.text, "Thank you") || len(all) != 2 ||
		!strings.Contains(string(all[0].Metadata)+string(all[1].Metadata), `{"_warnings":[{"field":"_next"`) {
		t.Errorf("_next elsewhere: %d %s, leads %+v, want thanks and a lead with a warning", got.status, got.text, all)
	}
}

func (b *bundle) mustSuppress(t *testing.T, c owner, email string) {
	t.Helper()
	b.db.MustExecContext(t.Context(),
		"insert into suppressions (workspace_id, email_hash, created_at) values ($1, $2, now())", c.workspace,
		lead.SuppressionHash(c.workspace, email))
}

// What a visitor can see says nothing about whose emails a workspace has.
func TestFormAnswersDuplicatesAsNewOnes(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	c := b.mustWorkspace(t, tenant.Settings{})
	b.mustSuppress(t, c, "gone@example.com")
	for _, f := range []tenant.Form{{Origins: []string{site}}, {Origins: []string{site},
		OnDuplicate: tenant.UpdateDuplicate}, {Origins: []string{site}, RedirectURL: site}} {
		path, n := b.mustForm(t, c, f), len(b.mustLeads(t, c))
		email := fmt.Sprintf("new%d@example.com", n)
		bodies := [][2]string{
			{"new", "email=" + email}, {"again", "name=Again&email=" + strings.ToUpper(email)}, {"large", "email=" + email +
				"&big=" + strings.Repeat("x", 30<<10)},
			{"too large once merged", "email=" + email + "&bigger=" + strings.Repeat("x", 30<<10)}, {"suppressed",
				"email=gone@example.com"}, {"robot", "email=robot@example.com&_gotcha=https://pills.example.net/"},
		}
		var want string
		for _, body := range bodies {
			got := b.submit(t, path, body[1])
			for _, own := range []string{"X-Request-Id", "Date"} {
				got.header.Del(own)
			}
			said := fmt.Sprint(got.status, got.header, got.text)
			if want == "" {
				want = said
			}
			if diff := cmp.Diff(want, said); diff != "" || got.status > 303 {
				t.Errorf("%+v: %s (-new +%s):\n%s", f, body[0], body[0], diff)
			}
		}
		if got := len(b.mustLeads(t, c)) - n; got != 1 {
			t.Errorf("%d leads, want 1", got)
		}
	}
}

func TestFormUpdates(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	b.send(t, b.secret, "POST", "/api/v1/leads",
		`{"email":"ada@example.com","name":"Ada","phone":"+1-555-0100","source":"fair","status":"qualified","metadata":{"a":1,"b":2}}`)
	ignoring := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.IgnoreDuplicate})
	updating := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.UpdateDuplicate})
	const body = `{"email":"ada@example.com","name":"Ada Lovelace","phone":"","b":3,"c":4}`
	for path, want := range map[string]string{ignoring: `Ada +1-555-0100 fair qualified {"a":1,"b":2}`} {
		b.fetch(t, path, body)
		l := b.mustLeads(t, b.owner)[0]
		if got := fmt.Sprint(l.Name, " ", l.Phone, " ", l.Source, " ", l.Status, " ", string(l.Metadata)); got != want {
			t.Errorf("ignored: lead = %s, want %s", got, want)
		}
	}
	if got := b.fetch(t, updating, body); got.text != received {
		t.Errorf("answer = %d %s, want %s", got.status, got.text, received)
	}
	l := b.mustLeads(t, b.owner)[0]
	var metadata map[string]int
	if err := json.Unmarshal(l.Metadata, &metadata); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(l.Name, " ", l.Phone, " ", l.Source, " ", l.Status, " ",
		metadata); got != "Ada Lovelace +1-555-0100 fair qualified map[a:1 b:3 c:4]" {
		t.Errorf("updated: lead = %s, want name and metadata as sent and the rest as it was", got)
	}
}

func TestFormRefusesOtherPages(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path, nobody := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}}), b.mustForm(t, b.owner, tenant.Form{})
	for what, tc := range map[string]struct{ path, origin string }{
		"another site": {path, "https://evil.example.com"}, "a file": {path, "null"}, "no page": {path, ""},
		"a form without sites": {nobody, site},
	} {
		t.Run(what, func(t *testing.T) {
			got := b.fetch(t, tc.path, `{"email":"a@example.com"}`, "Origin", tc.origin)
			got.wantError(t, what, 403, "FORBIDDEN")
			if got.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(got.body.Error, "allowedOrigins") {
				t.Errorf("%s: headers %v, %s, want it readable, and the place to allow it", what, got.header, got.text)
			}
			page := b.submit(t, tc.path, "email=a@example.com", "Origin", tc.origin)
			if page.status != 403 || !strings.Contains(page.text, "form.origins") ||
				!strings.Contains(page.text, "email: a@example.com") ||
				!strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
				t.Errorf("%s, plain: %d %s, want a page", what, page.status, page.text)
			}
		})
	}
	if n := len(b.mustLeads(t, b.owner)); n > 0 {
		t.Errorf("%d leads, want none", n)
	}
	// The workspace's list counts where the form has none.
	c := b.mustWorkspace(t, tenant.Settings{AllowedOrigins: []string{site}})
	if got := b.fetch(t, b.mustForm(t, c, tenant.Form{}), `{"email":"a@example.com"}`); got.text != received {
		t.Errorf("with the workspace's origins: %d %s, want it taken", got.status, got.text)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	ask := func(path, origin string) answer {
		return b.do(t, b.submission(t, "OPTIONS", path, "", "", "Origin", origin, "Content-Type", "",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"))
	}
	got := ask(path, site)
	want := map[string]string{"Access-Control-Allow-Origin": site, "Vary": "Origin",
		"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type",
		"Access-Control-Max-Age": "600", "Access-Control-Allow-Credentials": ""}
	for name, value := range want {
		if got.status != 204 || got.header.Get(name) != value {
			t.Errorf("preflight = %d, %s: %q, want 204 and %q", got.status, name, got.header.Get(name), value)
		}
	}
	asked := b.do(t, b.submission(t, "OPTIONS", path, "", "", "Content-Type", "", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "content-type, hx-request,x-requested-with,bad name"))
	if got := asked.header.Get("Access-Control-Allow-Headers"); got != "Content-Type, hx-request, x-requested-with" {
		t.Errorf("allowed headers = %q, want those that were asked for", got)
	}
	asked = b.do(t, b.submission(t, "OPTIONS", path, "", "", "Content-Type", "", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", strings.Repeat("x-a,", 500)))
	if got := asked.header.Get("Access-Control-Allow-Headers"); got != "Content-Type" {
		t.Errorf("allowed headers = %.80q, want no more than is reasonable", got)
	}
	if got := ask(path, "https://evil.example.com"); got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("preflight of another site = %d %v, want that it may read the refusal", got.status, got.header)
	}
	ask("/f/"+tenant.NewText(tenant.PublishableKey, false), site).wantError(t, "preflight of no form", 404, "NOT_FOUND")
}

// A key that is not a form's is nobody's: also a secret key, which somebody put into a page by mistake, and which no
// log may then hold.
func TestNoForm(t *testing.T) {
	t.Parallel()
	var logged lockedBuffer
	b := setupForms(t, func(d *api.Deps) {
		d.Edge = httpx.New(httpx.Deps{Log: slog.New(slog.NewTextHandler(&logged, nil)), AccessLog: true, Listener: "api"})
	})
	good := b.mustForm(t, b.owner, tenant.Form{Origins: []string{"*"}})
	for what, path := range map[string]string{"a secret key": "/f/" + b.secret, "an unknown key": "/f/" +
		tenant.NewText(tenant.PublishableKey, false), "a mistyped key": good[:len(good)-1] + "_", "nothing": "/f/%00"} {
		t.Run(what, func(t *testing.T) {
			got := b.fetch(t, path, `{"email":"a@example.com"}`)
			got.wantError(t, what, 404, "NOT_FOUND")
			if got.header.Get("Access-Control-Allow-Origin") != "*" || strings.Contains(got.text, "sk-") {
				t.Errorf("%s: %v %s, want what every page can read, and no key told back", what, got.header, got.text)
			}
		})
	}
	if text := logged.String(); strings.Contains(text, b.secret) || strings.Contains(text, "sk-") ||
		!strings.Contains(text, "route=/f/{formKey}") {
		t.Errorf("the log is %s, want the route and no key", text)
	}
	b.send(t, good[len("/f/"):], "GET", "/api/v1/leads", "").wantError(t, "a publishable key at the API", 403, "FORBIDDEN")
	gone := b.mustForm(t, b.owner, tenant.Form{Origins: []string{"*"}, ChatbotID: id.Chatbot.Format(id.New())})
	b.fetch(t, gone, `{"email":"a@example.com"}`).wantError(t, "a chatbot that is gone", 404, "NOT_FOUND")
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestProbingIsLimited(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	for range 60 {
		b.fetch(t, "/f/"+tenant.NewText(tenant.PublishableKey, false), "{}").wantError(t, "a guess", 404, "NOT_FOUND")
	}
	got := b.fetch(t, "/f/pk-workspace_x", "{}")
	for range 300 { // one a second is allowed again, and the guesses may have taken a while
		if got.status == 429 {
			break
		}
		got = b.fetch(t, "/f/pk-workspace_x", "{}")
	}
	got.wantError(t, "one guess too many", 429, "RATE_LIMITED")
	if got.header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("headers = %v, want what every page can read", got.header)
	}
}

func TestFormMistakes(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, PerMinuteIP: 1000})
	got := b.submit(t, path, "email=<script>&name="+strings.Repeat("x", 201)+"&_next=/ok")
	if got.status != 400 || !strings.Contains(got.text, "<b><bdi>email</bdi></b>: Please enter a complete email address") ||
		strings.Contains(got.text, "script") {
		t.Errorf("plain = %d %s, want a page with the mistake and nothing of what was typed", got.status, got.text)
	}
	got = b.submit(t, path, "contact_via=secret&nombre=secret")
	if got.status != 400 || !strings.Contains(got.text, "<li>Please enter your email address.</li>") ||
		strings.Contains(got.text, "contact_via") || strings.Contains(got.text, "secret") {
		t.Errorf("plain = %d %s, want a page for the visitor", got.status, got.text)
	}
	got = b.fetch(t, path, `{"contact_via":"secret","nombre":"secret"}`)
	if !strings.HasPrefix(got.body.Details.Message, "Is missing. The form has contact_via, nombre") ||
		strings.Contains(got.text, "secret") {
		t.Errorf("fetch = %s, want the names of the fields that came, for whoever sets the form up", got.text)
	}
	got = b.fetch(t, path, `{"email":"x"}`)
	got.wantError(t, "fetch", 400, "VALIDATION_ERROR")
	if got.body.Details.Field != "email" || got.header.Get("Access-Control-Allow-Origin") != site {
		t.Errorf("fetch = %s, headers %v, want the field, readable to the page", got.text, got.header)
	}
	b.fetch(t, path, "email", "Content-Type", "text/plain", "Accept", "application/json").wantError(t, "text/plain", 415,
		"UNSUPPORTED_MEDIA_TYPE")
	b.fetch(t, path, "{}", "Content-Encoding", "gzip").wantError(t, "gzip", 415, "UNSUPPORTED_MEDIA_TYPE")
	b.fetch(t, path, strings.Repeat(" ", form.MaxBody+1)).wantError(t, "too large", 413, "PAYLOAD_TOO_LARGE")
	if n := len(b.mustLeads(t, b.owner)); n > 0 {
		t.Errorf("%d leads, want none", n)
	}
}

// A body that comes byte by byte holds a connection no longer than the server's limit.
func TestSlowForm(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\nemail=",
		path, site, plainForm)
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 408 {
		t.Fatalf("answer = %+v, %v, want 408", res, err)
	}
	res.Body.Close()
}

func TestFormWithoutPostgres(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	if got := b.submit(t, path, "email=a@example.com"); got.status != 200 {
		t.Fatalf("answer = %d %s", got.status, got.text)
	}
	b.db.Close()
	got := b.submit(t, path, "email=b@example.com")
	if got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.text,
		"Not available at the moment") || !strings.Contains(got.text, got.header.Get("X-Request-Id")) {
		t.Errorf("without Postgres: %d %s, want 503 and a page", got.status, got.text)
	}
}

// An update that finds its lead deleted makes a new one.
func TestFormUpdateOfADeletedLead(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.UpdateDuplicate})
	made := b.mustCreate(t, b.owner, "a@example.com")
	u, err := id.Lead.Parse(made)
	if err != nil {
		t.Fatal(err)
	}
	// Redis is not told
	if _, err := b.db.DeleteLead(t.Context(), b.workspace, u, func(*lead.Lead) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := b.fetch(t, path, `{"email":"a@example.com"}`); got.text != received {
		t.Fatalf("answer = %d %s", got.status, got.text)
	}
	var live int
	if err := b.db.GetContext(t.Context(), &live,
		"select count(*) from leads where workspace_id = $1 and deleted_at is null", b.workspace); err != nil || live != 1 {
		t.Errorf("%d live leads, %v, want 1", live, err)
	}
}
