package process

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// batch is the deliveries of one lease while they are sent.
type batch struct {
	*drain
	run      *run
	endpoint *webhook.Endpoint
	schedule webhook.Schedule
	due      []webhook.DueDelivery
	requests [][]webhook.DueDelivery // due in parts, each of which is one request
	limiter  *rateLimiter
	results  chan []webhook.Outcome // of a request each; closed when every attempt has ended

	next      atomic.Int64 // the request that the next free sender makes
	attempted atomic.Int64 // deliveries
	halt      atomic.Bool  // send no more: the lease is lost, the breaker opened, or the order would break
}

// startBatch starts senders, as many as the endpoint takes at once.
func (d *drain) startBatch(r *run, leased *pg.LeasedBatch, requests [][]webhook.DueDelivery) *batch {
	e := &leased.Endpoint
	b := &batch{drain: d, run: r, endpoint: e, schedule: d.scheduleOf(leased), due: leased.Due, requests: requests,
		limiter: newRateLimiter(e.Rate, leased.PacedUntil), results: make(chan []webhook.Outcome, len(requests))}
	sockets := d.acquireSockets(min(max(1, e.MaxInFlight), len(b.requests)))
	var senders sync.WaitGroup
	for range max(1, sockets) { // no endpoint waits for the attempts of others to end
		senders.Go(b.sendAll)
	}
	go func() {
		senders.Wait()
		d.releaseSockets(sockets)
		close(b.results)
	}()
	return b
}

// sendAll is one sender: it makes the next request, in order, while there is one and nothing says to stop.
func (b *batch) sendAll() {
	for b.run.accepting.Err() == nil && !b.halt.Load() {
		i := int(b.next.Add(1)) - 1
		if i >= len(b.requests) || !b.limiter.wait(b.run.accepting, len(b.requests[i])) || b.halt.Load() {
			return
		}
		if !b.mayBegin() {
			b.halt.Store(true)
			return
		}
		outcomes, made := b.send(b.requests[i])
		if !made {
			return
		}
		b.attempted.Add(int64(len(outcomes)))
		b.results <- outcomes
	}
}

// left returns how many deliveries were not attempted, once all attempts have ended.
func (b *batch) left() int { return len(b.due) - int(b.attempted.Load()) }

// collect records what the batch before left, waits for all attempts, records their outcomes now and then, and returns
// those that are not recorded yet.
func (b *batch) collect() (outcomes []webhook.Outcome) {
	outcomes, b.unrecorded = b.unrecorded, nil
	if len(outcomes) > 0 {
		outcomes = b.recordSome(outcomes)
	}
	tick := time.NewTicker(recordEvery)
	defer tick.Stop()
	for {
		select {
		case more, open := <-b.results:
			if !open {
				return outcomes
			}
			b.holdAnswer(len(more[0].Attempt.ResponseHead)) // of a batch only the first has one
			outcomes = append(outcomes, more...)
		case <-tick.C:
			outcomes = b.recordSome(outcomes)
			b.run.renew()
		}
	}
}

// allArrived reports whether nothing failed.
func allArrived(outcomes []webhook.Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o webhook.Outcome) bool { return o.State != webhook.Delivered })
}
