package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	readyFor  = time.Second     // how long an answer counts
	readyTime = 2 * time.Second // what one ping may take
)

// readiness is whether requests should come here: only Postgres decides, because without Redis leads are still taken
// in. Anybody may ask, and so asking costs Postgres one ping a second at most, however many ask.
type readiness struct {
	ping     func(context.Context) error
	now      func() time.Time
	stopping <-chan struct{} // closed once the process is to end

	mu    sync.Mutex // held while one caller pings; the others wait for its answer
	until time.Time  // zero: nobody has asked
	err   error
}

func newReadiness(ping func(context.Context) error, now func() time.Time, stopping <-chan struct{}) *readiness {
	return &readiness{ping: ping, now: now, stopping: stopping}
}

var errStopping = errors.New("this gateway is about to end")

// check returns why no requests should come here.
func (r *readiness) check(ctx context.Context) error {
	select {
	case <-r.stopping:
		return errStopping
	default:
		return r.postgres(ctx)
	}
}

// postgres returns why nothing can be stored.
func (r *readiness) postgres(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Before(r.until) {
		return r.err
	}
	// Without the caller's end: one who leaves must not make the answer of all others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
	defer cancel()
	r.err = r.ping(ctx)
	r.until = r.now().Add(readyFor)
	return r.err
}
