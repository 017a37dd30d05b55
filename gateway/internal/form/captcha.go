package form

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// Limits of asking a verifier.
const (
	verifyTimeout  = 3 * time.Second // to wait for a turn, and again for the answer
	maxVerdict     = 16 << 10        // octets
	maxVerifying   = 64              // at a time
	maxVerifyingOf = 16              // of a workspace
	maxUnverified  = 1024            // that wait for their turn
)

// verifiers are where each of them says what a token is worth.
var verifiers = map[string]string{
	tenant.Turnstile: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
	tenant.HCaptcha:  "https://api.hcaptcha.com/siteverify",
	tenant.ReCaptcha: "https://www.google.com/recaptcha/api/siteverify",
}

// Verdict is what a verifier says.
type Verdict int

// The verdicts.
const (
	Human Verdict = iota
	NotHuman
	Misconfigured // the verifier does not take the form's question
	Busy          // too many are to be verified
	Unknown       // the verifier does not answer
)

// verdict is the answer of all of them.
type verdict struct {
	Success  *bool    `json:"success"`
	Errors   []string `json:"error-codes"`
	Score    *float64 `json:"score"`    // of reCAPTCHA v3: 1 is a person
	Hostname string   `json:"hostname"` // of the page the captcha was solved in
}

// Verify asks the form's verifier about a token. The reason of a verdict holds nothing of the request. Only a verifier that is away is Unknown:
// what a crowd can bring about, or a wrong setting, must not open a form.
func (s *Service) Verify(ctx context.Context, p *tenant.Principal, token string, client Client) (Verdict, error) {
	wait, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	release, err := s.verifying.Acquire(wait, p.WorkspaceID)
	if err != nil {
		return Busy, fmt.Errorf("too many verifications at a time: %w", err)
	}
	defer release()
	f := p.Form.Filled()
	v, status, err := s.ask(ctx, f, token, client)
	switch {
	case err != nil && status/100 == 4:
		return s.misconfigured(p, err.Error()), err
	case err != nil:
		return Unknown, err
	case !*v.Success:
		return s.refusal(p, v, status)
	case f.Captcha == tenant.ReCaptcha && v.Score != nil && *v.Score < *f.CaptchaMinScore:
		return NotHuman, errors.New("the score is too low")
	case !OriginsOf(p).host(v.Hostname):
		return NotHuman, errors.New("it was solved in a page of another site")
	}
	return Human, nil
}

// ask returns the verifier's answer; status is zero when there is none.
func (s *Service) ask(ctx context.Context, f tenant.Form, token string, client Client) (v verdict, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	address := s.CaptchaURL
	if address == "" {
		address = verifiers[f.Captcha]
	}
	question := url.Values{"secret": {f.CaptchaSecret}, "response": {token}}
	if !client.Hidden {
		question.Set("remoteip", client.Addr.String())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(question.Encode()))
	if err != nil {
		return v, 0, errors.New("the verifier's address is no URL")
	}
	req.Header.Set("Content-Type", urlencodedType)
	res, err := s.http.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return v, 0, fmt.Errorf("ask %s: %w", f.Captcha, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxVerdict))
	if err != nil {
		return v, 0, fmt.Errorf("ask %s: %w", f.Captcha, err)
	}
	if err := json.Unmarshal(text, &v); err != nil || v.Success == nil || res.StatusCode >= 500 {
		return v, res.StatusCode, fmt.Errorf("%s answered %d", f.Captcha, res.StatusCode)
	}
	return v, res.StatusCode, nil
}

// refusal tells what kind of no v is.
func (s *Service) refusal(p *tenant.Principal, v verdict, status int) (Verdict, error) {
	about := func(what string) bool {
		return slices.ContainsFunc(v.Errors, func(code string) bool { return strings.Contains(code, what) })
	}
	reason := fmt.Errorf("%s answered %d without success", p.Form.Captcha, status)
	switch {
	case about("secret"):
		return s.misconfigured(p, "the verifier does not know captchaSecret"), reason
	case status/100 == 4 && !about("response") && !about("duplicate"): // the token is all that a visitor gives
		return s.misconfigured(p, reason.Error()), reason
	case about("internal-error"):
		return Unknown, fmt.Errorf("%s had an internal error", p.Form.Captcha)
	}
	return NotHuman, reason
}

// misconfigured tells the operator, once a minute for each form.
func (s *Service) misconfigured(p *tenant.Principal, why string) Verdict {
	if s.warn(id.Key.Format(p.KeyID)) {
		s.Log.Warn("a form's captcha is not set up right: its submissions are refused", "workspace", id.Workspace.Format(p.WorkspaceID),
			"key", id.Key.Format(p.KeyID), "captcha", p.Form.Captcha, "reason", why)
	}
	return Misconfigured
}

// NotSolved is the mistake of a submission whose captcha its verifier refuses.
func NotSolved(f tenant.Form) error {
	return fault.InvalidField(tenant.CaptchaField(f.Captcha), nil, "Must be a fresh token of a solved captcha: please solve it again")
}

func newClient() *http.Client {
	through := http.DefaultTransport.(*http.Transport).Clone()
	through.MaxConnsPerHost, through.MaxIdleConnsPerHost, through.MaxResponseHeaderBytes = maxVerifying, 8, maxVerdict
	return &http.Client{Transport: through, Timeout: verifyTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
