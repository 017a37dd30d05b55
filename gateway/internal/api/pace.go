package api

import (
	"net/http"
	"time"

	"leadgate/shared/fault"
)

// The least that a client must send of an upload, or take of a stream. In any window it is paceRate octets for each second of it, so that a
// pause does no harm and a trickle does not hold a place for hours.
const (
	paceRate   = 16 << 10 // octets a second
	paceWindow = 30 * time.Second
	streamTime = time.Hour // for all of it
)

// pace is how fast one client is. Only the time in which it keeps us waiting counts.
type pace struct {
	window time.Duration
	left   time.Duration // of the window
	moved  int           // octets in it
	until  time.Time
}

func (a *api) newPace() *pace {
	return &pace{window: a.PaceWindow, left: a.PaceWindow, until: time.Now().Add(streamTime)}
}

// move does what reads from the client or writes to it. set is how the connection is told until when that may take.
func (p *pace) move(set func(end time.Time) error, do func() (int, error)) (int, error) {
	begin := time.Now()
	end := begin.Add(p.left)
	if p.until.Before(end) {
		end = p.until
	}
	if err := set(end); err != nil {
		return 0, err
	}
	n, err := do()
	p.left -= time.Since(begin)
	if p.moved += n; float64(p.moved) >= paceRate*p.window.Seconds() {
		p.moved, p.left = 0, p.window
	}
	return n, err
}

// streamPiece is how much of a stream is written at a time.
const streamPiece = 64 << 10

// send writes text to a client that keeps pace.
func (p *pace) send(w http.ResponseWriter, text []byte) error {
	c := http.NewResponseController(w)
	for len(text) > 0 {
		piece := text[:min(len(text), streamPiece)]
		if _, err := p.move(c.SetWriteDeadline, func() (int, error) { return w.Write(piece) }); err != nil {
			return fault.Wrap(fault.Timeout, "The client does not read on", err)
		}
		text = text[len(piece):]
	}
	_, err := p.move(c.SetWriteDeadline, func() (int, error) { return 0, c.Flush() })
	return err
}

// wholeStream refuses a client to which a stream that breaks off looks like one that is complete: HTTP/1.0 has neither lengths of pieces nor an end.
func wholeStream(r *http.Request) error {
	if r.ProtoAtLeast(1, 1) {
		return nil
	}
	return fault.InvalidField("protocol", r.Proto, "Must be HTTP/1.1 or later: in HTTP/1.0 an answer that breaks off looks complete. A proxy in between, such as nginx, may need proxy_http_version 1.1")
}
