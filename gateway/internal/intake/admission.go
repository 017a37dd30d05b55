package intake

import (
	"context"
	"errors"
	"time"

	"leadgate/gateway/internal/usage"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

// redisTimeout bounds one pipeline: Redis answers in well under a millisecond, or is down.
const redisTimeout = 250 * time.Millisecond

// admit asks Redis for the rate limit and the reservation. Without Redis this process alone decides the rate limit, and
// nothing is reserved: Postgres decides about duplicates.
func (s *Service) admit(ctx context.Context, p *tenant.Principal, r rdb.AdmissionRequest) rdb.Admission {
	r.Rate = p.Settings.RateLimit()
	res, err := s.admissions.Do(ctx, r)
	admission := res.Admission
	if err != nil || res.Err != nil {
		s.metrics.withoutRedis.Inc()
		admission = rdb.Admission{Decision: s.local.Take(r.Workspace, r.Rate, s.Now())}
	}
	if admission.Limited {
		s.Usage.Count(r.Workspace, usage.Limited, 1)
	}
	return admission
}

func (s *Service) admitAll(requests []rdb.AdmissionRequest) []rdb.AdmissionResult {
	if !s.breaker.Allow(s.Now()) {
		out := make([]rdb.AdmissionResult, len(requests))
		for i := range out {
			out[i].Err = errRedisDown
		}
		return out
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	out := rdb.Admit(ctx, s.Redis, requests)
	s.recordRedis(out[0].Err)
	return out
}

var errRedisDown = errors.New("redis was unavailable a moment ago")

// recordRedis tells the circuit breaker how a pipeline ended, and logs when Redis becomes unavailable or available
// again.
func (s *Service) recordRedis(err error) {
	if err == nil {
		if s.breaker.Success() {
			s.Log.Info("redis available")
		}
		return
	}
	if s.breaker.Failure(s.Now()) {
		s.Log.Warn("redis unavailable", "fallback", "duplicates by Postgres, rate limits in process", "error", err.Error())
	}
}
