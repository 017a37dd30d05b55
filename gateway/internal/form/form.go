// Package form takes leads from the pages of a site: what a browser's form holds, which page may send it, how often, and what it is answered.
package form

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/limit"
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
	Floor      time.Duration    // how long after it arrived a submission is answered; 0: DefaultFloor

	Wait func(until time.Time) // nil: by a timer
}

// DefaultFloor is longer than what a submission nearly always takes, whatever becomes of it.
const DefaultFloor = 250 * time.Millisecond

// sender is an address that sends a form.
type sender struct {
	form    id.UUID
	network netip.Addr
}

// Service is what the forms of a gateway share.
type Service struct {
	Deps
	http        *http.Client
	verifying   *limit.Semaphore[id.UUID]
	breaker     limit.Breaker
	forms       limit.Local[id.UUID]    // submissions of each form while Redis is down
	senders     limit.Local[sender]     // and those of each address
	probes      limit.Local[netip.Addr] // of addresses that ask for forms there are not
	misplaced   limit.Local[netip.Addr] // of addresses that send a publishable key as a Bearer
	warned      limit.Local[string]     // what the operator was told
	submissions *prometheus.CounterVec
}

// New makes a Service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Floor == 0 {
		d.Floor = DefaultFloor
	}
	s := &Service{Deps: d, http: newClient(), verifying: limit.NewSemaphore[id.UUID](maxVerifyingOf, maxVerifying, maxUnverified)}
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

// warn tells whether to tell the operator of something, which is once a minute.
func (s *Service) warn(what string) bool {
	return !s.warned.Take(what, limit.NewRate(1, time.Minute, 1), s.Now()).Limited
}

// Client is who sent a request, as far as that can be known.
type Client struct {
	Addr   netip.Addr
	Hidden bool // behind a proxy that nobody named: the address is the proxy's, and everybody's
}

// Client returns who sent r. One who is hidden has no limits of an address, which would close every form for everybody.
// Only who is in the same private network can hide by making X-Forwarded-For up.
func (s *Service) Client(r *http.Request) Client {
	c := Client{Addr: ClientOf(r, s.Trusted)}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || r.Header.Get("X-Forwarded-For") == "" {
		return c
	}
	near := peer.Addr().Unmap().WithZone("")
	c.Hidden = (near.IsPrivate() || near.IsLoopback() || near.IsLinkLocalUnicast()) && !covered(near, s.Trusted)
	if c.Hidden && s.warn("proxy") {
		s.Log.Warn("forms come through a proxy that LEADGATE_TRUSTED_PROXIES does not name: they are not limited by address", "proxy", near.String())
	}
	return c
}

// Limit takes one submission of a form from an address: wait is how long until it is allowed, zero when it is. Without Redis this process alone decides.
func (s *Service) Limit(ctx context.Context, p *tenant.Principal, client Client) (wait time.Duration) {
	f := p.Form.Filled()
	whole, each := limit.NewRate(f.PerMinute, time.Minute, f.PerMinute), limit.NewRate(f.PerMinuteIP, time.Minute, f.PerMinuteIP)
	if client.Hidden {
		each = whole
	}
	if wait, ok := s.limitInRedis(ctx, p, client.Addr, whole, each); ok {
		return wait
	}
	if d := s.senders.Take(sender{p.KeyID, network(client.Addr)}, each, s.Now()); d.Limited {
		return d.RetryAfter
	}
	return s.forms.Take(p.KeyID, whole, s.Now()).RetryAfter
}

// Arrived notes that a submission is there as a whole; what it returns waits until Floor later. All that are answered alike wait for that, so
// that nobody learns from the time it took whether an email was there already. It waits for a client that is gone too: net/http cannot tell
// that from one that only closed its sending side, and would measure.
func (s *Service) Arrived() (wait func()) {
	until := s.Now().Add(s.Floor)
	return func() {
		if s.Wait != nil {
			s.Wait(until)
			return
		}
		time.Sleep(until.Sub(s.Now()))
	}
}
