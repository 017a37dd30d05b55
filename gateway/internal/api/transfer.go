package api

import (
	"net/http"
	"time"

	"leadgate/shared/fault"
)

// The minimum rate at which a client must send an upload or take a stream. It holds for each window of time as a whole,
// so that a pause does no harm, and a trickle does not hold a slot for hours.
const (
	minTransferRate = 16 << 10 // bytes a second
	transferWindow  = 30 * time.Second
	maxTransferTime = time.Hour // for the whole transfer
)

// transfer measures the rate of one client. Only the time counts in which the gateway waits for the client.
type transfer struct {
	window time.Duration
	left   time.Duration // of the window
	moved  int           // bytes in the window
	until  time.Time     // the end of maxTransferTime
}

func (a *api) newTransfer() *transfer {
	return &transfer{window: a.TransferWindow, left: a.TransferWindow, until: time.Now().Add(maxTransferTime)}
}

// move does what reads from the client or writes to it, after setDeadline has bounded how long that may take.
func (t *transfer) move(setDeadline func(end time.Time) error, do func() (int, error)) (int, error) {
	begin := time.Now()
	end := begin.Add(t.left)
	if t.until.Before(end) {
		end = t.until
	}
	if err := setDeadline(end); err != nil {
		return 0, err
	}
	n, err := do()
	t.left -= time.Since(begin)
	if t.moved += n; float64(t.moved) >= minTransferRate*t.window.Seconds() {
		t.moved, t.left = 0, t.window
	}
	return n, err
}

// streamPiece is how many bytes of a stream are written at a time.
const streamPiece = 64 << 10

// send writes text to the client and flushes it.
func (t *transfer) send(w http.ResponseWriter, text []byte) error {
	c := http.NewResponseController(w)
	for len(text) > 0 {
		piece := text[:min(len(text), streamPiece)]
		if _, err := t.move(c.SetWriteDeadline, func() (int, error) { return w.Write(piece) }); err != nil {
			return fault.Wrap(fault.Timeout, "The client stopped reading", err)
		}
		text = text[len(piece):]
	}
	_, err := t.move(c.SetWriteDeadline, func() (int, error) { return 0, c.Flush() })
	return err
}

// requireHTTP11 refuses HTTP/1.0, in which a stream that breaks off looks complete: it marks neither the chunks nor the
// end of a body.
func requireHTTP11(r *http.Request) error {
	if r.ProtoAtLeast(1, 1) {
		return nil
	}
	return fault.InvalidField("protocol", r.Proto,
		"Must be HTTP/1.1 or later: over HTTP/1.0 a response that breaks off looks complete. "+
			"Behind a proxy such as nginx, set proxy_http_version 1.1")
}
