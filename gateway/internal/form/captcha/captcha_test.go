package captcha_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/gateway/internal/form/captcha"
	"leadgate/shared/tenant"
)

func TestVerifiers(t *testing.T) {
	t.Parallel()
	names := []string{tenant.Turnstile, tenant.HCaptcha, tenant.ReCaptcha}
	if all := captcha.Verifiers("", 8, captcha.Work{}); len(all) != len(names)+1 { // and that of TestWork
		t.Errorf("Verifiers() = %v, want %v and %s", all, names, tenant.Altcha)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conform(t, func(url string) captcha.Verifier { return captcha.Verifiers(url, 8, captcha.Work{})[name] })
		})
	}
}

const secret, token = "verifier-secret", "visitor-token"

// conform checks that a verifier keeps the contract of captcha.Verifier, whatever its service answers.
func conform(t *testing.T, open func(url string) captcha.Verifier) {
	for name, test := range map[string]struct {
		answer string // status and body
		want   captcha.Answer
	}{
		"solved": {`200 {"success":true,"hostname":"www.example.com"}`, captcha.Answer{Verdict: captcha.Human,
			Hostname: "www.example.com"}},
		"solved, no host": {`200 {"success":true}`, captcha.Answer{Verdict: captcha.Human}},
		"wrong token": {`200 {"success":false,"error-codes":["invalid-input-response"]}`,
			captcha.Answer{Verdict: captcha.NotHuman}},
		"wrong token, 400": {`400 {"success":false,"error-codes":["invalid-input-response"]}`,
			captcha.Answer{Verdict: captcha.NotHuman}},
		"token used before": {`200 {"success":false,"error-codes":["timeout-or-duplicate"]}`,
			captcha.Answer{Verdict: captcha.NotHuman}},
		"no reason": {`200 {"success":false}`, captcha.Answer{Verdict: captcha.NotHuman}},
		"wrong secret": {`200 {"success":false,"error-codes":["invalid-input-secret"]}`,
			captcha.Answer{Verdict: captcha.Misconfigured}},
		"no secret, 400": {`400 {"success":false,"error-codes":["missing-input-secret"]}`,
			captcha.Answer{Verdict: captcha.Misconfigured}},
		"forbidden":         {`403 {"success":false}`, captcha.Answer{Verdict: captcha.Misconfigured}},
		"too many requests": {"429 slow down", captcha.Answer{Verdict: captcha.Misconfigured}},
		"internal error": {`200 {"success":false,"error-codes":["internal-error"]}`,
			captcha.Answer{Verdict: captcha.Unavailable}},
		"bad gateway":          {"502 <html>", captcha.Answer{Verdict: captcha.Unavailable}},
		"success of a failure": {`503 {"success":true}`, captcha.Answer{Verdict: captcha.Unavailable}},
		"no JSON":              {"200 ok", captcha.Answer{Verdict: captcha.Unavailable}},
		"no success":           {"200 {}", captcha.Answer{Verdict: captcha.Unavailable}},
		"endless": {`200 {"success":true,"hostname":"` + strings.Repeat("x", 1<<20),
			captcha.Answer{Verdict: captcha.Unavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, test.answer)
			got, err := open(s.URL).Verify(t.Context(), captcha.Question{Secret: secret, Token: token,
				Client: netip.MustParseAddr("192.0.2.1")})
			if got != test.want || (err == nil) != (got.Verdict == captcha.Human) {
				t.Errorf("Verify() = %+v, %v, want %+v and a reason for all but Human", got, err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), token)) {
				t.Errorf("the reason %q holds something of the question", err)
			}
			if asked := s.asked.Load(); asked != "secret="+secret+" response="+token+" remoteip=192.0.2.1" {
				t.Errorf("the service was asked %q", asked)
			}
		})
	}
	t.Run("unknown client", func(t *testing.T) {
		t.Parallel()
		s := newService(t, `200 {"success":true}`)
		if got, err := open(s.URL).Verify(t.Context(), captcha.Question{Secret: secret, Token: token}); err != nil ||
			got.Verdict != captcha.Human {
			t.Errorf("Verify() = %+v, %v, want Human", got, err)
		}
		if asked := s.asked.Load(); asked != "secret="+secret+" response="+token+" remoteip=" {
			t.Errorf("the service was asked %q", asked)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}))
		t.Cleanup(hangs.Close)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if got, err := open(hangs.URL).Verify(ctx, captcha.Question{Token: token}); got.Verdict != captcha.Unavailable ||
			err == nil {
			t.Errorf("Verify() = %+v, %v, want Unavailable", got, err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		closed := httptest.NewServer(nil)
		closed.Close()
		got, err := open(closed.URL+"/?key="+secret).Verify(t.Context(), captcha.Question{Token: token})
		if got.Verdict != captcha.Unavailable || err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("Verify() = %+v, %v, want Unavailable and nothing of the URL", got, err)
		}
	})
}

// service is a verifier's service that gives one answer.
type service struct {
	*httptest.Server
	asked atomic.Value // string
}

func newService(t *testing.T, answer string) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Store(fmt.Sprintf("secret=%s response=%s remoteip=%s", r.PostFormValue("secret"), r.PostFormValue("response"),
			r.PostFormValue("remoteip")))
		var status int
		fmt.Sscan(answer, &status)
		w.WriteHeader(status)
		io.WriteString(w, answer[4:])
	}))
	t.Cleanup(s.Close)
	return s
}

// Only reCAPTCHA has a score that says how likely a person is.
func TestScore(t *testing.T) {
	t.Parallel()
	for name, low := range map[string]captcha.Verdict{
		tenant.ReCaptcha: captcha.NotHuman, tenant.HCaptcha: captcha.Human, tenant.Turnstile: captcha.Human,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for score, want := range map[string]captcha.Verdict{"0.5": captcha.Human, "0.4": low} {
				s := newService(t, `200 {"success":true,"score":`+score+`}`)
				got, err := captcha.Verifiers(s.URL, 8, captcha.Work{})[name].Verify(t.Context(), captcha.Question{Token: token, MinScore: 0.5})
				if got.Verdict != want {
					t.Errorf("Verify() with score %s = %+v, %v, want verdict %d", score, got, err, want)
				}
			}
		})
	}
}
