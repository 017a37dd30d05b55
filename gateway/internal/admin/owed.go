package admin

import (
	"context"
	"sync"
	"time"

	"leadgate/shared/pg"
)

// What counting what is owed may cost, however often somebody scrapes.
const (
	owedTimeout = 2 * time.Second
	owedEvery   = 10 * time.Second
	owedShare   = 20 // times as long as it took there is a rest
)

// owed remembers for a while what is owed.
type owed struct {
	count func(context.Context) (pg.Owed, error)
	now   func() time.Time

	mu    sync.Mutex
	until time.Time // what is remembered is good
	last  pg.Owed
	ok    bool
}

// read returns what is owed; false: it could not be counted in time.
func (o *owed) read() (pg.Owed, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	began := o.now()
	if began.Before(o.until) {
		return o.last, o.ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), owedTimeout)
	defer cancel()
	last, err := o.count(ctx)
	o.last, o.ok = last, err == nil
	ended := o.now()
	o.until = ended.Add(max(owedEvery, owedShare*ended.Sub(began)))
	return o.last, o.ok
}
