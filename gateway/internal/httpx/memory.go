package httpx

import (
	"io"
	"net/http"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// freeBody is how many bytes of a body are not charged: net/http's own buffers of a connection are larger.
const freeBody = 4 << 10

// ChargeTo names the workspace whose share of the memory budget is charged for r from now on.
func ChargeTo(r *http.Request, workspace id.UUID) {
	if x := of(r); x != nil {
		x.payer = workspace
	}
}

// Charge takes bytes of the memory budget until r is answered. It is UNAVAILABLE when the workspace has its share in
// use.
func Charge(r *http.Request, bytes int) error {
	x := of(r)
	if x == nil || x.memory == nil || bytes <= 0 {
		return nil
	}
	if !x.memory.TryAcquire(x.payer, int64(bytes)) {
		return &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Second,
			Public: "The gateway has no memory left for another request of this size at the moment; please retry"}
	}
	x.charged += int64(bytes)
	return nil
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
	b := make([]byte, 0, min(size, freeBody))
	for {
		if len(b) == cap(b) {
			grown := int(min(size, 2*int64(cap(b))))
			if err := Charge(r, grown-max(cap(b), freeBody)); err != nil {
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
