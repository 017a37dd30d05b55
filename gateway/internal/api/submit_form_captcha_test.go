package api_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/form"
	"leadgate/shared/tenant"
)

// verifier is a captcha's: it takes the token "good" once with the secret "s".
type verifier struct {
	*httptest.Server
	status atomic.Int64
	text   atomic.Value // string: its answer to everything
	mu     sync.Mutex
	asked  []url.Values
}

func newVerifier(t *testing.T) *verifier {
	v := &verifier{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := v.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			io.WriteString(w, "<html>")
			return
		}
		if text, _ := v.text.Load().(string); text != "" {
			status, body, _ := strings.Cut(text, " ")
			n, _ := strconv.Atoi(status)
			w.WriteHeader(n)
			io.WriteString(w, body)
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
	for what, body := range map[string]string{"no token": `{"email":"a@example.com"}`,
		"a bad token":     `{"email":"a@example.com","cf-turnstile-response":"bad"}`,
		"another's token": `{"email":"a@example.com","h-captcha-response":"good"}`} {
		t.Run(what, func(t *testing.T) {
			got := b.fetch(t, path, body)
			got.wantError(t, what, 400, "VALIDATION_ERROR")
			if got.body.Details.Field != "cf-turnstile-response" {
				t.Errorf("%s = %s, want the token named", what, got.text)
			}
		})
	}
	f.CaptchaSecret = "unknown"
	b.fetch(t, b.mustForm(t, b.owner, f), `{"email":"a@example.com","cf-turnstile-response":"good"}`).wantError(t,
		"a wrong secret", 503, "UNAVAILABLE")
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

	for _, status := range []int64{500, 503, 200} { // 200 without an answer
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

// Only a verifier that is away opens a form that accepts an outage: not a wrong setting, and not what visitors bring
// about.
func TestCaptchaFailsClosed(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	var logged lockedBuffer
	b := setupForms(t, forms(prometheus.NewRegistry(), func(d *form.Deps) {
		d.CaptchaURL, d.Log = v.URL, slog.New(slog.NewTextHandler(&logged, nil))
	}))
	low := 0.2
	strict := tenant.Form{Origins: []string{site, "http://localhost:3000"}, Captcha: tenant.ReCaptcha, CaptchaSecret: "s"}
	lenient, anywhere, turnstile := strict, strict, strict
	lenient.CaptchaMinScore, anywhere.Origins, turnstile.Captcha = &low, []string{"*"}, tenant.Turnstile
	paths := map[string]string{"strict": b.mustForm(t, b.owner, strict), "lenient": b.mustForm(t, b.owner, lenient),
		"anywhere": b.mustForm(t, b.owner, anywhere), "turnstile": b.mustForm(t, b.owner, turnstile)}
	for i, c := range []struct {
		path, says string
		want       int
	}{
		{"strict", "400 <html>", 503}, {"strict", "429 slow down", 503}, {"strict", `403 {"success":false}`, 503},
		{"strict", `400 {"success":false,"error-codes":["invalid-input-secret"]}`, 503},
		{"strict", `200 {"success":false,"error-codes":["missing-input-secret"]}`, 503},
		{"strict", `400 {"success":false,"error-codes":["invalid-input-response"]}`, 400},
		{"strict", `200 {"success":false,"error-codes":["timeout-or-duplicate"]}`, 400},
		{"strict", `200 {"success":false,"error-codes":["internal-error"]}`, 200}, {"strict", "502 <html>", 200},
		{"strict", `200 {"success":true,"score":0.5,"hostname":"www.example.com"}`, 200},
		{"strict", `200 {"success":true,"score":0.4,"hostname":"www.example.com"}`, 400},
		{"lenient", `200 {"success":true,"score":0.2}`, 200}, {"lenient", `200 {"success":true,"score":0.1}`, 400},
		{"turnstile", `200 {"success":true,"score":0.1}`, 200}, // with others a score means something else
		{"strict", `200 {"success":true,"hostname":"localhost"}`, 200},
		{"strict", `200 {"success":true,"hostname":"WWW.example.com"}`, 200},
		{"strict", `200 {"success":true,"hostname":"evil.example.com"}`, 400},
		{"anywhere", `200 {"success":true,"hostname":"evil.example.com"}`, 200},
	} {
		t.Run(c.path+" "+c.says, func(t *testing.T) {
			v.text.Store(c.says)
			got := b.fetch(t, paths[c.path],
				fmt.Sprintf(`{"email":"a%d@example.com","g-recaptcha-response":"t","cf-turnstile-response":"t"}`, i))
			if got.status != c.want || (got.status == 503) != (got.header.Get("Retry-After") != "") {
				t.Errorf("%s form, the verifier says %s: %d %s, want %d", c.path, c.says, got.status, got.text, c.want)
			}
		})
	}
	if n := strings.Count(logged.String(), "captcha misconfigured"); n != 1 {
		t.Errorf("the log tells %d times of the wrong setting within a minute, want once:\n%s", n, logged.String())
	}
}

// Who comes while many are verified waits. A crowd at one workspace's form neither gets in unverified nor keeps others
// out.
func TestCaptchaUnderACrowd(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 100), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("response") == "held" {
			asked <- struct{}{}
			<-release
		}
		io.WriteString(w, `{"success":true}`)
	}))
	t.Cleanup(slow.Close)
	b := setupForms(t, forms(prometheus.NewRegistry(), func(d *form.Deps) { d.CaptchaURL = slow.URL }))
	f := tenant.Form{Origins: []string{site}, Captcha: tenant.HCaptcha, CaptchaSecret: "s", PerMinuteIP: 1000}
	path, other := b.mustForm(t, b.owner, f), b.mustForm(t, b.mustWorkspace(t, tenant.Settings{}), f)
	var crowd sync.WaitGroup
	var failed atomic.Int64
	for i := range 16 + 4 {
		crowd.Go(func() {
			if got := b.fetch(t, path, fmt.Sprintf(`{"email":"held%d@example.com","h-captcha-response":"held"}`,
				i)); got.status != 200 {
				failed.Add(1)
			}
		})
	}
	for range 16 {
		<-asked
	}
	if got := b.fetch(t, other, `{"email":"a@example.com","h-captcha-response":"good"}`); got.text != received {
		t.Errorf("another workspace's form meanwhile = %d %s, want it taken", got.status, got.text)
	}
	if len(asked) > 0 {
		t.Error("more than 16 of a workspace are verified at a time")
	}
	close(release)
	crowd.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of those who waited for their turn failed", failed.Load())
	}
	for _, l := range b.mustLeads(t, b.owner) {
		if string(l.Metadata) != "{}" {
			t.Fatalf("lead %s has %s, want it verified", l.Email, l.Metadata)
		}
	}
}

// What cannot be told apart by its words cannot be by its time: all are answered at the same time after they were
// there.
func TestFormAnswersAllAtOneTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var mu sync.Mutex
	var waits []time.Time
	b := setupForms(t, forms(prometheus.NewRegistry(), func(d *form.Deps) {
		d.Now = func() time.Time { return now }
		d.Wait = func(until time.Time) {
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, until)
		}
	}))
	c := b.mustWorkspace(t, tenant.Settings{})
	b.mustCreate(t, c, "there@example.com")
	b.mustSuppress(t, c, "gone@example.com")
	path, updating := b.mustForm(t, c, tenant.Form{Origins: []string{site}}), b.mustForm(t, c,
		tenant.Form{Origins: []string{site}, OnDuplicate: tenant.UpdateDuplicate})
	n := 0
	for _, email := range []string{"new@example.com", "there@example.com", "gone@example.com"} {
		for _, p := range []string{path, updating} {
			b.fetch(t, p, `{"email":"`+email+`","name":"x"}`)
			n++
		}
	}
	b.fetch(t, path, `{"email":"robot@example.com","_gotcha":"x"}`)
	b.submit(t, path, "email=there@example.com")
	n += 2
	if len(waits) != n {
		t.Fatalf("%d of %d submissions waited", len(waits), n)
	}
	for _, until := range waits {
		if !until.Equal(now.Add(form.DefaultMinResponseTime)) {
			t.Errorf("a submission waited until %v after it was there, want %v for all", until.Sub(now),
				form.DefaultMinResponseTime)
		}
	}
}

// Behind a proxy that nobody named, one visitor's limit would be everybody's.
func TestFormsBehindAnUnnamedProxy(t *testing.T) {
	t.Parallel()
	var logged lockedBuffer
	b := setupForms(t, forms(prometheus.NewRegistry(), func(d *form.Deps) {
		d.Log = slog.New(slog.NewTextHandler(&logged,
			nil))
	}))
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, PerMinuteIP: 1, PerMinute: 4})
	send := func(p string) answer {
		return b.fetch(t, p, `{"email":"a@example.com"}`, "X-Forwarded-For", "192.0.2.1")
	}
	for range 61 {
		send("/f/pk-workspace_x").wantError(t, "a guess behind a proxy", 404, "NOT_FOUND")
	}
	for range 4 {
		send(path).wantOK(t, "a submission behind a proxy")
	}
	send(path).wantError(t, "beyond the limit of the form", 429, "RATE_LIMITED")
	if n := strings.Count(logged.String(), "LEADGATE_TRUSTED_PROXIES"); n != 1 {
		t.Errorf("the log names the setting %d times within a minute, want once", n)
	}
}
