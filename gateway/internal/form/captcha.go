package form

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// Limits of asking a verifier.
const (
	verifyTimeout = 3 * time.Second
	maxVerdict    = 16 << 10 // octets
	maxVerifying  = 64       // at a time; beyond, the verifier counts as away
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
	Misconfigured // the verifier does not know the form's secret
	Unknown       // the verifier does not answer
)

// verdict is the answer of all of them.
type verdict struct {
	Success *bool    `json:"success"`
	Errors  []string `json:"error-codes"`
}

// Verify asks the form's verifier about a token. The reason of Unknown holds nothing of the request.
func (s *Service) Verify(ctx context.Context, f tenant.Form, token string, client netip.Addr) (Verdict, error) {
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	default:
		return Unknown, errors.New("too many verifications at a time")
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	address := s.CaptchaURL
	if address == "" {
		address = verifiers[f.Captcha]
	}
	body := url.Values{"secret": {f.CaptchaSecret}, "response": {token}, "remoteip": {client.String()}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return Unknown, errors.New("the verifier's address is no URL")
	}
	req.Header.Set("Content-Type", urlencodedType)
	res, err := s.http.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return Unknown, fmt.Errorf("ask %s: %w", f.Captcha, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxVerdict))
	if err != nil {
		return Unknown, fmt.Errorf("ask %s: %w", f.Captcha, err)
	}
	var v verdict
	if err := json.Unmarshal(text, &v); err != nil || v.Success == nil || res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
		return Unknown, fmt.Errorf("%s answered %d", f.Captcha, res.StatusCode)
	}
	switch {
	case *v.Success:
		return Human, nil
	case slices.Contains(v.Errors, "internal-error"):
		return Unknown, fmt.Errorf("%s had an internal error", f.Captcha)
	case slices.ContainsFunc(v.Errors, func(code string) bool { return strings.Contains(code, "secret") || code == "sitekey-secret-mismatch" }):
		return Misconfigured, nil
	}
	return NotHuman, nil
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
