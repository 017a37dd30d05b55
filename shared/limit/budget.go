package limit

import "sync"

// share is which part of what is left one may have: a quarter. However many take all they may, the next one finds
// something.
const share = 4

// Budget is a memory budget: it counts what each key holds of a number of bytes that all keys share. A key may hold a
// quarter of what the others leave of the total, so none can take all of it.
type Budget[K comparable] struct {
	total int64

	mu    sync.Mutex
	used  map[K]int64
	all   int64
	short int64 // how often somebody got less than was asked for
}

// NewBudget returns a budget of total bytes.
func NewBudget[K comparable](total int64) *Budget[K] {
	return &Budget[K]{total: total, used: map[K]int64{}}
}

// TryAcquire takes n bytes, or none. Release gives them back.
func (b *Budget[K]) TryAcquire(key K, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free(key) < n {
		b.short++
		return false
	}
	b.take(key, n)
	return true
}

// TryAcquireUpTo takes n bytes, or a quarter of what the key may take where that is less, so that something is left for
// others of the same key. It may be none. Release gives them back.
func (b *Budget[K]) TryAcquireUpTo(key K, n int64) (taken int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if taken = max(0, min(n, b.free(key)/share)); taken < n {
		b.short++
	}
	b.take(key, taken)
	return taken
}

// Charge takes n bytes that the key holds already, also where the budget has no room for them: others get less.
func (b *Budget[K]) Charge(key K, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take(key, n)
}

// Release gives n bytes back.
func (b *Budget[K]) Release(key K, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take(key, -n)
}

// Usage is how a budget is used.
type Usage struct {
	Total, Used int64 // bytes
	Short       int64 // how often somebody got less than was asked for
}

// Usage returns how the budget is used now.
func (b *Budget[K]) Usage() Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Usage{b.total, b.all, b.short}
}

// free returns how much the key may take; it is negative where the key holds more than it may.
func (b *Budget[K]) free(key K) int64 {
	own := b.used[key]
	return (b.total-(b.all-own))/share - own
}

func (b *Budget[K]) take(key K, n int64) {
	if n == 0 {
		return
	}
	b.all += n
	if b.used[key] += n; b.used[key] == 0 {
		delete(b.used, key)
	}
}
