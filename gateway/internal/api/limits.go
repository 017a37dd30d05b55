package api

import (
	"net/http"
	"strconv"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/limit"
	"leadgate/shared/tenant"
)

// limit takes one request from the workspace's rate limit, tells the client where it stands, and is RATE_LIMITED when
// nothing is left.
func (a *api) limit(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	_, err := a.admit(w, r, p)
	return err
}

// admit is limit with what it was told.
func (a *api) admit(w http.ResponseWriter, r *http.Request, p *tenant.Principal) (limit.Decision, error) {
	v := a.Intake.Limit(r.Context(), p)
	tellLimit(w, p, v)
	if v.Limited {
		return v, &fault.Error{Kind: fault.RateLimited, Public: "Too many requests", RetryAfter: v.RetryAfter}
	}
	return v, nil
}

// refuse is how a gated route fails before it came to the gate: mistakes count against the limit too.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, p *tenant.Principal, reason error) error {
	if claimOf(r) != nil { // it was asked before
		return reason
	}
	if err := a.limit(w, r, p); err != nil {
		return err
	}
	return reason
}

// secretRouteWithPublishableKey answers a publishable key as a Bearer. Everybody can read such a key in a page, so it
// takes nothing from its workspace's rate limit.
func (a *api) secretRouteWithPublishableKey(r *http.Request) error {
	const text = "A publishable key opens only its form, POST /f/{key}"
	if wait := a.Forms.LimitMisusedKeys(r); wait > 0 {
		return &fault.Error{Kind: fault.RateLimited, Public: "Too many requests with a publishable key. " + text, RetryAfter: wait}
	}
	return fault.New(fault.Forbidden, text)
}

// tellLimit sets RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10) and the older X-RateLimit
// fields. The map is written directly: Set would change their spelling and costs more.
func tellLimit(w http.ResponseWriter, p *tenant.Principal, v limit.Decision) {
	perSecond, most := p.Settings.RequestLimit()
	window := max(time.Second, time.Duration(most)*time.Second/time.Duration(perSecond)).Round(time.Second) // refills the burst
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
