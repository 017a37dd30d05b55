package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// limit takes one request from the workspace's rate limit, tells the client where it stands, and is RATE_LIMITED when nothing is left.
func (a *api) limit(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	_, err := a.admit(w, r, p)
	return err
}

// admit is limit with what it was told.
func (a *api) admit(w http.ResponseWriter, r *http.Request, p *tenant.Principal) (tenant.Verdict, error) {
	v := a.Intake.Limit(r.Context(), p)
	tellLimit(w, p, v)
	if v.Limited {
		return v, &fault.Error{Kind: fault.RateLimited, Public: "Too many requests", RetryAfter: v.RetryAfter}
	}
	return v, nil
}

// refuse is how a gated route fails before it came to the gate: mistakes count against the limit too.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, p *tenant.Principal, reason error) error {
	if claimOf(r) != nil { // it was asked before
		return reason
	}
	if err := a.limit(w, r, p); err != nil {
		return err
	}
	return reason
}

// misplaced answers a publishable key as a Bearer. Everybody can read such a key in a page, so it takes nothing from its workspace's rate limit.
func (a *api) misplaced(r *http.Request) error {
	if wait := a.Forms.Misplaced(r); wait > 0 {
		return &fault.Error{Kind: fault.RateLimited, Public: "Too many requests with a publishable key, which opens its form, POST /f/{key}, and nothing else", RetryAfter: wait}
	}
	return fault.New(fault.Forbidden, "A publishable key opens its form, POST /f/{key}, and nothing else")
}

// tellLimit sets RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10) and the older X-RateLimit fields.
// The map is written directly: Set would change their spelling and costs more.
func tellLimit(w http.ResponseWriter, p *tenant.Principal, v tenant.Verdict) {
	rate := p.Settings.Limit()
	burst, left, reset := strconv.Itoa(rate.Burst), strconv.Itoa(v.Remaining), strconv.Itoa(wholeSeconds(v.Reset))
	h := w.Header()
	h["RateLimit-Policy"] = []string{`"workspace";q=` + burst + `;w=` + strconv.Itoa(wholeSeconds(rate.Window()))}
	h["RateLimit"] = []string{`"workspace";r=` + left + `;t=` + reset}
	h["X-RateLimit-Limit"] = []string{burst}
	h["X-RateLimit-Remaining"] = []string{left}
	h["X-RateLimit-Reset"] = []string{reset}
}

// wholeSeconds rounds up, so that a client that waits so long is never early.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

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
