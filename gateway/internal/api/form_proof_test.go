package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/form/captcha"
	"leadgate/shared/tenant"
)

// get is a script of a page of site that asks for something of a form.
func (b *bundle) getForm(t *testing.T, path string, header ...string) answer {
	t.Helper()
	return b.do(t, b.submission(t, "GET", path, "", "", append([]string{"Content-Type", ""}, header...)...))
}

func TestFormToken(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	read := func(got answer) (v struct {
		Token     string
		ExpiresIn int
		Challenge bool
	}) {
		t.Helper()
		if err := json.Unmarshal(got.body.Data, &v); got.status != 200 || err != nil {
			t.Fatalf("GET token = %d %s, want a token", got.status, got.text)
		}
		return v
	}
	got := b.getForm(t, path+"/token")
	if v := read(got); v.Token == "" || v.ExpiresIn != 3600 || v.Challenge || v == read(b.getForm(t, path+"/token")) {
		t.Errorf("GET token = %s, want a new one each time", got.text)
	}
	if h := got.header; h.Get("Cache-Control") != "no-store" || h.Get("Access-Control-Allow-Origin") != site ||
		h.Get("Vary") != "Origin" {
		t.Errorf("headers = %v, want it readable to the page, and kept by nobody", h)
	}
	if v := read(b.getForm(t, b.mustForm(t, b.owner, tenant.Form{Origins: []string{"*"}, Captcha: tenant.Altcha})+"/token")); !v.Challenge {
		t.Errorf("GET token = %+v, want it to say that there is a challenge too", v)
	}
	b.getForm(t, path+"/token", "Origin", "https://evil.example.com").wantError(t, "another site's page", 403, "FORBIDDEN")
	b.getForm(t, path+"/challenge").wantError(t, "a challenge that nobody wants", 409, "CONFLICT")
	unknown := "/f/" + tenant.NewText(tenant.PublishableKey, false)
	b.getForm(t, unknown+"/token").wantError(t, "an unknown key", 404, "NOT_FOUND")
	for range 60 {
		got = b.getForm(t, unknown+"/challenge")
	}
	got.wantError(t, "a search for keys", 429, "RATE_LIMITED")
}

func TestFormTokensAreLimited(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := setupForms(t, forms(prometheus.NewRegistry(), func(d *form.Deps) { d.Now = func() time.Time { return now } }))
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	var got answer
	for range 601 {
		if got = b.getForm(t, path+"/token"); got.status != 200 {
			break
		}
	}
	got.wantError(t, "many of one address", 429, "RATE_LIMITED")
	if got.header.Get("Retry-After") == "" {
		t.Errorf("headers = %v, want Retry-After", got.header)
	}
	b.getForm(t, b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})+"/token").wantOK(t, "another form")
}

// solve does what a browser does with a challenge of a form.
func (b *bundle) solve(t *testing.T, path string) (solution string) {
	t.Helper()
	got := b.getForm(t, path+"/challenge")
	var c captcha.Challenge
	if err := json.Unmarshal([]byte(got.text), &c); got.status != 200 || err != nil || c.MaxNumber == 0 {
		t.Fatalf("GET challenge = %d %s, want one", got.status, got.text)
	}
	for n := 0; n <= c.MaxNumber; n++ {
		if sum := sha256.Sum256([]byte(c.Salt + strconv.Itoa(n))); hex.EncodeToString(sum[:]) == c.Challenge {
			text := fmt.Sprintf(`{"algorithm":%q,"challenge":%q,"number":%d,"salt":%q,"signature":%q}`, c.Algorithm, c.Challenge, n,
				c.Salt, c.Signature)
			return base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	t.Fatalf("the challenge %+v has no solution", c)
	return ""
}

func TestProofOfWork(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	c := b.mustWorkspace(t, tenant.Settings{})
	proven := tenant.Form{Origins: []string{site}, Captcha: tenant.Altcha, CaptchaDifficulty: 1000, PerMinuteIP: 1000}
	path, other := b.mustForm(t, c, proven), b.mustForm(t, c, proven)
	n := 0
	send := func(path, solution string) answer {
		t.Helper()
		n++
		return b.fetch(t, path, fmt.Sprintf(`{"email":"a%d@example.com","altcha":%q}`, n, solution))
	}
	got := b.submit(t, path, "email=a@example.com")
	if got.status != 400 || !strings.Contains(got.text, "<li>Your browser did not check that you are a person.") ||
		!strings.Contains(got.text, "JavaScript") {
		t.Errorf("without a solution = %d %s, want a page that says what to do", got.status, got.text)
	}
	for _, store := range []string{"with Redis", "without Redis"} {
		solution := b.solve(t, path)
		got := send(other, solution)
		got.wantError(t, store+": another form's solution", 400, "VALIDATION_ERROR")
		if got.body.Details.Field != "altcha" {
			t.Errorf("%s: another form's solution = %s, want the field named", store, got.text)
		}
		b.fetch(t, path, fmt.Sprintf(`{"email":"x","altcha":%q}`, solution)).wantError(t, store+": a mistake", 400,
			"VALIDATION_ERROR")
		if got := send(path, solution); got.text != received {
			t.Errorf("%s: a solution = %d %s, want it taken", store, got.status, got.text)
		}
		send(path, solution).wantError(t, store+": the same again", 400, "VALIDATION_ERROR")
		b.redis.Close()
	}
	all := b.mustLeads(t, c)
	if len(all) != 2 {
		t.Fatalf("%d leads, want 2", len(all))
	}
	for _, l := range all {
		if string(l.Metadata) != "{}" {
			t.Errorf("lead %s has %s, want nothing of the solution", l.Email, l.Metadata)
		}
	}
}

// While the installation's secret cannot be read no page can prove anything, and none is held to.
func TestFormsWithoutTheInstallationSecret(t *testing.T) {
	t.Parallel()
	var logged lockedBuffer
	var there bool
	b := setupForms(t, forms(prometheus.NewRegistry(), func(d *form.Deps) {
		read := d.Secret
		d.Log = slog.New(slog.NewTextHandler(&logged, nil))
		d.Secret = func(ctx context.Context) ([32]byte, error) {
			if !there {
				return [32]byte{}, errors.New("the secret is sealed with another key")
			}
			return read(ctx)
		}
	}))
	accepts := tenant.Form{Origins: []string{site}, Captcha: tenant.Altcha, CaptchaDifficulty: 1000}
	refuses := accepts
	refuses.CaptchaOutage = tenant.RefuseOutage
	path := b.mustForm(t, b.owner, accepts)
	got := b.getForm(t, path+"/token")
	got.wantError(t, "a token", 503, "UNAVAILABLE")
	if got.header.Get("Retry-After") == "" {
		t.Errorf("headers = %v, want Retry-After", got.header)
	}
	b.getForm(t, path+"/challenge").wantError(t, "a challenge", 503, "UNAVAILABLE")
	if got := b.fetch(t, path, `{"email":"a@example.com"}`); got.text != received {
		t.Errorf("a submission = %d %s, want it taken", got.status, got.text)
	}
	if all := b.mustLeads(t, b.owner); len(all) != 1 || string(all[0].Metadata) != `{"captcha":"unverified"}` {
		t.Errorf("leads = %+v, want one that is marked", all)
	}
	b.fetch(t, b.mustForm(t, b.owner, refuses), `{"email":"b@example.com"}`).wantError(t, "a strict form", 503, "UNAVAILABLE")
	if n := strings.Count(logged.String(), "installation secret unreadable"); n != 1 {
		t.Errorf("the log tells %d times of it within a minute, want once:\n%s", n, logged.String())
	}
	there = true
	b.skew.Add(int64(11 * time.Second))
	b.getForm(t, path+"/token").wantOK(t, "a token once it can be read")
	b.fetch(t, path, `{"email":"c@example.com"}`).wantError(t, "no solution then", 400, "VALIDATION_ERROR")
}

func TestFormScript(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	got := b.getForm(t, "/form.js")
	if got.status != 200 || got.header.Get("Content-Type") != "text/javascript; charset=utf-8" ||
		got.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.text, "window.leadgate") || !strings.Contains(got.text, `"ja":{"checked":"`) {
		t.Errorf("GET /form.js = %d %v, want the script", got.status, got.header)
	}
	if strings.Contains(got.text, "eval(") || strings.Contains(got.text, "Function(") {
		t.Error("the script needs unsafe-eval")
	}
}
