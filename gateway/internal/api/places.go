package api

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// places are what transfers take at a gateway: so many of a workspace, and so many in all. When all are taken, the
// slowest transfer of the workspace that has most gives way to one of a workspace that has fewer, so that a few slow
// clients lock nobody out.
type places struct {
	perKey, total int
	noun          string        // "uploads"
	window        time.Duration // in which each must keep the minimum rate

	mu    sync.Mutex
	taken []*transfer
}

// ownWindows is for how many windows of a transfer a workspace's only place is its own.
const ownWindows = 10

// gaveWayFor is when a transfer that gave way is to be tried again.
const gaveWayFor = time.Minute

// take begins a transfer of a workspace. interrupt ends its wait for the client, from any goroutine; release gives the
// place back, if it still has it.
func (p *places) take(workspace id.UUID, interrupt func()) (t *transfer, release func(), err error) {
	t = newTransfer(workspace, p.window, interrupt)
	p.mu.Lock()
	defer p.mu.Unlock()
	used := map[id.UUID]int{}
	for _, other := range p.taken {
		used[other.workspace]++
	}
	if used[workspace] >= p.perKey {
		text := fmt.Sprintf("At most %d %s of a workspace can run at a time", p.perKey, p.noun)
		return nil, nil, &fault.Error{Kind: fault.RateLimited, Public: text, RetryAfter: time.Second}
	}
	if len(p.taken) >= p.total {
		slowest := p.slowest(used, workspace, t.begin)
		if slowest == nil {
			return nil, nil, &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Second,
				Public: "Too many " + p.noun + " are running at the moment; please retry"}
		}
		p.remove(slowest)
		slowest.giveWay(&fault.Error{Kind: fault.Unavailable, RetryAfter: gaveWayFor,
			Public: "Too many " + p.noun + " are running, and this one was the slowest: it gave way to another workspace's. " +
				"Nothing of it is kept; please try again"})
	}
	p.taken = append(p.taken, t)
	return t, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.remove(t)
	}, nil
}

// slowest returns the transfer that gives way to one of a workspace; nil: none does. A workspace that has more places
// than the other would have gives one up at once; where each has one at most, one that was had for long.
func (p *places) slowest(used map[id.UUID]int, workspace id.UUID, now time.Time) (slowest *transfer) {
	for _, t := range p.taken {
		n := used[t.workspace]
		old := used[workspace] == 0 && now.Sub(t.begin) >= ownWindows*p.window
		if n <= used[workspace]+1 && !old {
			continue
		}
		if slowest == nil || n > used[slowest.workspace] ||
			n == used[slowest.workspace] && t.rate(now) < slowest.rate(now) {
			slowest = t
		}
	}
	return slowest
}

func (p *places) remove(t *transfer) {
	p.taken = slices.DeleteFunc(p.taken, func(other *transfer) bool { return other == t })
}

// interruptRead ends a wait for the body of a request; interruptWrite one for the client that reads the answer.
func interruptRead(w http.ResponseWriter) func() {
	return func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) }
}

func interruptWrite(w http.ResponseWriter) func() {
	return func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) }
}
