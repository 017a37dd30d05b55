package webhook

import (
	"crypto/sha256"
	"time"

	"leadgate/shared/id"
)

// TypeBatch is the type of a body that has several events in its data. It is no type of event.
const TypeBatch = "batch"

// Limits of batches.
const (
	MaxBatch     = 100         // events
	MaxBatchWait = time.Minute // see Batch.Wait
	BatchBytes   = 1 << 20     // of a body, unless one event alone has more
)

// Batch is batched delivery: how an endpoint takes several events in one request; zero: it gets each in a request of its
// own.
type Batch struct {
	Max  int           // events; 0: no batches
	Wait time.Duration // how long an event that could be sent waits for others
}

// InBatch is a delivery's place in the request by which several were attempted; zero: it was attempted alone.
type InBatch struct {
	ID    id.UUID // BatchID
	First id.UUID // the delivery that stands first; of the batch's attempts its own alone has the ResponseHead
	Size  int
	Index int // from 1
}

// Batched reports whether the endpoint gets batches.
func (e *Endpoint) Batched() bool { return e.Batch.Max > 0 }

// NextRequest returns how many of the first of due go into one request; full reports that no further delivery would fit.
// A batch has deliveries of the same tries. Those that failed together come together again, in the same batch, until
// mostOf makes it smaller. schedule is that of the endpoint's deliveries.
func (e *Endpoint) NextRequest(due []DueDelivery, schedule Schedule) (n int, full bool) {
	if !e.Batched() {
		return 1, true
	}
	first := &due[0]
	most, bytes := e.mostOf(first.Tries, schedule), 0
	for n < len(due) && n < most {
		j := &due[n]
		bytes += len(j.Data) + memberBytes
		if n > 0 && (bytes > BatchBytes || !e.together(first, j)) {
			return n, true
		}
		n++
	}
	return n, n == most
}

// memberBytes is how much a member of a batch has beside its data, and one has its share of the rest.
const memberBytes = 256

// together reports whether two deliveries have failed equally often, and together. An endpoint that keeps the order has
// one batch under way, and its failed deliveries keep their NextAt.
func (e *Endpoint) together(a, b *DueDelivery) bool {
	return a.Tries == b.Tries && (a.Tries == 0 || e.Ordered() || a.NextAt.Equal(b.NextAt))
}

// wholeTries is how often a batch is tried as it is.
const wholeTries = 3

// mostOf returns how many deliveries of so many tries go into one request. From the fourth try on it is a quarter of
// the former each time, and the last try is of one alone: an event that the receiver cannot take must not cost the
// others. Nor are there more than the endpoint's rate allows in a second.
func (e *Endpoint) mostOf(tries int, schedule Schedule) int {
	most := e.Batch.Max
	if e.Rate > 0 {
		most = min(most, e.Rate)
	}
	if tries >= wholeTries {
		most >>= 2 * (tries - wholeTries + 1)
	}
	if tries > 0 && tries >= len(schedule)-1 {
		most = 1
	}
	return max(1, most)
}

// leastLook is how soon a batch is looked at again.
const leastLook = 20 * time.Millisecond

// LookAgain returns when to look again at n deliveries that wait for others, the oldest since oldest: when there will be
// enough if they come as fast as before, and at the latest when the oldest has waited long enough. false: send them now.
func (b Batch) LookAgain(oldest time.Time, n int, now time.Time) (at time.Time, wait bool) {
	over := oldest.Add(b.Wait)
	if limit := now.Add(b.Wait); over.After(limit) { // the clock of the database is ahead
		over = limit
	}
	if !now.Before(over) {
		return now, false
	}
	full := oldest.Add(now.Sub(oldest) * time.Duration(b.Max) / time.Duration(n))
	if least := now.Add(leastLook); full.Before(least) {
		full = least
	}
	if full.Before(over) {
		return full, true
	}
	return over, true
}

// BatchID returns the id of a batch: a function of its events and their order, so that a batch that is sent again as it
// was has the same.
func BatchID(due []DueDelivery) id.UUID {
	h := sha256.New()
	for i := range due {
		h.Write(due[i].EventID[:])
	}
	u := due[0].EventID // whose time it takes over
	copy(u[6:], h.Sum(nil))
	u[6], u[8] = 0x70|u[6]&0x0F, 0x80|u[8]&0x3F
	return u
}

// AppendBatch appends the body of a batch: {"type":"batch", "timestamp", "data"}, whose data are the events in order,
// each as in a body of its own, with its id. The timestamp is that of the last event: a batch that is sent again is the
// same.
func AppendBatch(dst []byte, due []DueDelivery, payload string) []byte {
	dst = append(dst, `{"type":"`+TypeBatch+`","timestamp":"`...)
	dst = due[len(due)-1].EventAt.UTC().AppendFormat(dst, timestampForm)
	dst = append(dst, `","data":[`...)
	for i := range due {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":"`...)
		dst = id.Event.Append(dst, due[i].EventID)
		dst = append(dst, `",`...)
		dst = due[i].appendMembers(dst, payload)
	}
	return append(dst, "]}"...)
}

// BatchSize returns about how many bytes AppendBatch appends, at most.
func BatchSize(due []DueDelivery) (bytes int) {
	for i := range due {
		bytes += len(due[i].Data) + memberBytes
	}
	return bytes
}
