package intake

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/gateway/internal/usage"
	"leadgate/shared/id"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

// gateTimeout bounds one pipeline; Redis answers in well under a millisecond or is as good as gone.
const gateTimeout = 250 * time.Millisecond

// gate asks Redis, or this process where Redis does not answer: then nothing is reserved and Postgres decides.
func (s *Service) gate(ctx context.Context, p *tenant.Principal, c rdb.GateCall) rdb.Pass {
	c.Rate = p.Settings.Limit()
	res, err := s.gates.Do(ctx, c)
	pass := res.Pass
	if err != nil || res.Err != nil {
		s.metrics.withoutRedis.Inc()
		pass = rdb.Pass{Verdict: s.local.take(c.Workspace, c.Rate, s.Now())}
	}
	if pass.Limited {
		s.Usage.Count(c.Workspace, usage.Limited, 1)
	}
	return pass
}

func (s *Service) gateAll(calls []rdb.GateCall) []rdb.GateResult {
	if !s.breaker.closed(s.Now()) {
		out := make([]rdb.GateResult, len(calls))
		for i := range out {
			out[i].Err = errAway
		}
		return out
	}
	ctx, cancel := context.WithTimeout(context.Background(), gateTimeout)
	defer cancel()
	out := rdb.Gate(ctx, s.Redis, calls)
	s.redisSaid(out[0].Err)
	return out
}

var errAway = errors.New("redis was away a moment ago")

// redisSaid tells the breaker what came of a pipeline, and the log when that changed something.
func (s *Service) redisSaid(err error) {
	if err == nil {
		if s.breaker.success() {
			s.Log.Info("redis is back")
		}
		return
	}
	if s.breaker.failure(s.Now()) {
		s.Log.Warn("redis is away: duplicates by Postgres, rate limits in process", "error", err.Error())
	}
}

// breaker keeps callers from waiting for a Redis that does not answer: after a failure one pipeline per pause is let through.
type breaker struct {
	openUntil atomic.Int64 // Unix nanoseconds; 0: closed
}

const breakerPause = 500 * time.Millisecond

// closed tells whether Redis may be asked. The first caller after a pause is let through and moves the pause on.
func (b *breaker) closed(now time.Time) bool {
	until := b.openUntil.Load()
	if until == 0 {
		return true
	}
	return now.UnixNano() >= until && b.openUntil.CompareAndSwap(until, now.Add(breakerPause).UnixNano())
}

// failure opens the breaker; true when it was closed.
func (b *breaker) failure(now time.Time) bool {
	return b.openUntil.Swap(now.Add(breakerPause).UnixNano()) == 0
}

// success closes the breaker; true when it was open.
func (b *breaker) success() bool { return b.openUntil.Swap(0) != 0 }

// localLimiter is the rate limit of this process alone, while Redis is away.
type localLimiter struct {
	mu  sync.Mutex
	tat map[id.UUID]time.Time
}

// maxLocal bounds the map; beyond it, it starts anew, which lets a burst through and nothing worse.
const maxLocal = 100_000

func (l *localLimiter) take(workspace id.UUID, rate tenant.Rate, now time.Time) tenant.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tat == nil || len(l.tat) >= maxLocal {
		l.tat = map[id.UUID]time.Time{}
	}
	v, tat := rate.Decide(l.tat[workspace], now)
	l.tat[workspace] = tat
	return v
}
