package auth

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"leadgate/shared/fault"
)

// Limits of a cache.
const (
	maxEntries  = 100_000
	loadTimeout = 2 * time.Second  // of one look-up, however many callers wait for it
	grace       = 60 * time.Second // how long a found entry may be used while the store cannot be reached
	retryEvery  = time.Second      // between look-ups of one entry during its grace
)

// cache keeps the results of look-ups, also of those that found nothing. One look-up per key runs at a time.
type cache[K comparable, V any] struct {
	now      func() time.Time
	name     func(K) string // for singleflight
	load     func(context.Context, K) (v V, found bool, err error)
	foundTTL time.Duration
	noneTTL  time.Duration

	flight  singleflight.Group
	mu      sync.RWMutex
	entries map[K]entry[V]
}

type entry[V any] struct {
	value  V
	found  bool
	loaded time.Time // when the look-up that gave value began
	until  time.Time // when it becomes stale
}

func (c *cache[K, V]) peek(k K) (entry[V], bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[k]
	return e, ok
}

// get returns the entry of k, and looks it up when there is none or it is stale.
func (c *cache[K, V]) get(ctx context.Context, k K) (v V, found bool, err error) {
	if e, ok := c.peek(k); ok && c.now().Before(e.until) {
		return e.value, e.found, nil
	}
	// The look-up outlives a caller that gives up, because others wait for the same one.
	loading := c.flight.DoChan(c.name(k), func() (any, error) {
		return c.refresh(context.WithoutCancel(ctx), k)
	})
	select {
	case r := <-loading:
		if r.Err != nil {
			return v, false, r.Err
		}
		e := r.Val.(entry[V])
		return e.value, e.found, nil
	case <-ctx.Done():
		return v, false, fault.StoreUnavailable(ctx.Err(), time.Second)
	}
}

// refresh looks k up. While the store cannot be reached, an entry that was found stays valid for its grace. A look-up
// that finds nothing replaces it at once, so the grace never outlives a revocation that this process has seen.
func (c *cache[K, V]) refresh(ctx context.Context, k K) (entry[V], error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	start := c.now()
	v, found, err := c.load(ctx, k)
	if err != nil {
		old, ok := c.peek(k)
		if !ok || !old.found || !fault.Is(err, fault.Unavailable) || !c.now().Before(old.loaded.Add(grace)) {
			return entry[V]{}, err
		}
		old.until = c.now().Add(retryEvery)
		c.put(k, old)
		return old, nil
	}
	e := entry[V]{v, found, start, start.Add(c.noneTTL)}
	if found {
		e.until = start.Add(c.foundTTL)
	}
	c.put(k, e)
	return e, nil
}

func (c *cache[K, V]) put(k K, e entry[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[K]entry[V]{}
	}
	if _, ok := c.entries[k]; !ok && len(c.entries) >= maxEntries {
		c.evict()
	}
	c.entries[k] = e
}

// evict removes a stale entry among a few random ones, or else any of them: it is only looked up again.
func (c *cache[K, V]) evict() {
	now, seen := c.now(), 0
	var victim K
	for k, e := range c.entries { // Go's map order is random
		if victim = k; !now.Before(e.until) {
			break
		}
		if seen++; seen == 8 {
			break
		}
	}
	delete(c.entries, victim)
}
