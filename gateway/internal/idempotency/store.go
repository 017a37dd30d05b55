package idempotency

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"leadgate/shared/batch"
	"leadgate/shared/fault"
	"leadgate/shared/pg"
)

// Limits of the batchers; a full queue is a 503 at once.
const (
	batchQueue, batchMax, batchCalls = 4096, 256, 2

	batchTimeout = 3 * time.Second // of one statement
	retryAfter   = time.Second     // of a 503
)

// Service has requests with an Idempotency-Key processed once. Keys that begin, and answers, of many requests go to
// Postgres in one statement.
type Service struct {
	db    *pg.DB
	log   *slog.Logger
	begin *batch.Batcher[pg.IdempotentRequest, beginResult]
	end   *batch.Batcher[pg.IdempotentAnswer, endResult]
	late  *batch.Batcher[pg.IdempotentAnswer, endResult] // what end did not keep
	gone  *batch.Batcher[pg.IdempotentAnswer, error]
}

type beginResult struct {
	pg.IdempotencyEntry
	err error
}

type endResult struct {
	kept bool
	err  error
}

// New starts a Service; Stop ends it.
func New(db *pg.DB, log *slog.Logger) *Service {
	s := &Service{db: db, log: log}
	limits := batch.Options{Queue: batchQueue, Max: batchMax, Calls: batchCalls}
	s.begin = batch.New(limits, batch.Recover(log, "begin idempotent", s.beginAll,
		func(err error) beginResult { return beginResult{err: err} }))
	failed := func(err error) endResult { return endResult{err: err} }
	s.end = batch.New(limits, batch.Recover(log, "complete idempotent", s.completeAll, failed))
	s.late = batch.New(limits, batch.Recover(log, "complete idempotent", s.completeLate, failed))
	s.gone = batch.New(limits, batch.Recover(log, "forget idempotent", s.forgetAll, func(err error) error { return err }))
	return s
}

// Stop finishes what is queued. Call it when no request can come any more.
func (s *Service) Stop() {
	s.begin.Stop()
	s.end.Stop()
	s.late.Stop()
	s.gone.Stop()
}

// acquire begins a request, also one that the process which had it before did not complete in time. Without Postgres it
// is UNAVAILABLE.
func (s *Service) acquire(ctx context.Context, r pg.IdempotentRequest) (pg.IdempotencyEntry, error) {
	res, err := s.begin.Do(ctx, r)
	if err = either(err, res.err); err != nil {
		return res.IdempotencyEntry, err
	}
	if res.Mismatch || !res.Expired {
		return res.IdempotencyEntry, nil
	}
	at, ok, err := s.db.ReclaimIdempotent(ctx, r, res.IdempotencyEntry)
	res.Acquired, res.AcquiredAt = ok, at
	return res.IdempotencyEntry, err
}

// complete keeps an answer; kept is false when another was kept before. One that names a lead which somebody has locked,
// perhaps to erase it, waits for that, beside others of its kind.
func (s *Service) complete(ctx context.Context, answer pg.IdempotentAnswer) (kept bool, err error) {
	res, err := s.end.Do(ctx, answer)
	if err == nil && res.err == nil && !res.kept && len(answer.Leads) > 0 {
		res, err = s.late.Do(ctx, answer)
	}
	return res.kept, either(err, res.err)
}

// forgetKey frees the key of a request that made nothing. If that fails, it is the same request's until it expires.
func (s *Service) forgetKey(ctx context.Context, which pg.IdempotentAnswer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_, _ = s.gone.Do(ctx, which)
}

// either returns the error of a batcher as UNAVAILABLE, and without one that of its statement.
func either(batcher, statement error) error {
	if batcher != nil { // full, stopping, or the caller is out of time
		return fault.StoreUnavailable(batcher, retryAfter)
	}
	return statement
}

func (s *Service) beginAll(requests []pg.IdempotentRequest) []beginResult {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	entries, err := s.db.BeginIdempotent(ctx, requests)
	out := make([]beginResult, len(requests))
	for i := range out {
		if out[i].err = err; err == nil {
			out[i].IdempotencyEntry = entries[i]
		}
	}
	return out
}

func (s *Service) completeAll(answers []pg.IdempotentAnswer) []endResult {
	return s.completeBy(s.db.CompleteIdempotentNow, answers)
}

func (s *Service) completeLate(answers []pg.IdempotentAnswer) []endResult {
	return s.completeBy(s.db.CompleteIdempotent, answers)
}

func (s *Service) completeBy(complete func(context.Context, []pg.IdempotentAnswer) ([]bool, error),
	answers []pg.IdempotentAnswer) []endResult {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	kept, err := complete(ctx, answers)
	if err != nil && !fault.Is(err, fault.Unavailable) {
		s.log.Error("complete idempotent failed", "keys", len(answers), "error", err.Error())
	}
	out := make([]endResult, len(answers))
	for i := range out {
		if out[i].err = err; err == nil {
			out[i].kept = kept[i]
		}
	}
	return out
}

func (s *Service) forgetAll(keys []pg.IdempotentAnswer) []error {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	err := s.db.ForgetIdempotent(ctx, keys)
	if err != nil && !fault.Is(err, fault.Unavailable) {
		s.log.Error("forget idempotent failed", "keys", len(keys), "error", err.Error())
	}
	return slices.Repeat([]error{err}, len(keys))
}
