package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/tenant"
)

// What a workspace, and all together, may have under way at a gateway.
const (
	maxReads   = 3   // expensive reads of a workspace
	maxBatches = 4   // batches of a workspace that are taken in
	maxWaiting = 256 // streams that wait for an expensive read; the rest fail at once

	streamWait = 20 * time.Second // how long a stream waits for each of its reads
)

// semaphore is a limit.Semaphore of workspaces whose errors are answers.
type semaphore struct {
	slots  *limit.Semaphore[id.UUID]
	perKey int
	noun   string     // what it bounds: "tests"
	full   fault.Kind // the error when all workspaces together have too many
}

func newSemaphore(perWorkspace, total int, noun string, full fault.Kind) semaphore {
	return semaphore{limit.NewSemaphore[id.UUID](perWorkspace, total, maxWaiting), perWorkspace, noun, full}
}

// tryAcquire takes a slot of the workspace; release gives it back.
func (s semaphore) tryAcquire(workspace id.UUID) (release func(), err error) {
	release, err = s.slots.TryAcquire(workspace)
	return release, s.answer(err)
}

// acquire is tryAcquire that waits: for streams, which cannot answer 429 any more once they have begun.
func (s semaphore) acquire(ctx context.Context, workspace id.UUID) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, streamWait)
	defer cancel()
	release, err = s.slots.Acquire(ctx, workspace)
	return release, s.answer(err)
}

func (s semaphore) answer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, limit.ErrKeyFull):
		text := fmt.Sprintf("At most %d %s of a workspace can run at a time", s.perKey, s.noun)
		return &fault.Error{Kind: fault.RateLimited, Public: text, RetryAfter: time.Second}
	}
	text := "Too many " + s.noun + " are running at the moment; please retry"
	return &fault.Error{Kind: s.full, Public: text, RetryAfter: time.Second}
}

// limitExpensive bounds how many expensive reads run at a time, so that the intake of leads always finds a connection.
// The slot is released at the first byte of the answer: the rows have been read by then, and a client that takes the
// answer slowly keeps nobody waiting.
func (a *api) limitExpensive(do operation) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		release, err := a.reads.tryAcquire(p.Payer())
		if err != nil {
			return err
		}
		defer release()
		return do(&firstByteWriter{w, release}, r, p)
	}
}

// firstByteWriter calls began before the first byte of an answer, and before each later one.
type firstByteWriter struct {
	http.ResponseWriter
	began func()
}

func (w *firstByteWriter) WriteHeader(status int) {
	w.began()
	w.ResponseWriter.WriteHeader(status)
}

func (w *firstByteWriter) Write(b []byte) (int, error) {
	w.began()
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *firstByteWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
