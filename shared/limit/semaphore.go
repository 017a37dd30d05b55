package limit

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Why a Semaphore has no slot.
var (
	ErrKeyFull = errors.New("the key has all its slots in use") // of the caller's key
	ErrFull    = errors.New("all slots are in use")             // of all keys together
)

// Semaphore bounds how many slots each key has in use, and all keys together. Callers that wait get a slot first come,
// first served; only those whose key has all its own slots are passed over meanwhile, and no key has more than half of
// the places to wait, so that no key's burst keeps another waiting. A free slot is never left to a newcomer while a
// waiting caller may have it.
type Semaphore[K comparable] struct {
	perKey, total, maxWaiting int

	mu      sync.Mutex
	used    map[K]int
	all     int // slots in use
	waiting []waiter[K]
}

// waiter is a caller of Acquire; granted is closed once it has its slot.
type waiter[K comparable] struct {
	key     K
	granted chan struct{}
}

// NewSemaphore returns a semaphore of perKey slots for each key and total slots in all, for which maxWaiting callers
// may wait, half of them of one key.
func NewSemaphore[K comparable](perKey, total, maxWaiting int) *Semaphore[K] {
	return &Semaphore[K]{perKey: perKey, total: total, maxWaiting: maxWaiting, used: map[K]int{}}
}

// TryAcquire takes a slot without waiting for one. release gives it back and may be called more than once. The error is
// ErrKeyFull or ErrFull.
func (s *Semaphore[K]) TryAcquire(key K) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.full(key); err != nil {
		return nil, err
	}
	s.take(key, 1)
	return s.releaser(key), nil
}

// Acquire is TryAcquire that waits for a slot until ctx ends, unless as many wait already as may. The error says
// which slots were in use in the end.
func (s *Semaphore[K]) Acquire(ctx context.Context, key K) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.full(key)
	if err == nil {
		s.take(key, 1)
		return s.releaser(key), nil
	}
	if len(s.waiting) >= s.maxWaiting || s.waitingOf(key) >= (s.maxWaiting+1)/2 {
		return nil, err
	}
	granted := make(chan struct{})
	s.waiting = append(s.waiting, waiter[K]{key, granted})
	s.mu.Unlock()
	select {
	case <-granted:
	case <-ctx.Done():
	}
	s.mu.Lock()
	at := slices.IndexFunc(s.waiting, func(w waiter[K]) bool { return w.granted == granted })
	if at < 0 { // granted, perhaps just as ctx ended
		return s.releaser(key), nil
	}
	s.waiting = slices.Delete(s.waiting, at, at+1)
	return nil, s.full(key)
}

// TryAcquireUpTo takes as many slots as there are, n at most and perhaps none; Release gives them back.
func (s *Semaphore[K]) TryAcquireUpTo(key K, n int) (taken int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken = max(0, min(n, s.perKey-s.used[key], s.total-s.all))
	s.take(key, taken)
	return taken
}

// Release gives n slots back and passes them on to callers that wait.
func (s *Semaphore[K]) Release(key K, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all -= n
	if s.used[key] -= n; s.used[key] == 0 {
		delete(s.used, key)
	}
	for i := 0; i < len(s.waiting) && s.all < s.total; {
		w := s.waiting[i]
		if s.full(w.key) != nil {
			i++
			continue
		}
		s.take(w.key, 1)
		close(w.granted)
		s.waiting = slices.Delete(s.waiting, i, i+1)
	}
}

func (s *Semaphore[K]) waitingOf(key K) (n int) {
	for i := range s.waiting {
		if s.waiting[i].key == key {
			n++
		}
	}
	return n
}

// full returns why the key has no slot; nil: it has one.
func (s *Semaphore[K]) full(key K) error {
	switch {
	case s.used[key] >= s.perKey:
		return ErrKeyFull
	case s.all >= s.total:
		return ErrFull
	}
	return nil
}

func (s *Semaphore[K]) take(key K, n int) {
	if n > 0 {
		s.used[key] += n
		s.all += n
	}
}

func (s *Semaphore[K]) releaser(key K) func() {
	return sync.OnceFunc(func() { s.Release(key, 1) })
}
