package limit

import (
	"sync"
	"time"
)

// maxKeys bounds the memory of a Local, which is about 10 MB then.
const maxKeys = 100_000

// Local is a rate limiter of this process alone, with a limit for each key; the zero value is ready. It remembers
// maxKeys keys. Beyond them it forgets those whose burst is full again and, if they are few, all: that lets a burst
// through and nothing worse.
type Local[K comparable] struct {
	mu  sync.Mutex
	tat map[K]time.Time // theoretical arrival times, see Rate.Decide
}

// Take takes one event from the key's limit.
func (l *Local[K]) Take(key K, r Rate, now time.Time) Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tat == nil || len(l.tat) >= maxKeys {
		l.makeRoom(now)
	}
	d, tat := r.Decide(l.tat[key], now)
	l.tat[key] = tat
	return d
}

// Peek returns what Take would, and takes nothing.
func (l *Local[K]) Peek(key K, r Rate, now time.Time) Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, _ := r.Decide(l.tat[key], now)
	return d
}

// makeRoom forgets the keys whose burst is full again, for which that changes nothing, and all keys where those are too
// few: the next walk over the map must be far away.
func (l *Local[K]) makeRoom(now time.Time) {
	for key, tat := range l.tat {
		if tat.Before(now) {
			delete(l.tat, key)
		}
	}
	if l.tat == nil || len(l.tat) > maxKeys/2 {
		l.tat = map[K]time.Time{}
	}
}
