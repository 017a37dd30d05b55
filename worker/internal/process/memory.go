package process

import (
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// What the deliveries of a lease may take of the worker's memory.
const (
	attemptBytes = 40 << 10 // of an attempt: its connection's buffers and the goroutines that serve it

	firstBytes = 256 << 10 // of a drain's first lease
	leaseBytes = 2 << 20   // of the next ones
	dataCopies = 2         // of a delivery's data: itself, and the body that is sent
)

// acquireMemory takes a share of the budget before a lease, as much as the deliveries could need. Where the budget has
// less the lease gets fewer of them, but one always.
func (d *drain) acquireMemory() (share int64) {
	want := int64(firstBytes)
	if d.limit > leaseLimit {
		want = leaseBytes
	}
	return d.Memory.TryAcquireUpTo(d.payer, want)
}

// holdMemory makes of the share what the leased deliveries do take.
func (d *drain) holdMemory(share int64, due []webhook.DueDelivery) {
	need := memoryOf(due)
	d.held += need
	d.Memory.Charge(d.payer, need-share)
}

func memoryOf(due []webhook.DueDelivery) (bytes int64) {
	for i := range due {
		bytes += dataCopies * int64(len(due[i].Data)+pg.DueOverhead)
	}
	return bytes
}

// holdAnswer adds what is kept of a receiver's answer.
func (d *drain) holdAnswer(bytes int) {
	d.held += int64(bytes)
	d.Memory.Charge(d.payer, int64(bytes))
}

// releaseMemory follows the end of a batch. What is not recorded, and the next lease, are held on.
func (d *drain) releaseMemory() {
	kept := int64(0)
	if d.ahead != nil {
		kept = memoryOf(d.ahead.Due)
	}
	for i := range d.unrecorded {
		kept += int64(len(d.unrecorded[i].Attempt.ResponseHead))
	}
	d.Memory.Release(d.payer, d.held-kept)
	d.held = kept
}

// acquireSockets takes sockets, and memory for the attempts on them, n at most and perhaps none.
func (d *drain) acquireSockets(n int) (sockets int) {
	share := d.Memory.TryAcquireUpTo(d.payer, int64(n)*attemptBytes)
	sockets = d.sockets.TryAcquireUpTo(d.payer, int(share/attemptBytes))
	d.Memory.Release(d.payer, share-int64(sockets)*attemptBytes)
	return sockets
}

func (d *drain) releaseSockets(sockets int) {
	d.sockets.Release(d.payer, sockets)
	d.Memory.Release(d.payer, int64(sockets)*attemptBytes)
}

// nextLimit returns how many deliveries the next lease may have: more once there is a backlog.
func nextLimit(leased *pg.LeasedBatch) int {
	switch {
	case leased.More && leased.Endpoint.Batched():
		return batchedMax
	case leased.More:
		return leaseMax
	}
	return leaseLimit
}
