package api

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// maxReads is how many expensive reads of a workspace run at a time, at a gateway.
const maxReads = 3

// maxBatches is how many batches of a workspace's leads are taken in at a time, at a gateway.
const maxBatches = 4

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
	return func() { s.end(workspace) }, nil
}

func (s *slots) end(workspace id.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.of[workspace]--; s.of[workspace] == 0 {
		delete(s.of, workspace)
	}
}

// few lets few batches be taken in at a time.
func (a *api) few(do operation) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		done, err := a.batches.begin(p.WorkspaceID)
		if err != nil {
			return err
		}
		defer done()
		return do(w, r, p)
	}
}

// heavy lets few of an expensive read run at a time, so that the intake of leads always finds a connection.
func (a *api) heavy(do operation) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		done, err := a.reads.begin(p.WorkspaceID)
		if err != nil {
			return err
		}
		defer done()
		return do(w, r, p)
	}
}
