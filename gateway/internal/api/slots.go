package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// maxReads is how many expensive reads of a workspace run at a time, at a gateway.
const maxReads = 3

// Batches at a gateway.
const (
	maxBatches = 4   // of a workspace that are taken in at a time
	maxBodies  = 16  // of a workspace that come in at a time
	allBodies  = 256 // of all
)

// slots bounds what runs at a time, for each workspace and in all.
type slots struct {
	each, all int        // the bounds
	what      string     // runs: "tests"
	full      fault.Kind // the error beyond all

	mu    sync.Mutex
	of    map[id.UUID]int
	total int
}

// begin takes a slot; done gives it back.
func (s *slots) begin(workspace id.UUID) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.of[workspace] >= s.each:
		return nil, &fault.Error{Kind: fault.RateLimited, Public: fmt.Sprintf("At most %d %s of a workspace can run at a time", s.each, s.what), RetryAfter: time.Second}
	case s.total >= s.all:
		return nil, &fault.Error{Kind: s.full, Public: fmt.Sprintf("Too many %s run just now, please retry", s.what), RetryAfter: time.Second}
	}
	if s.of == nil {
		s.of = map[id.UUID]int{}
	}
	s.of[workspace]++
	s.total++
	return sync.OnceFunc(func() { s.end(workspace) }), nil
}

func (s *slots) end(workspace id.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.of[workspace]--; s.of[workspace] == 0 {
		delete(s.of, workspace)
	}
}

// turnWait is how long a stream waits for its turn among the expensive reads, for each page.
const turnWait = 20 * time.Second

// turn is begin that waits for a slot: for streams, which cannot be told to come back once they have begun.
func (s *slots) turn(ctx context.Context, workspace id.UUID) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	for {
		if done, err = s.begin(workspace); err == nil {
			return done, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// few lets few batches be taken in at a time. A batch takes its place when it is there: a client that sends slowly keeps nobody's.
func (a *api) few(do operation) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		read, err := a.bodies.begin(p.WorkspaceID)
		if err != nil {
			return err
		}
		defer read()
		if _, err := httpx.ReadBody(w, r, maxBatchBody); err != nil {
			a.countMistake(p.WorkspaceID, err)
			return err
		}
		done, err := a.batches.begin(p.WorkspaceID)
		if err != nil {
			return err
		}
		defer done()
		return do(w, r, p)
	}
}

// heavy lets few of an expensive read run at a time, so that the intake of leads always finds a connection. A read is over when its answer
// begins: by then it was read, and a client that takes the answer slowly keeps nobody waiting.
func (a *api) heavy(do operation) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		done, err := a.reads.begin(p.WorkspaceID)
		if err != nil {
			return err
		}
		defer done()
		return do(&headed{w, done}, r, p)
	}
}

// headed tells when an answer begins.
type headed struct {
	http.ResponseWriter
	begins func()
}

func (h *headed) WriteHeader(status int) {
	h.begins()
	h.ResponseWriter.WriteHeader(status)
}

func (h *headed) Write(b []byte) (int, error) {
	h.begins()
	return h.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (h *headed) Unwrap() http.ResponseWriter { return h.ResponseWriter }
