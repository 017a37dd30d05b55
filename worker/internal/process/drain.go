package process

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// drain is what one task does for one endpoint, batch by batch:
//
//	run      begin: the wake-up's state in Redis becomes ours                        run.go
//	 |
//	 v
//	lease    one statement: the endpoint is ours for a while; its due deliveries     lease.go
//	 |
//	 v
//	batch    up to MaxInFlight senders; one goroutine collects what comes back       batch.go, requests.go
//	 |  ^
//	 |  +--> send    rate limit, one attempt, next state, endpoint's health          send.go, rate.go, health.go
//	 v
//	record   every 200 ms and at the end, one statement: outcomes, health, lease     record.go
//	 |       of a backlog while the next batch is sent
//	 +-- more is left, and time --> lease
//	 v
//	finish   lease and state are given up; probe task, health policy, report         finish.go
//
// The lease in Postgres is what keeps workers apart. A delivery that was sent while nothing could be recorded is sent
// again: it is delivered at least once.
type drain struct {
	*Processor
	key task.Key

	payer   id.UUID   // whose share of memory and sockets it uses up; zero until its first lease
	token   id.UUID   // names the lease; new with every task, so that a repeated task never takes over its own lease
	leased  bool      // we have the lease, as far as we know
	renewed time.Time // when the lease was last taken or renewed
	seen    leaseSeen
	limit   int             // deliveries in the next lease
	ahead   *pg.LeasedBatch // the next lease, where there is one: taken with others', or read while the last was sent
	after   pg.DueKey       // where the next lease begins; zero: with the oldest
	held    int64           // bytes of memory, of the batch that is under way

	slow       bool              // what was read ahead was too old when its turn came
	unrecorded []webhook.Outcome // of the batch before, which are recorded while the next one is sent

	health            endpointHealth
	delivered, failed int // attempts that were recorded
}

func (p *Processor) newDrain(key task.Key) *drain {
	return &drain{Processor: p, key: key, token: id.New(), limit: leaseLimit}
}

func (d *drain) batch(r *run) (more bool, err error) { return d.deliver(r, pg.LeaseForDrain) }

// deliver leases, sends and records one batch, and reports whether more is left. The lease is given up with the last
// record unless another batch follows; release sees to it where that fails. Where a lease did not begin with the oldest
// and nothing is left, more is true once again, for what was committed late.
func (d *drain) deliver(r *run, mode pg.LeaseMode) (more bool, err error) {
	after := d.after
	partial := after != pg.DueKey{}
	leased, err := d.leaseRequest(r, mode)
	defer d.releaseMemory()
	d.after = pg.DueKey{}
	if len(d.unrecorded) > 0 { // it has what was not recorded when the clocks differ
		leased.Due = slices.DeleteFunc(leased.Due, func(j webhook.DueDelivery) bool { return !keyOf(&j).After(after) })
	}
	requests := d.requests(r, &leased, mode)
	if len(requests) == 0 {
		return err == nil && partial, errors.Join(err, d.recordUnrecorded(r.abort))
	}
	b := d.startBatch(r, &leased, requests)
	next := d.leaseAhead(r, &leased, mode)
	outcomes := b.collect()
	more = !d.health.halted() && (b.left() > 0 || leased.More)
	if more && b.left() == 0 {
		d.after = d.nextAfter(&leased)
	}
	d.limit = nextLimit(&leased)
	lease := leaseTime
	if !more || r.accepting.Err() != nil || mode != pg.LeaseForDrain {
		lease = 0
	}
	if next != nil {
		goOn := lease > 0 && d.after != pg.DueKey{} && allArrived(outcomes) && len(outcomes) <= len(leased.Due)
		if d.takeAhead(<-next, goOn); goOn {
			d.unrecorded = outcomes
			return true, nil
		}
	}
	err = d.recordLast(r.abort, outcomes, lease, b.limiter.until())
	return more || partial && !d.health.halted(), err
}

// nextAfter returns where the next lease begins: after this one, once there is a backlog. An endpoint that keeps the
// order has each lease begin with the oldest, because what is replayed takes its old place in the order again, and what
// a long transaction commits late must not be overtaken by the next event of its lead.
func (d *drain) nextAfter(leased *pg.LeasedBatch) pg.DueKey {
	if d.limit < leaseMax || leased.Endpoint.Ordered() {
		return pg.DueKey{}
	}
	return keyOf(&leased.Due[len(leased.Due)-1])
}

func keyOf(j *webhook.DueDelivery) pg.DueKey { return pg.DueKey{NextAt: j.NextAt, ID: j.DeliveryID} }

func (d *drain) report() string {
	text := fmt.Sprintf("delivered %d, failed %d", d.delivered, d.failed)
	if h := d.health.now(); h.Failing() {
		text += ", see queue " + task.QueueFailing
	}
	return text
}
