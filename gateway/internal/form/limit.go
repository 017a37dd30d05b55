package form

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/rdb"
)

// redisTimeout bounds one call.
const redisTimeout = 250 * time.Millisecond

// sender is an address that sends a form.
type sender struct {
	form    id.UUID
	network netip.Addr
}

// keyRate is how often the address of a client may send a form key or an API key that does not exist, or a publishable
// key where a secret one belongs: so nobody searches for keys, or keeps Postgres busy, that way. Many clients share the
// address of a proxy that is not trusted.
func keyRate(c Client) limit.Rate {
	if c.Hidden {
		return limit.NewRate(1200, time.Minute, 1200)
	}
	return limit.NewRate(60, time.Minute, 60)
}

// blocked returns for how long an address that sent too many unknown form keys is blocked; zero: it is not.
func (s *Service) blocked(c Client) time.Duration {
	return s.unknown.Peek(network(c.Addr), keyRate(c), s.Now()).RetryAfter
}

// unknownForm counts a request with an unknown form key.
func (s *Service) unknownForm(c Client) { s.unknown.Take(network(c.Addr), keyRate(c), s.Now()) }

// UnknownKeysBlocked returns for how long the address of a client that sent too many unknown API keys is blocked; zero:
// it is not.
func (s *Service) UnknownKeysBlocked(r *http.Request) time.Duration {
	c := s.Client(r)
	return s.strangers.Peek(network(c.Addr), keyRate(c), s.Now()).RetryAfter
}

// CountUnknownKey counts a request with an unknown API key.
func (s *Service) CountUnknownKey(r *http.Request) {
	c := s.Client(r)
	s.strangers.Take(network(c.Addr), keyRate(c), s.Now())
}

// LimitMisusedKeys counts a request that has a publishable key where a secret one belongs. wait is for how long its
// address is blocked, zero when it is not.
func (s *Service) LimitMisusedKeys(r *http.Request) (wait time.Duration) {
	c := s.Client(r)
	return s.misused.Take(network(c.Addr), keyRate(c), s.Now()).RetryAfter
}

// network is the part of an address that one customer has: of IPv6 the /64.
func network(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

// limit takes one submission from the form limit and from that of the client's address. wait is how long until it may
// happen, zero when it may. Without Redis this process alone decides.
func (q *request) limit() (wait time.Duration) {
	call := rdb.FormSubmission{
		Workspace: q.p.WorkspaceID, Form: q.p.KeyID, Address: q.client.Addr,
		PerForm:    limit.NewRate(q.form.PerMinute, time.Minute, q.form.PerMinute),
		PerAddress: limit.NewRate(q.form.PerMinuteIP, time.Minute, q.form.PerMinuteIP),
	}
	if q.client.Hidden {
		call.PerAddress = call.PerForm
	}
	if wait, ok := q.limitInRedis(q.r.Context(), call); ok {
		return wait
	}
	if d := q.senders.Take(sender{q.p.KeyID, network(q.client.Addr)}, call.PerAddress, q.Now()); d.Limited {
		return d.RetryAfter
	}
	return q.forms.Take(q.p.KeyID, call.PerForm, q.Now()).RetryAfter
}

func (s *Service) limitInRedis(ctx context.Context, call rdb.FormSubmission) (wait time.Duration, ok bool) {
	return askRedis(ctx, s, func(ctx context.Context) (time.Duration, error) { return rdb.LimitForm(ctx, s.Redis, call) })
}

// askRedis makes a call; ok is false where Redis did not answer.
func askRedis[T any](ctx context.Context, s *Service, call func(context.Context) (T, error)) (answer T, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	answer, err := call(ctx)
	return answer, err == nil
}
