package process

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// recordSome records outcomes while a batch is under way. It renews the lease in time also when there are none, and
// returns what could not be recorded yet.
func (b *batch) recordSome(outcomes []webhook.Outcome) []webhook.Outcome {
	now := b.Now()
	if len(outcomes) == 0 && now.Sub(b.renewed) < renewEvery {
		return outcomes
	}
	b.renewed = now
	if err := b.record(b.run.abort, outcomes, leaseTime, b.limiter.until()); err != nil {
		b.Log.Warn("record outcomes failed", "key", b.key.String(), "outcomes", len(outcomes), "error", err.Error())
		return outcomes
	}
	if !b.leased {
		b.Log.Warn("lease lost", "key", b.key.String())
		b.halt.Store(true)
	}
	return outcomes[:0]
}

// recordLast records the rest of a batch, and tries again while the lease lasts. It has a deadline of its own, because
// what was sent must be recorded also when the process stops; what cannot be is sent again.
func (d *drain) recordLast(ctx context.Context, outcomes []webhook.Outcome, lease time.Duration, limited time.Time) error {
	timeout := leaseTime - renewEvery
	if d.softStop.Err() != nil {
		timeout = closingTime
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	for {
		err := d.record(ctx, outcomes, lease, limited)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%d attempts are not recorded: %w", len(outcomes), err)
		}
	}
}

// recordUnrecorded records what no next batch does, and gives the lease up with it.
func (d *drain) recordUnrecorded(ctx context.Context) error {
	outcomes := d.unrecorded
	if d.unrecorded = nil; len(outcomes) == 0 {
		return nil
	}
	return d.recordLast(ctx, outcomes, 0, time.Time{})
}

// record stores outcomes and the endpoint's health after them, and renews the lease, or gives it up where lease is 0.
// limited is until when the endpoint's rate allows nothing.
func (d *drain) record(ctx context.Context, outcomes []webhook.Outcome, lease time.Duration, limited time.Time) error {
	rec := pg.RecordRequest{Workspace: d.key.Workspace, Endpoint: d.key.Endpoint, Token: d.token, Lease: lease,
		Outcomes: outcomes, PacedUntil: limited, Patience: patienceAlone}
	if len(outcomes) > 0 {
		h := d.health.now()
		rec.Health = &h
	}
	asked := time.Now()
	held, err := d.recordWithOthers(ctx, rec)
	if err != nil {
		return err
	}
	if d.leased = held && lease > 0; d.leased {
		d.seen.at(asked)
	}
	for i := range outcomes {
		if outcomes[i].Attempt.Error == "" {
			d.delivered++
		} else {
			d.failed++
		}
	}
	return nil
}

// Of records that share a statement.
const (
	recordPace  = 10 * time.Millisecond // from the begin of one to that of the next, which many drains share
	recordMax   = 64                    // drains in one
	recordCalls = 4
	patience    = 50 * time.Millisecond // of a statement of several endpoints with locks, before each gets its own

	// Of a statement of one endpoint, before it is tried again later: it has a connection meanwhile.
	patienceAlone = 250 * time.Millisecond
)

// recorded is what came of a record.
type recorded struct {
	held bool
	err  error
}

// recordWithOthers stores what one drain has together with what others have at the same time. What is much has a
// statement of its own.
func (p *Processor) recordWithOthers(ctx context.Context, r pg.RecordRequest) (held bool, err error) {
	if len(r.Outcomes) > leaseLimit {
		return p.DB.RecordOutcomes(ctx, r)
	}
	out, err := p.records.Do(ctx, r)
	return out.held, cmp.Or(err, out.err)
}

// recordAll stores what several drains have. Where that fails it may be because of one of them: each gets a statement
// of its own.
func (p *Processor) recordAll(all []pg.RecordRequest) []recorded {
	ctx, cancel := context.WithTimeout(context.Background(), closingTime)
	defer cancel()
	out := make([]recorded, len(all))
	if len(all) > 1 {
		held, err := p.DB.RecordAllOutcomes(ctx, all, patience)
		if err == nil {
			for i := range out {
				out[i].held = held[i]
			}
			return out
		}
	}
	var each errgroup.Group
	each.SetLimit(recordCalls)
	for i, r := range all {
		each.Go(func() error {
			out[i].held, out[i].err = p.DB.RecordOutcomes(ctx, r)
			return nil
		})
	}
	_ = each.Wait()
	return out
}
