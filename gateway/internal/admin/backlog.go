package admin

import (
	"context"
	"sync"
	"time"

	"leadgate/shared/pg"
)

// Limits of what the backlog's counts cost Postgres, however often the metrics are scraped.
const (
	backlogTimeout  = 2 * time.Second
	backlogInterval = 10 * time.Second
	backlogRest     = 20 // a count is kept for at least this many times as long as it took
)

// backlog caches the counts of what waits to be sent.
type backlog struct {
	count func(context.Context) (pg.Backlog, error)
	now   func() time.Time

	mu    sync.Mutex
	until time.Time // when the cached counts become stale
	last  pg.Backlog
	ok    bool
}

// read returns the counts; false means that they could not be taken in time.
func (b *backlog) read() (pg.Backlog, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	began := b.now()
	if began.Before(b.until) {
		return b.last, b.ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	last, err := b.count(ctx)
	b.last, b.ok = last, err == nil
	ended := b.now()
	b.until = ended.Add(max(backlogInterval, backlogRest*ended.Sub(began)))
	return b.last, b.ok
}
