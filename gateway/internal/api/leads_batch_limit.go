package api

import (
	"context"
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

const (
	batchCopies        = 4 // of a batch's body, in other forms, while it is written
	batchWait          = 10 * time.Second
	defaultBatchMemory = 128 << 20
)

// limitBatches bounds how many batches run at a time, and how much memory they take. A batch takes its slot after its
// body was read, so that a client that sends slowly holds none; what bodies that arrive may hold, httpx bounds.
func (a *api) limitBatches(do operation) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		body, err := httpx.ReadBody(w, r, maxBatchBody)
		if err != nil {
			a.Usage.CountRejected(p.WorkspaceID, err)
			return err
		}
		release, err := a.batches.tryAcquire(p.WorkspaceID)
		if err != nil {
			return err
		}
		defer release()
		written, err := a.acquireBatchMemory(r.Context(), len(body))
		if err != nil {
			return err
		}
		defer written()
		return do(w, r, p)
	}
}

// acquireBatchMemory waits, first come, first served, until there is memory for writing a batch. A batch that is too
// large for all of it has its turn alone.
func (a *api) acquireBatchMemory(ctx context.Context, body int) (release func(), err error) {
	n := min(int64(body)*batchCopies, a.BatchMemory)
	ctx, cancel := context.WithTimeout(ctx, batchWait)
	defer cancel()
	if a.writing.Acquire(ctx, n) != nil {
		return nil, &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Second,
			Public: "Too many large batches are running at the moment; please retry"}
	}
	return func() { a.writing.Release(n) }, nil
}
