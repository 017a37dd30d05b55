package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/form"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// forms replaces the API's forms by ones with other Deps.
func forms(registry *prometheus.Registry, change func(*form.Deps)) func(*api.Deps) {
	return func(d *api.Deps) {
		fd := d.Forms.Deps
		fd.Registry = registry
		change(&fd)
		d.Forms = form.New(fd)
	}
}

func TestFormLimits(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	b := setupForms(t, forms(registry, func(d *form.Deps) { d.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }))
	limits := func(what string) {
		t.Helper()
		path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, PerMinute: 3, PerMinuteIP: 2})
		send := func(client string, header ...string) answer {
			return b.submit(t, path, "email="+url.QueryEscape(id.New().String()+"@example.com"), append(header, "X-Forwarded-For", client)...)
		}
		for i := range 2 {
			if got := send("192.0.2.1"); got.status != 200 {
				t.Fatalf("%s: submission %d = %d %s", what, i, got.status, got.text)
			}
		}
		got := send("192.0.2.1, 127.0.0.9")
		if got.status != 429 || got.header.Get("Retry-After") == "" || !strings.Contains(got.text, "<h1>") || got.header.Get("Access-Control-Allow-Origin") != site {
			t.Errorf("%s: the third of an address = %d %v %s, want 429 and a page", what, got.status, got.header, got.text)
		}
		if got := send("192.0.2.2"); got.status != 200 {
			t.Errorf("%s: another address = %d, want 200", what, got.status)
		}
		send("192.0.2.3", "Accept", "application/json").wantError(t, what+": the fourth of the form", 429, "RATE_LIMITED")
		if other := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}}); b.fetch(t, other, `{"email":"a@example.com"}`).status != 200 {
			t.Errorf("%s: another form is limited too", what)
		}
	}
	limits("with Redis")
	b.redis.Close()
	limits("without Redis")
	if got := counted(t, registry, "limited"); got != 4 {
		t.Errorf("limited = %v, want 4", got)
	}
	c := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 1, AllowedOrigins: []string{site}})
	path, status := b.mustForm(t, c, tenant.Form{}), 0
	for range 10 { // one a second is allowed
		if status = b.fetch(t, path, `{"email":"`+id.New().String()+`@example.com"}`).status; status == 429 {
			break
		}
	}
	if status != 429 {
		t.Errorf("beyond the workspace's limit = %d, want 429", status)
	}
}

// counted is how many submissions came to outcome.
func counted(t *testing.T, registry *prometheus.Registry, outcome string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "leadgate_form_submissions_total" && m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestRobotsLeaveNothing(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	b := setupForms(t, forms(registry, func(*form.Deps) {}))
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, MinFillMS: 2000})
	for _, body := range []string{`{"email":"a@example.com","_gotcha":"x"}`, `{"email":"a@example.com","_elapsed":1999}`, `{"email":"not one","_elapsed":"5"}`} {
		if got := b.fetch(t, path, body); got.text != received || got.status != 200 {
			t.Errorf("%s = %d %s, want %s", body, got.status, got.text, received)
		}
	}
	if n := len(b.mustLeads(t, b.owner)); n > 0 || counted(t, registry, "robot") != 3 {
		t.Errorf("%d leads and %v robots, want none and 3", n, counted(t, registry, "robot"))
	}
	b.fetch(t, path, `{"email":"a@example.com","_elapsed":2000}`)
	b.fetch(t, path, `{"email":"b@example.com"}`)
	if n := len(b.mustLeads(t, b.owner)); n != 2 || counted(t, registry, "stored") != 2 {
		t.Errorf("%d leads of people, want 2", n)
	}
}

// verifier is a captcha's: it takes the token "good" once with the secret "s".
type verifier struct {
	*httptest.Server
	status atomic.Int64
	mu     sync.Mutex
	asked  []url.Values
}

func newVerifier(t *testing.T) *verifier {
	v := &verifier{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := v.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		_ = r.ParseForm()
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked = append(v.asked, r.PostForm)
		switch {
		case r.PostForm.Get("secret") != "s":
			io.WriteString(w, `{"success":false,"error-codes":["invalid-input-secret"]}`)
		case r.PostForm.Get("response") != "good":
			io.WriteString(w, `{"success":false,"error-codes":["invalid-input-response"]}`)
		default:
			io.WriteString(w, `{"success":true,"hostname":"www.example.com"}`)
		}
	}))
	t.Cleanup(v.Close)
	return v
}

func TestCaptcha(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	b := setupForms(t, forms(prometheus.NewRegistry(), func(d *form.Deps) { d.CaptchaURL = v.URL }))
	f := tenant.Form{Origins: []string{site}, Captcha: tenant.Turnstile, CaptchaSecret: "s"}
	path := b.mustForm(t, b.owner, f)
	for what, body := range map[string]string{"no token": `{"email":"a@example.com"}`, "a bad token": `{"email":"a@example.com","cf-turnstile-response":"bad"}`, "another's token": `{"email":"a@example.com","h-captcha-response":"good"}`} {
		got := b.fetch(t, path, body)
		got.wantError(t, what, 400, "VALIDATION_ERROR")
		if got.body.Details.Field != "cf-turnstile-response" {
			t.Errorf("%s = %s, want the token named", what, got.text)
		}
	}
	f.CaptchaSecret = "unknown"
	b.fetch(t, b.mustForm(t, b.owner, f), `{"email":"a@example.com","cf-turnstile-response":"good"}`).wantError(t, "a wrong secret", 400, "VALIDATION_ERROR")
	asked := len(v.asked)
	b.fetch(t, path, `{"email":"x","cf-turnstile-response":"good"}`).wantError(t, "a mistake", 400, "VALIDATION_ERROR")
	if len(v.asked) != asked {
		t.Error("the token of a form with a mistake was used up")
	}
	if got := b.fetch(t, path, `{"email":"a@example.com","cf-turnstile-response":"good"}`); got.text != received {
		t.Fatalf("a good token = %d %s, want it taken", got.status, got.text)
	}
	last := v.asked[len(v.asked)-1]
	if last.Get("remoteip") != "127.0.0.1" || last.Get("secret") != "s" || len(last) != 3 {
		t.Errorf("the verifier is asked %v, want secret, response and remoteip", last)
	}
	if got := b.mustLeads(t, b.owner); len(got) != 1 || string(got[0].Metadata) != "{}" {
		t.Fatalf("leads = %+v, want one without a token", got)
	}

	for _, status := range []int64{500, 429, 200} { // 200 without an answer
		v.status.Store(status)
		email := fmt.Sprintf("away%d@example.com", status)
		if got := b.fetch(t, path, `{"email":"`+email+`","cf-turnstile-response":"good"}`); got.text != received {
			t.Errorf("with the verifier away: %d %s, want it taken", got.status, got.text)
		}
		all := b.mustLeads(t, b.owner)
		if l := all[len(all)-1]; l.Email != email || string(l.Metadata) != `{"captcha":"unverified"}` {
			t.Errorf("lead = %s %s, want it marked", l.Email, l.Metadata)
		}
	}
	f.CaptchaSecret, f.CaptchaOutage = "s", tenant.RefuseOutage
	got := b.fetch(t, b.mustForm(t, b.owner, f), `{"email":"c@example.com","cf-turnstile-response":"good"}`)
	got.wantError(t, "with the verifier away, a strict form", 503, "UNAVAILABLE")
	if got.header.Get("Retry-After") == "" || strings.Contains(got.text, "good") {
		t.Errorf("answer = %v %s, want Retry-After", got.header, got.text)
	}
}
