package process

import (
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// leaseRequest leases as lease does, and again where the first request could have more than the limit let in: what failed
// together is to come together.
func (d *drain) leaseRequest(r *run, mode pg.LeaseMode) (pg.LeasedBatch, error) {
	leased, err := d.lease(r, mode)
	e := &leased.Endpoint
	probes := mode != pg.LeaseForDrain
	if err != nil || !leased.More || !e.Batched() || d.limit >= webhook.MaxBatch || probes && !e.Ordered() {
		return leased, err
	}
	if n, full := e.NextRequest(leased.Due, d.scheduleOf(&leased)); full || n < len(leased.Due) {
		return leased, nil
	}
	d.releaseMemory()
	d.limit = batchedMax
	return d.lease(r, mode)
}

func (d *drain) scheduleOf(leased *pg.LeasedBatch) webhook.Schedule {
	if leased.Schedule != nil {
		return leased.Schedule
	}
	return d.Schedule
}

// requests puts together what goes into one request, in order; a probe is the first of them. Of an endpoint that takes
// batches, the last request is left out of the lease where more could join it: what the next lease has, or, within the
// endpoint's Wait, what is still to come. Then there may be none, and the run is to go on when it is time to look again.
// What is retried has waited.
func (d *drain) requests(r *run, leased *pg.LeasedBatch, mode pg.LeaseMode) (all [][]webhook.DueDelivery) {
	e, rest, schedule := &leased.Endpoint, leased.Due, d.scheduleOf(leased)
	for len(rest) > 0 && (len(all) == 0 || mode == pg.LeaseForDrain) {
		n, full := e.NextRequest(rest, schedule)
		if n == len(rest) && !full && mode == pg.LeaseForDrain {
			if leased.More && len(all) > 0 {
				break
			}
			if !leased.More && rest[0].Tries == 0 && d.waits(r, e, rest) {
				break
			}
		}
		all, rest = append(all, rest[:n]), rest[n:]
	}
	if left := len(rest); left > 0 {
		leased.Due = leased.Due[:len(leased.Due)-left]
		leased.More = r.resumeAt.IsZero()
	}
	return all
}

// waits reports whether the first deliveries of the next batch wait for others, and says when to look again.
func (d *drain) waits(r *run, e *webhook.Endpoint, due []webhook.DueDelivery) bool {
	at, wait := e.Batch.LookAgain(due[0].NextAt, len(due), d.Now())
	if wait {
		r.resumeAt = at
	}
	return wait
}

// enqueueAt enqueues a task for a key that waits for it, at a time, or at once when the process stops. Where the process
// is killed the sweep does it.
func (r *run) enqueueAt(at time.Time) {
	p, key := r.Processor, r.key
	go func() {
		timer := time.NewTimer(at.Sub(p.Now()))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.softStop.Done():
		}
		ctx, cancel := closing(p.hardStop)
		defer cancel()
		p.logWake(key, "enqueue", p.Waker.Enqueue(ctx, key))
	}()
}
