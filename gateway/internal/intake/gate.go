package intake

import (
	"context"
	"errors"
	"time"

	"leadgate/gateway/internal/usage"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

// gateTimeout bounds one pipeline; Redis answers in well under a millisecond or is as good as gone.
const gateTimeout = 250 * time.Millisecond

// gate asks Redis, or this process where Redis does not answer: then nothing is reserved and Postgres decides.
func (s *Service) gate(ctx context.Context, p *tenant.Principal, c rdb.GateCall) rdb.Pass {
	c.Rate = p.Settings.RateLimit()
	res, err := s.gates.Do(ctx, c)
	pass := res.Pass
	if err != nil || res.Err != nil {
		s.metrics.withoutRedis.Inc()
		pass = rdb.Pass{Decision: s.local.Take(c.Workspace, c.Rate, s.Now())}
	}
	if pass.Limited {
		s.Usage.Count(c.Workspace, usage.Limited, 1)
	}
	return pass
}

func (s *Service) gateAll(calls []rdb.GateCall) []rdb.GateResult {
	if !s.breaker.Allow(s.Now()) {
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
		if s.breaker.Success() {
			s.Log.Info("redis is back")
		}
		return
	}
	if s.breaker.Failure(s.Now()) {
		s.Log.Warn("redis is away: duplicates by Postgres, rate limits in process", "error", err.Error())
	}
}
