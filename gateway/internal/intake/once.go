package intake

import (
	"context"

	"leadgate/shared/batch"
	"leadgate/shared/fault"
	"leadgate/shared/pg"
)

// Limits of the two batchers of keyed requests; theirs are the commits' own.
const (
	claimQueue, claimBatch, claimWorkers    = 4096, 256, 2
	settleQueue, settleBatch, settleWorkers = 4096, 256, 2
)

// keyed is how requests with an Idempotency-Key happen once: many claims, and many answers, go to Postgres in one statement.
type keyed struct {
	claims  *batch.Batcher[pg.IdempotentRequest, claimResult]
	settles *batch.Batcher[pg.IdempotentAnswer, settleResult]
}

type claimResult struct {
	pg.IdempotencyEntry
	err error
}

type settleResult struct {
	kept bool
	err  error
}

func (s *Service) startKeyed() {
	s.keyed.claims = batch.New(batch.Options{Queue: claimQueue, Max: claimBatch, Workers: claimWorkers}, guarded(s.Log, s.claimAll, func(err error) claimResult { return claimResult{err: err} }))
	s.keyed.settles = batch.New(batch.Options{Queue: settleQueue, Max: settleBatch, Workers: settleWorkers}, guarded(s.Log, s.settleAll, func(err error) settleResult { return settleResult{err: err} }))
}

func (k *keyed) stop() {
	k.claims.Stop()
	k.settles.Stop()
}

// Claim claims a key for the first request that comes with it, also when the process that had it before is gone. Without Postgres it is UNAVAILABLE.
func (s *Service) Claim(ctx context.Context, c pg.IdempotentRequest) (pg.IdempotencyEntry, error) {
	res, err := s.keyed.claims.Do(ctx, c)
	if err = unsettled(err, res.err); err != nil {
		return res.IdempotencyEntry, err
	}
	if res.Mismatch || !res.Expired {
		return res.IdempotencyEntry, nil
	}
	at, ok, err := s.DB.ReclaimIdempotent(ctx, c, res.IdempotencyEntry)
	res.Acquired, res.AcquiredAt = ok, at
	return res.IdempotencyEntry, err
}

// Settle keeps an answer; kept is false when another was kept before.
func (s *Service) Settle(ctx context.Context, end pg.IdempotentAnswer) (kept bool, err error) {
	res, err := s.keyed.settles.Do(ctx, end)
	return res.kept, unsettled(err, res.err)
}

// unsettled is the error of a batcher, or else of what it did.
func unsettled(of, in error) error {
	if of != nil { // full, stopping, or the caller's time is over
		return fault.StoreUnavailable(of, fullRetry)
	}
	return in
}

func (s *Service) claimAll(claims []pg.IdempotentRequest) []claimResult {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	done, err := s.DB.BeginIdempotent(ctx, claims)
	out := make([]claimResult, len(claims))
	for i := range out {
		if out[i].err = err; err == nil {
			out[i].IdempotencyEntry = done[i]
		}
	}
	return out
}

// deadlock is the SQLSTATE of a statement that was ended so that another could go on.
const deadlock = "40P01"

func (s *Service) settleAll(all []pg.IdempotentAnswer) []settleResult {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	kept, err := s.DB.CompleteIdempotent(ctx, all)
	if pg.Code(err) == deadlock { // two processes settled two of the same claims in another order
		kept, err = s.DB.CompleteIdempotent(ctx, all)
	}
	if err != nil && !fault.Is(err, fault.Unavailable) {
		s.Log.Error("settle", "keys", len(all), "error", err.Error())
	}
	out := make([]settleResult, len(all))
	for i := range out {
		if out[i].err = err; err == nil {
			out[i].kept = kept[i]
		}
	}
	return out
}
