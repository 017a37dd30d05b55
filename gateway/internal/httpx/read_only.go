package httpx

import (
	"time"

	"leadgate/shared/fault"
)

// OnlyReads is the answer of a gateway that only reads to what may write. It is a 503, because a lead that came to the
// wrong gateway is to be sent again, and a client gives up after a 403.
func OnlyReads() error {
	return &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Minute,
		Public: "This gateway only reads, and nothing was stored: send it to one that writes"}
}
