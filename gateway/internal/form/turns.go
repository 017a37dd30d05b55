package form

import (
	"context"
	"slices"
	"sync"

	"leadgate/shared/id"
)

// turns bounds what runs at a time, of a workspace and in all. Who finds no room waits for it, first come first served but for those whose
// workspace has its share already: one workspace's crowd keeps no other waiting.
type turns struct {
	each, all, waiting int // the bounds

	mu    sync.Mutex
	of    map[id.UUID]int
	total int
	queue []turn
}

type turn struct {
	workspace id.UUID
	comes     chan struct{}
}

// take waits for a turn until ctx ends; done gives it back. It is not ok when none came, or when too many wait.
func (t *turns) take(ctx context.Context, workspace id.UUID) (done func(), ok bool) {
	t.mu.Lock()
	done = sync.OnceFunc(func() { t.end(workspace) })
	if t.room(workspace) {
		t.mu.Unlock()
		return done, true
	}
	if len(t.queue) >= t.waiting {
		t.mu.Unlock()
		return nil, false
	}
	mine := turn{workspace, make(chan struct{})}
	t.queue = append(t.queue, mine)
	t.mu.Unlock()
	select {
	case <-mine.comes:
		return done, true
	case <-ctx.Done():
	}
	t.mu.Lock()
	at := slices.IndexFunc(t.queue, func(other turn) bool { return other.comes == mine.comes })
	if at >= 0 {
		t.queue = slices.Delete(t.queue, at, at+1)
	}
	t.mu.Unlock()
	return done, at < 0 // it came at the same moment
}

// room takes a turn if there is one.
func (t *turns) room(workspace id.UUID) bool {
	if t.total >= t.all || t.of[workspace] >= t.each {
		return false
	}
	if t.of == nil {
		t.of = map[id.UUID]int{}
	}
	t.of[workspace]++
	t.total++
	return true
}

func (t *turns) end(workspace id.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total--
	if t.of[workspace]--; t.of[workspace] == 0 {
		delete(t.of, workspace)
	}
	for i, next := range t.queue {
		if t.room(next.workspace) {
			t.queue = slices.Delete(t.queue, i, i+1)
			close(next.comes)
			return
		}
	}
}
