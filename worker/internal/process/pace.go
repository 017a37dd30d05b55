package process

import (
	"context"
	"sync"
	"time"
)

// Sends may catch up by paceSlack when they were late: a rate holds over a tenth of a second, not between each two.
const (
	paceSlack = 100 * time.Millisecond
	maxPace   = 2 * time.Second // from one send to the next, at the lowest rate, and a little
)

// pace keeps sends to an endpoint's rate. Where it stands is recorded with the outcomes, so that it holds across turns and workers.
type pace struct {
	step time.Duration // 0: no limit

	mu   sync.Mutex
	next time.Time // when the next send is due
}

func newPace(rate int, until time.Time) *pace {
	p := &pace{next: until}
	if latest := time.Now().Add(maxPace); p.next.After(latest) { // another worker's clock is ahead
		p.next = latest
	}
	if rate > 0 {
		p.step = time.Second / time.Duration(rate)
	}
	return p
}

// wait waits for a turn to send; false: ctx ended first.
func (p *pace) wait(ctx context.Context) bool {
	if p.step == 0 {
		return true
	}
	p.mu.Lock()
	at := p.next
	if oldest := time.Now().Add(-paceSlack); at.Before(oldest) {
		at = oldest
	}
	p.next = at.Add(p.step)
	p.mu.Unlock()
	pause := time.Until(at)
	if pause <= 0 {
		return true
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		p.mu.Lock()
		p.next = p.next.Add(-p.step) // not used
		p.mu.Unlock()
		return false
	}
}

// until is what to record: nothing may be sent before; zero without a limit.
func (p *pace) until() time.Time {
	if p.step == 0 {
		return time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}
