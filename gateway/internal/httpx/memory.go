package httpx

import (
	"io"
	"net/http"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// freeBytes is how many bytes of a body, and of an answer, are not charged: net/http's own buffers of a connection are
// larger.
const freeBytes = 4 << 10

// ChargeTo names the workspace whose share of the memory budget is charged for r from now on.
func ChargeTo(r *http.Request, workspace id.UUID) {
	if x := of(r); x != nil {
		x.payer = workspace
	}
}

// Charge takes bytes of the memory budget until r is answered. It is UNAVAILABLE when the workspace has its share in
// use.
func Charge(r *http.Request, bytes int) error {
	return of(r).charge(int64(bytes))
}

func (x *exchange) charge(bytes int64) error {
	if x == nil || x.memory == nil || bytes <= 0 {
		return nil
	}
	if !x.memory.TryAcquire(x.payer, bytes) {
		return &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Second,
			Public: "The gateway has no memory left for another request of this size at the moment; please retry"}
	}
	x.charged += bytes
	return nil
}

// chargeAnswer charges for an answer, which is held until its client has taken it. Only what was read is refused where
// there is no memory: what was changed must be told.
func chargeAnswer(w http.ResponseWriter, bytes int) error {
	if bytes <= freeBytes {
		return nil
	}
	x := exchangeOf(w)
	switch {
	case x == nil || x.memory == nil:
		return nil
	case x.reads:
		return x.charge(int64(bytes))
	}
	x.memory.Charge(x.payer, int64(bytes))
	x.charged += int64(bytes)
	return nil
}

// exchangeOf returns the exchange that w is, or wraps; nil where there is none.
func exchangeOf(w http.ResponseWriter) *exchange {
	for {
		switch inner := w.(type) {
		case *exchange:
			return inner
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}

// release gives back what was charged for the request.
func (x *exchange) release() {
	if x.charged > 0 {
		x.memory.Release(x.payer, x.charged)
		x.charged = 0
	}
}

// readAll reads a body into memory that grows, and is charged for, as it comes: what has not arrived takes none,
// whatever its length will be.
func readAll(r *http.Request, body io.Reader, maxBytes int64) ([]byte, error) {
	size := maxBytes
	if r.ContentLength >= 0 {
		size = r.ContentLength
	}
	size++ // room to see the end
	b := make([]byte, 0, min(size, freeBytes))
	for {
		if len(b) == cap(b) {
			grown := int(min(size, 2*int64(cap(b))))
			if err := Charge(r, grown-max(cap(b), freeBytes)); err != nil {
				return nil, err
			}
			b = append(make([]byte, 0, grown), b...)
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
