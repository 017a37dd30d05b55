package intake

import (
	"context"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
)

// redisTimeout bounds one pipeline: Redis answers in well under a millisecond, or is down. While it is down the circuit
// breaker of its client answers at once.
const redisTimeout = 250 * time.Millisecond

// Admission is the answer of the rate limit to one request, and of Redis to one new lead. The zero value admits.
type Admission struct{ rdb.Admission }

// Err returns RATE_LIMITED for a request that is over the limit of its workspace.
func (a *Admission) Err() error {
	if !a.Limited {
		return nil
	}
	wait := max(a.RetryAfter, time.Millisecond)
	return &fault.Error{Kind: fault.RateLimited, RetryAfter: wait,
		Public: "Too many requests: your workspace has used up its rate; wait as long as Retry-After says"}
}

// Admit takes one request from the rate limit of its workspace and, in the same round trip to Redis, reserves the email
// of l unless that is nil. Without Redis this process alone decides the rate limit, and nothing is reserved: Postgres
// decides about duplicates. Nor is anything reserved in a sandbox, whose rate limit is in the slot of its live
// workspace.
func (s *Service) Admit(ctx context.Context, p *tenant.Principal, l *lead.Lead) Admission {
	r := rdb.AdmissionRequest{Workspace: p.Payer(), Rate: p.Settings.RateLimit()}
	if l != nil && r.Workspace == p.WorkspaceID && p.Settings.Dedupe != tenant.DedupeNone {
		r.UniqueKey, r.LeadID = l.UniqueKey, l.ID
	}
	span := trace.From(ctx)
	from := span.Now()
	res, err := s.admissions.Do(ctx, r)
	if span.Recording() {
		failure := ""
		if err != nil || res.Err != nil {
			failure = "unavailable"
		}
		span.Record("admit", trace.Client, from, failure, trace.String(trace.System, "redis"))
	}
	admission := res.Admission
	if err != nil || res.Err != nil {
		s.metrics.withoutRedis.Inc()
		admission = rdb.Admission{Decision: s.local.Take(r.Workspace, r.Rate, s.Now())}
	}
	if admission.Limited && l != nil {
		s.metrics.count("limited")
	}
	return Admission{admission}
}

func (s *Service) admitAll(requests []rdb.AdmissionRequest) []rdb.AdmissionResult {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	return rdb.Admit(ctx, s.Redis, requests)
}
