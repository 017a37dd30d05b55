// Package form takes leads from the pages of a site: what a browser's form holds, which page may send it, how often, and what it is answered.
package form

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/tenant"
)

// Deps of New.
type Deps struct {
	Redis      redis.UniversalClient
	Log        *slog.Logger
	Registry   prometheus.Registerer
	Now        func() time.Time // nil: time.Now
	Trusted    []netip.Prefix   // proxies whose X-Forwarded-For counts
	CaptchaURL string           // asked instead of the verifiers themselves; "": they are asked
}

// Service is what the forms of a gateway share.
type Service struct {
	Deps
	http        *http.Client
	verifying   chan struct{}
	local       limiter // while Redis is away
	probes      limiter // of addresses that ask for forms there are not
	pause       pause
	hint        sync.Once
	submissions *prometheus.CounterVec
}

// New makes a Service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, http: newClient(), verifying: make(chan struct{}, maxVerifying)}
	s.submissions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "leadgate_form_submissions_total", Help: "Submissions of forms by what became of them; visitors cannot tell stored, duplicate, updated, suppressed and robot apart.",
	}, []string{"outcome"})
	d.Registry.MustRegister(s.submissions)
	return s
}

// Outcome is what became of a submission.
type Outcome string

// The outcomes.
const (
	Stored       Outcome = "stored"
	Duplicate    Outcome = "duplicate"
	Updated      Outcome = "updated"
	Suppressed   Outcome = "suppressed"
	Robot        Outcome = "robot" // honeypot filled, or filled in too fast
	Invalid      Outcome = "invalid"
	NotSolvedYet Outcome = "captcha"
	NotAdmitted  Outcome = "origin"
	NoForm       Outcome = "no_form"
	Limited      Outcome = "limited"
	Failed       Outcome = "failed"
)

// Count counts a submission.
func (s *Service) Count(o Outcome) { s.submissions.WithLabelValues(string(o)).Inc() }

// Client returns the address that r came from.
func (s *Service) Client(r *http.Request) netip.Addr {
	client := ClientOf(r, s.Trusted)
	if len(s.Trusted) == 0 && r.Header.Get("X-Forwarded-For") != "" && client.IsPrivate() {
		s.hint.Do(func() {
			s.Log.Warn("requests come through a proxy that LEADGATE_TRUSTED_PROXIES does not name: all visitors of a form share the limit of one address")
		})
	}
	return client
}

// Limit takes one submission of a form from an address: wait is how long until it is allowed, zero when it is. Without Redis this process alone decides.
func (s *Service) Limit(ctx context.Context, p *tenant.Principal, client netip.Addr) (wait time.Duration) {
	f := p.Form.Filled()
	whole, each := tenant.Quota{Count: f.PerMinute, Per: time.Minute}, tenant.Quota{Count: f.PerMinuteIP, Per: time.Minute}
	if wait, ok := s.limitInRedis(ctx, p, client, whole, each); ok {
		return wait
	}
	if wait := s.local.take(p.KeyID.String()+network(client).String(), each, s.Now()); wait > 0 {
		return wait
	}
	return s.local.take(p.KeyID.String(), whole, s.Now())
}
