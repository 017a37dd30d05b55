package intake

import (
	"context"
	"sync"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
)

// How long a lead waits for another transaction that has its email: an import's round, or an open change.
const (
	sharedLockWait = 15 * time.Millisecond   // in a statement with others, which wait too
	laneLockWait   = 2500 * time.Millisecond // by itself
	contendedFor   = time.Second             // a workspace's leads stay out of the group commit after one had to wait
)

// How many leads may queue for a slot of a lane; one more is a 503.
const maxAlone, maxBlocked = 1024, 64

// lanes are where a lead goes whose workspace has emails in other transactions, so that it holds nobody else up. Their
// slots are a part of the connections, and no workspace can have all of them.
//
//	group commit --15 ms--> alone: one lead, 15 ms --> blocked: one lead, until the other transaction ends
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

// insertAlone writes a lead by itself, in its caller's goroutine. Where the email is in another transaction it waits
// for the end of that, in the other lane.
func (s *Service) insertAlone(ctx context.Context, l pg.NewLead) commitResult {
	res := s.insertIn(ctx, s.lanes.alone, l, sharedLockWait)
	if !res.lockTimeout() {
		return res
	}
	s.lanes.contend(l.WorkspaceID, s.Now())
	res = s.insertIn(ctx, s.lanes.blocked, l, laneLockWait)
	if res.lockTimeout() {
		s.lanes.contend(l.WorkspaceID, s.Now())
	}
	return res
}

func (s *Service) insertIn(
	ctx context.Context, lane *limit.Semaphore[id.UUID], l pg.NewLead, lockWait time.Duration,
) commitResult {
	queued, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	release, err := lane.Acquire(queued, l.WorkspaceID)
	if err != nil {
		return commitResult{err: fault.StoreUnavailable(err, fullRetry)}
	}
	defer release()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	done, err := s.insert(ctx, []pg.NewLead{l}, lockWait)
	if err != nil {
		return commitResult{err: err}
	}
	return done[0]
}
