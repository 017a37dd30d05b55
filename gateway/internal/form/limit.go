package form

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

const (
	redisTimeout = 250 * time.Millisecond
	redisPause   = 500 * time.Millisecond // after a failure nobody waits for Redis for so long
	maxLimiters  = 100_000
)

// misses is how many forms that there are not an address may ask for, so that nobody looks for keys, or keeps Postgres busy, that way.
var misses = tenant.Quota{Count: 60, Per: time.Minute}

// Probing tells for how long an address that asked for too many forms that there are not is not listened to; zero: it is.
func (s *Service) Probing(client Client) time.Duration {
	if client.Hidden {
		return 0
	}
	return s.probes.look(network(client.Addr).String(), misses, s.Now())
}

// Missed notes that an address asked for a form that there is not.
func (s *Service) Missed(client Client) {
	if !client.Hidden {
		s.probes.take(network(client.Addr).String(), misses, s.Now())
	}
}

// Misplaced notes that an address sent a publishable key where a secret one belongs, and tells for how long it is not listened to; zero: it is.
func (s *Service) Misplaced(r *http.Request) time.Duration {
	return s.misplaced.take(network(s.Client(r).Addr).String(), misses, s.Now())
}

// network is the part of an address that one customer has: of IPv6 the /64.
func network(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

func (s *Service) limitInRedis(ctx context.Context, p *tenant.Principal, client netip.Addr, whole, each tenant.Quota) (wait time.Duration, ok bool) {
	if !s.pause.over(s.Now()) {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	wait, err := rdb.LimitForm(ctx, s.Redis, rdb.FormCall{Workspace: p.WorkspaceID, Form: p.KeyID, Address: client, Whole: whole, Each: each})
	if err != nil {
		if s.pause.begin(s.Now()) {
			s.Log.Warn("redis is away: forms are limited in process", "error", err.Error())
		}
		return 0, false
	}
	s.pause.end()
	return wait, true
}

// pause keeps submissions from waiting for a Redis that does not answer: after a failure one is let through each redisPause.
type pause struct {
	until atomic.Int64 // Unix nanoseconds; 0: none
}

func (p *pause) over(now time.Time) bool {
	until := p.until.Load()
	return until == 0 || now.UnixNano() >= until && p.until.CompareAndSwap(until, now.Add(redisPause).UnixNano())
}

// begin begins the pause, or makes it longer; true when there was none.
func (p *pause) begin(now time.Time) bool {
	return p.until.Swap(now.Add(redisPause).UnixNano()) == 0
}

func (p *pause) end() { p.until.Store(0) }

// limiter keeps quotas in this process. When it is full it starts anew, which lets a burst through and nothing worse.
type limiter struct {
	mu  sync.Mutex
	tat map[string]time.Time
}

func (l *limiter) take(key string, q tenant.Quota, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tat == nil || len(l.tat) >= maxLimiters {
		l.tat = map[string]time.Time{}
	}
	wait, next := q.Decide(l.tat[key], now)
	l.tat[key] = next
	return wait
}

// look is take that takes nothing.
func (l *limiter) look(key string, q tenant.Quota, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait, _ := q.Decide(l.tat[key], now)
	return wait
}
