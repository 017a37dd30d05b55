package api

import (
	"cmp"
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	weighted "golang.org/x/sync/semaphore"

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
			return err
		}
		release, err := a.batches.tryAcquire(p.Payer())
		if err != nil {
			return err
		}
		defer release()
		written, err := a.writing.acquire(r.Context(), len(body))
		if err != nil {
			return err
		}
		defer written()
		return do(w, r, p)
	}
}

// batchMemory is what batches take of the memory while they are written.
type batchMemory struct {
	total   int64 // bytes
	free    *weighted.Weighted
	used    atomic.Int64 // bytes
	refused atomic.Int64 // batches that waited in vain
}

func newBatchMemory(total int64, r prometheus.Registerer) *batchMemory {
	m := &batchMemory{total: cmp.Or(total, defaultBatchMemory)}
	m.free = weighted.NewWeighted(m.total)
	if r != nil {
		r.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leadgate_batch_memory_used_bytes",
				Help: "Bytes that batches take while they are written; leadgate_memory_budget_bytes at most."},
				func() float64 { return float64(m.used.Load()) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "leadgate_batch_memory_refused_total",
				Help: "Batches that were refused after they had waited for memory."},
				func() float64 { return float64(m.refused.Load()) }))
	}
	return m
}

// acquire waits, first come, first served, until there is memory for writing a batch. A batch that is too large for all
// of it has its turn alone.
func (m *batchMemory) acquire(ctx context.Context, body int) (release func(), err error) {
	n := min(int64(body)*batchCopies, m.total)
	ctx, cancel := context.WithTimeout(ctx, batchWait)
	defer cancel()
	if m.free.Acquire(ctx, n) != nil {
		m.refused.Add(1)
		return nil, &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Second,
			Public: "Too many large batches are running at the moment; please retry"}
	}
	m.used.Add(n)
	return func() { m.used.Add(-n); m.free.Release(n) }, nil
}
