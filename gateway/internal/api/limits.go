package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
	"leadgate/shared/tenant"
)

// admit takes one request from the rate limit of its workspace and, unless l is nil, reserves the email of l. It tells
// the client how much of the limit is left, and is RATE_LIMITED when nothing is.
func (a *api) admit(
	w http.ResponseWriter, r *http.Request, p *tenant.Principal, l *lead.Lead,
) (intake.Admission, error) {
	admission := a.Intake.Admit(r.Context(), p, l)
	writeRateLimit(w, p, admission.Decision)
	return admission, admission.Err()
}

// principal returns whom r acts for: whom the console has found out already, or whoever has the key. An address that
// sends unknown keys is soon refused whatever key this process has not seen at work: so nobody searches for keys, or
// keeps Postgres busy, with made-up ones.
func (a *api) principal(r *http.Request) (*tenant.Principal, error) {
	if p := auth.PrincipalOf(r.Context()); p != nil {
		return p, nil
	}
	p, err := a.Auth.Principal(r.Context(), r, func() error {
		if wait := a.Forms.UnknownKeysBlocked(r); wait > 0 {
			return &fault.Error{Kind: fault.RateLimited, Public: "Too many requests with unknown API keys", RetryAfter: wait}
		}
		return nil
	})
	if errors.Is(err, auth.ErrUnknownKey) {
		a.Forms.CountUnknownKey(r)
	}
	return p, err
}

// secretRouteWithPublishableKey answers a publishable key as a Bearer. Everybody can read such a key in a page, so it
// takes nothing from its workspace's rate limit.
func (a *api) secretRouteWithPublishableKey(r *http.Request) error {
	const text = "A publishable key opens only its form, POST /f/{key}"
	if wait := a.Forms.LimitMisusedKeys(r); wait > 0 {
		return &fault.Error{Kind: fault.RateLimited, Public: "Too many requests with a publishable key. " + text,
			RetryAfter: wait}
	}
	return fault.New(fault.Forbidden, text)
}

// writeRateLimit sets RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10) and the older
// X-RateLimit fields. The map is written directly: Set would change their spelling and costs more.
func writeRateLimit(w http.ResponseWriter, p *tenant.Principal, v limit.Decision) {
	perSecond, most := p.Settings.RequestLimit()
	// refills the burst
	window := max(time.Second, time.Duration(most)*time.Second/time.Duration(perSecond)).Round(time.Second)
	burst, left, reset := strconv.Itoa(most), strconv.Itoa(v.Remaining), strconv.Itoa(wholeSeconds(v.Reset))
	h := w.Header()
	h["RateLimit-Policy"] = []string{`"workspace";q=` + burst + `;w=` + strconv.Itoa(wholeSeconds(window))}
	h["RateLimit"] = []string{`"workspace";r=` + left + `;t=` + reset}
	h["X-RateLimit-Limit"] = []string{burst}
	h["X-RateLimit-Remaining"] = []string{left}
	h["X-RateLimit-Reset"] = []string{reset}
}

// wholeSeconds rounds up, so that a client that waits so long is never early.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
