// Package form takes leads from the pages of a site: what a browser's form holds, which page may send it, how often,
// and what the answer is.
package form

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/books"
	"leadgate/gateway/internal/form/captcha"
	"leadgate/gateway/internal/form/proof"
	"leadgate/gateway/internal/form/verdict"
	"leadgate/gateway/internal/idempotency"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/id"
	"leadgate/shared/limit"
)

// Deps of New; all are needed but Books, Secret, Now and what follows it.
type Deps struct {
	Auth     *auth.Auth
	Intake   *intake.Service
	Once     *idempotency.Service // of requests with an Idempotency-Key
	Redis    redis.UniversalClient
	Log      *slog.Logger
	Registry prometheus.Registerer
	Books    *books.Counter // nil: what leaves no row is not counted for workspaces
	// the secret of the installation; nil: there is none, and nothing of a browser is proven
	Secret func(context.Context) ([proof.SecretBytes]byte, error)

	Now             func() time.Time      // nil: time.Now
	Trusted         []netip.Prefix        // proxies whose X-Forwarded-For counts
	CaptchaURL      string                // asked instead of the verifiers themselves; "": they are asked
	MinResponseTime time.Duration         // from a submission's arrival to its answer; 0: DefaultMinResponseTime
	Wait            func(until time.Time) // nil: by a timer
}

// DefaultMinResponseTime is longer than nearly every submission takes, whatever becomes of it.
const DefaultMinResponseTime = 250 * time.Millisecond

// Bounds of verifications of captchas.
const (
	maxVerifying    = 64   // at a time
	maxVerifyingOf  = 16   // of a workspace
	maxWaitToVerify = 1024 // submissions that wait for their turn, half of them of one workspace
)

// Service is what the forms of a gateway share.
type Service struct {
	Deps
	verifiers   map[string]captcha.Verifier
	verifying   *limit.Semaphore[id.UUID]
	derived     derived
	forms       limit.Local[id.UUID]    // submissions of each form while Redis is down
	senders     limit.Local[sender]     // the same of each address
	unknown     limit.Local[netip.Addr] // requests with unknown form keys, of each address
	strangers   limit.Local[netip.Addr] // requests with unknown API keys, of each address
	misused     limit.Local[netip.Addr] // requests with a publishable key as a Bearer, of each address
	asked       limit.Local[sender]     // tokens and challenges of each form and address
	spent       limit.Local[string]     // proofs of work that were used while Redis is down
	warned      limit.Local[string]     // warnings that were logged
	told        limit.Local[refusal]    // origins that were refused, by form
	checker     *verdict.Checker
	quarantines quarantines
	submissions *prometheus.CounterVec
}

// New makes a Service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.MinResponseTime == 0 {
		d.MinResponseTime = DefaultMinResponseTime
	}
	s := &Service{
		Deps:      d,
		verifying: limit.NewSemaphore[id.UUID](maxVerifyingOf, maxVerifying, maxWaitToVerify),
		checker:   verdict.New(),
	}
	s.verifiers = captcha.Verifiers(d.CaptchaURL, maxVerifying, captcha.Work{Now: d.Now, Spend: s.spend,
		Key: func(ctx context.Context) []byte { return s.keys(ctx).Challenge() }})
	s.submissions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "leadgate_form_submissions_total",
		Help: "Submissions of forms by what became of them; " +
			"visitors cannot tell stored, appended, updated, ignored, suppressed, held and not_kept apart.",
	}, []string{"outcome"})
	d.Registry.MustRegister(s.submissions)
	return s
}

// Outcome is what became of a submission.
type Outcome string

// The outcomes.
const (
	Stored      Outcome = "stored"
	Appended    Outcome = "appended" // to the lead that has the email
	Updated     Outcome = "updated"
	Ignored     Outcome = "ignored" // the lead that has the email was left as it was
	Suppressed  Outcome = "suppressed"
	Held        Outcome = "held"     // in quarantine
	NotKept     Outcome = "not_kept" // the same, but the quarantine was full
	Invalid     Outcome = "invalid"
	NotSolved   Outcome = "captcha"
	NotAdmitted Outcome = "origin"
	NoForm      Outcome = "no_form"
	Closed      Outcome = "closed" // its workspace is suspended
	Limited     Outcome = "limited"
	Repeated    Outcome = "repeated" // it was answered before, under its Idempotency-Key
	Failed      Outcome = "failed"
)

// warn reports whether to warn the operator of something, which is once a minute.
func (s *Service) warn(what string) bool {
	return !s.warned.Take(what, limit.NewRate(1, time.Minute, 1), s.Now()).Limited
}

// waitUntil waits until then. All submissions that are answered alike wait, so that nobody learns from the time it took
// whether an email was there already. It also waits for a client that is gone: net/http cannot tell that from one that
// only closed its sending side and measures the time.
func (s *Service) waitUntil(then time.Time) {
	if s.Wait != nil {
		s.Wait(then)
		return
	}
	time.Sleep(then.Sub(s.Now()))
}
