package process

import (
	"context"
	"sync"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// lease takes the endpoint's lease and reads its next due deliveries. There are none when nothing is due, another
// worker has the lease, or the circuit breaker is open.
func (d *drain) lease(r *run, mode pg.LeaseMode) (pg.LeasedBatch, error) {
	if ahead := d.ahead; ahead != nil {
		d.ahead = nil
		return *ahead, nil
	}
	asked := time.Now()
	req, share := d.leaseFor(r.abort, mode)
	leased, err := d.DB.LeaseDue(r.abort, req)
	d.take(&leased, share, asked, err)
	return leased, err
}

// leaseFor is what to ask for, for which memory is acquired.
func (d *drain) leaseFor(ctx context.Context, mode pg.LeaseMode) (r pg.LeaseRequest, share int64) {
	if d.payer == (id.UUID{}) {
		d.payer = d.Processor.payer(ctx, d.key.Workspace)
	}
	share = d.acquireMemory()
	return pg.LeaseRequest{Workspace: d.key.Workspace, Endpoint: d.key.Endpoint, Token: d.token, Lease: leaseTime,
		Limit: d.limit, Bytes: int(max(1, share/dataCopies)), Mode: mode, After: d.after, Patience: patienceAlone}, share
}

// take notes what came of leaseFor.
func (d *drain) take(leased *pg.LeasedBatch, share int64, asked time.Time, err error) {
	d.holdMemory(share, leased.Due)
	switch {
	case err != nil:
		d.leased = true // perhaps: the answer was lost
	case len(leased.Due) > 0:
		d.leased, d.renewed = true, d.Now().Add(-time.Since(asked)) // the lease counts from before its lock was waited for
		d.seen.at(asked)
		d.health.begin(&leased.Endpoint)
	}
	if e := &leased.Endpoint; e.Unreadable != nil {
		d.Log.Error("secrets unreadable, deliveries wait", "key", d.key.String(), "error", e.Unreadable.Error())
		e.MaxInFlight = 1 // one attempt tells it for all
	}
}

// readAhead is a lease that was read while the one before was sent.
type readAhead struct {
	leased pg.LeasedBatch
	share  int64
	asked  time.Time
	err    error
}

// aheadAfter is for how long a delivery must have been due so that the next lease begins after it, whatever the clocks
// say: three times of what pg allows for what is committed late.
const aheadAfter = 15 * time.Second

// leaseAhead reads what follows a lease of a long backlog while that is sent, of an endpoint that is quick, has had no
// trouble and lets deliveries come at any rate. The channel is nil where that is not so, or memory is short.
func (d *drain) leaseAhead(r *run, leased *pg.LeasedBatch, mode pg.LeaseMode) <-chan readAhead {
	e, after := &leased.Endpoint, d.nextAfter(leased)
	if mode != pg.LeaseForDrain || !leased.More || after == (pg.DueKey{}) || d.Now().Sub(after.NextAt) < aheadAfter ||
		e.Rate > 0 || e.Health.Failures > 0 || d.slow || r.accepting.Err() != nil {
		return nil
	}
	req, share := d.leaseFor(r.abort, pg.LeaseAhead)
	if share < leaseBytes/2 {
		d.Memory.Release(d.payer, share)
		return nil
	}
	req.After = after
	next := make(chan readAhead, 1)
	go func() {
		asked := time.Now()
		ahead, err := d.DB.LeaseDue(r.abort, req)
		next <- readAhead{ahead, share, asked, err}
	}()
	return next
}

// takeAhead makes what was read the next lease, or drops it, for which nothing is to be given up. It is dropped where it
// was read a while ago, too, as its owner may have changed the endpoint since. Its health is as we know it: whoever else
// changes that takes the lease away.
func (d *drain) takeAhead(next readAhead, keep bool) {
	d.slow = time.Since(next.asked) > webhook.BeginWithin
	if !keep || !d.leased || d.slow || next.err != nil || len(next.leased.Due) == 0 || next.leased.Endpoint.Unreadable != nil {
		d.Memory.Release(d.payer, next.share)
		return
	}
	d.holdMemory(next.share, next.leased.Due)
	d.seen.at(next.asked)
	d.ahead = &next.leased
}

// leaseSeen is when Postgres was last asked about the lease and said that it is ours.
type leaseSeen struct {
	mu    sync.Mutex
	asked time.Time
}

func (s *leaseSeen) at(asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked.After(s.asked) {
		s.asked = asked
	}
}

// mayBegin reports whether an attempt may begin: not longer than webhook.BeginWithin after the lease was seen to be
// ours. Where that is longer ago it asks. So whoever takes the lease away knows when nothing more begins, and what was
// erased meanwhile is not sent from memory.
func (b *batch) mayBegin() bool {
	s := &b.seen
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < webhook.BeginWithin {
		return true
	}
	asked := time.Now()
	held, err := b.DB.HasLease(b.run.abort, b.key.Workspace, b.key.Endpoint, b.token)
	switch {
	case err != nil:
		b.Log.Warn("lease not confirmed", "key", b.key.String(), "error", err.Error())
	case held:
		s.asked = asked
	}
	return held
}

// release gives up the lease if we may have it. A run must not end with it: the endpoint would rest until the lease
// expires.
func (d *drain) release() {
	d.ahead = nil
	if err := d.recordUnrecorded(context.Background()); err != nil {
		d.Log.Warn("record outcomes failed", "key", d.key.String(), "error", err.Error())
	}
	d.releaseMemory()
	if !d.leased {
		return
	}
	ctx, cancel := closing(context.Background())
	defer cancel()
	if err := d.record(ctx, nil, 0, time.Time{}); err != nil {
		d.Log.Warn("release lease failed", "key", d.key.String(), "error", err.Error())
	}
}
