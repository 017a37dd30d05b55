// Package captcha finds out what a captcha's token is worth: it asks verifiers, or checks a proof of work itself. Each
// verifier has a file of its own.
package captcha

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// Limits of a call.
const (
	Timeout   = 3 * time.Second
	maxAnswer = 16 << 10 // bytes
)

// Verifier is a service that knows what a token is worth. Every verifier must pass the conformance test of this
// package.
type Verifier interface {
	// Verify returns what the token is worth, and the reason when that is not Human. The reason holds nothing of the
	// question, because it is logged. Verify returns when ctx ends, within Timeout at the latest.
	Verify(ctx context.Context, q Question) (Answer, error)
}

// Question is what a verifier is asked.
type Question struct {
	Secret   string // of the form's owner at the verifier
	Token    string
	Client   netip.Addr // who solved the captcha; zero: unknown
	MinScore float64    // from 0 to 1, of a verifier that scores: less is no person

	Workspace, Form id.UUID // of which the token came
}

// Answer is what a verifier says.
type Answer struct {
	Verdict  Verdict
	Hostname string // of the page in which the captcha was solved; "": the verifier does not say
}

// Verdict is what a token is worth.
type Verdict int

// The verdicts. Only a verifier that does not answer is Unavailable: a form may accept leads without it, so neither
// visitors nor a wrong setting may bring that about.
const (
	Unavailable Verdict = iota
	Human
	NotHuman
	Misconfigured // the verifier does not accept the question, whatever the token is
)

// Verifiers returns all verifiers by name, the value of a form's captcha. url, unless it is "", is asked instead of
// their own; proofs of work are verified with w.
func Verifiers(url string, maxConns int, w Work) map[string]Verifier {
	client := newClient(maxConns)
	verifiers := map[string]Verifier{tenant.Altcha: altcha{w}}
	for _, v := range []*siteverify{turnstile(), hcaptcha(), recaptcha()} {
		v.client = client
		if url != "" {
			v.url = url
		}
		verifiers[v.name] = v
	}
	return verifiers
}

func newClient(maxConns int) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxConnsPerHost, t.MaxIdleConnsPerHost, t.MaxResponseHeaderBytes = maxConns, 8, maxAnswer
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: t, Timeout: Timeout, CheckRedirect: noRedirect}
}
