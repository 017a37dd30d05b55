package api

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
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

	workspace id.UUID
	begin     time.Time
	bytes     atomic.Int64 // in all
	interrupt func()       // ends a move
	gaveWay   atomic.Pointer[fault.Error]
}

func newTransfer(workspace id.UUID, window time.Duration, interrupt func()) *transfer {
	now := time.Now()
	return &transfer{window: window, left: window, until: now.Add(maxTransferTime), workspace: workspace, begin: now,
		interrupt: interrupt}
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
	if why := t.gaveWay.Load(); why != nil { // after the deadline is set: before that, it would undo the interruption
		return 0, why
	}
	n, err := do()
	t.bytes.Add(int64(n))
	t.left -= time.Since(begin)
	if t.moved += n; float64(t.moved) >= minTransferRate*t.window.Seconds() {
		t.moved, t.left = 0, t.window
	}
	if why := t.gaveWay.Load(); why != nil && err != nil && err != io.EOF {
		err = why
	}
	return n, err
}

// giveWay ends the transfer with an error, from another goroutine.
func (t *transfer) giveWay(why *fault.Error) {
	t.gaveWay.Store(why)
	t.interrupt()
}

// rate is how many bytes a second were moved so far; a second more counts, so that one is not slow because it is new.
func (t *transfer) rate(now time.Time) float64 {
	return float64(t.bytes.Load()) / (now.Sub(t.begin) + time.Second).Seconds()
}

// streamPiece is how many bytes of a stream are written at a time.
const streamPiece = 64 << 10

// send writes text to the client and flushes it.
func (t *transfer) send(w http.ResponseWriter, text []byte) error {
	c := http.NewResponseController(w)
	for len(text) > 0 {
		piece := text[:min(len(text), streamPiece)]
		if _, err := t.move(c.SetWriteDeadline, func() (int, error) { return w.Write(piece) }); err != nil {
			if !fault.Is(err, fault.Unavailable) { // else it gave way
				err = fault.Wrap(fault.Timeout, "The client stopped reading", err)
			}
			return err
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
