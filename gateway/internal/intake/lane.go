package intake

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// How long a lead may be held up by another transaction that has its email: an import's round, or an open change. No
// statement waits for long: it has other emails meanwhile, and a connection.
const (
	shortWait    = 15 * time.Millisecond   // of one statement
	blockedPause = 20 * time.Millisecond   // between two statements, on average
	blockedFor   = 2500 * time.Millisecond // in all
	contendedFor = time.Second             // a workspace's leads stay out of the group commit after one had to wait
)

// How many leads may queue for a slot of a lane, half of them of one workspace; one more is a 503.
const maxAlone, maxBlocked = 1024, 128

// lanes are where a lead goes whose workspace has emails in other transactions, so that it holds nobody else up. Their
// slots are a part of the connections, and no workspace can have all of them.
//
//	group commit --15 ms--> alone: one lead, 15 ms --> blocked: one lead, 15 ms, again and again
type lanes struct {
	alone, blocked *limit.Semaphore[id.UUID]

	mu        sync.Mutex
	contended map[id.UUID]time.Time // workspaces, and until when their leads go straight to the lane alone
}

// newLanes returns lanes for a pool of so many connections.
func newLanes(connections int) *lanes {
	slots := max(1, connections/4)
	each := max(1, slots/2)
	return &lanes{alone: limit.NewSemaphore[id.UUID](each, slots, maxAlone),
		blocked: limit.NewSemaphore[id.UUID](each, slots, maxBlocked), contended: map[id.UUID]time.Time{}}
}

// isContended reports whether one of a workspace's leads had to wait a moment ago.
func (l *lanes) isContended(workspace id.UUID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, ok := l.contended[workspace]
	if ok && !now.Before(until) {
		delete(l.contended, workspace)
		return false
	}
	return ok
}

func (l *lanes) contend(workspace id.UUID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.contended[workspace] = now.Add(contendedFor)
}

// insertAlone writes a lead by itself, in its caller's goroutine. Where another transaction has the email it tries
// again in the other lane, until that has ended.
func (s *Service) insertAlone(ctx context.Context, p *tenant.Principal, l pg.NewLead) commitResult {
	waiting, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	res := s.insertIn(waiting, s.lanes.alone, p, l)
	if !res.lockTimeout() {
		return res
	}
	blocked, cancel := context.WithTimeout(ctx, blockedFor)
	defer cancel()
	retryLocked(blocked, func() error {
		s.lanes.contend(l.WorkspaceID, s.Now())
		res = s.insertIn(blocked, s.lanes.blocked, p, l)
		return res.err
	})
	return res
}

// retryLocked runs insert, again after a pause where that is pg.ErrLockTimeout, until ctx ends.
func retryLocked(ctx context.Context, insert func() error) {
	for errors.Is(insert(), pg.ErrLockTimeout) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rand.N(2 * blockedPause)):
		}
	}
}

// insertIn writes a lead with a slot of a lane, for which it waits until ctx ends.
func (s *Service) insertIn(ctx context.Context, lane *limit.Semaphore[id.UUID], p *tenant.Principal,
	l pg.NewLead) commitResult {
	release, err := lane.Acquire(ctx, p.Payer())
	if err != nil {
		return commitResult{err: fault.StoreUnavailable(err, fullRetry)}
	}
	defer release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return s.insertRecovered(ctx, []pg.NewLead{l})[0]
}
