package form

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"leadgate/shared/limit"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

// redisTimeout bounds one call.
const redisTimeout = 250 * time.Millisecond

// misses is how many forms that there are not an address may ask for, so that nobody looks for keys, or keeps Postgres busy, that way.
var misses = limit.NewRate(60, time.Minute, 60)

// Probing tells for how long an address that asked for too many forms that there are not is not listened to; zero: it is.
func (s *Service) Probing(client Client) time.Duration {
	if client.Hidden {
		return 0
	}
	return s.probes.Peek(network(client.Addr), misses, s.Now()).RetryAfter
}

// Missed notes that an address asked for a form that there is not.
func (s *Service) Missed(client Client) {
	if !client.Hidden {
		s.probes.Take(network(client.Addr), misses, s.Now())
	}
}

// Misplaced notes that an address sent a publishable key where a secret one belongs, and tells for how long it is not listened to; zero: it is.
func (s *Service) Misplaced(r *http.Request) time.Duration {
	return s.misplaced.Take(network(s.Client(r).Addr), misses, s.Now()).RetryAfter
}

// network is the part of an address that one customer has: of IPv6 the /64.
func network(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

func (s *Service) limitInRedis(ctx context.Context, p *tenant.Principal, client netip.Addr, whole, each limit.Rate) (wait time.Duration, ok bool) {
	if !s.breaker.Allow(s.Now()) {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	wait, err := rdb.LimitForm(ctx, s.Redis, rdb.FormSubmission{Workspace: p.WorkspaceID, Form: p.KeyID, Address: client, PerForm: whole, PerAddress: each})
	if err != nil {
		if s.breaker.Failure(s.Now()) {
			s.Log.Warn("redis is away: forms are limited in process", "error", err.Error())
		}
		return 0, false
	}
	s.breaker.Success()
	return wait, true
}
