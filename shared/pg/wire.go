package pg

import (
	"context"
	"database/sql/driver"
	"net"
	"time"

	"github.com/lib/pq"
)

// When the end of a context finds Postgres silent, lib/pq asks it to cancel and goes on reading: from a server that hangs, or a host
// that is lost, until TCP gives up a quarter of an hour later. So the connections below have an end of their own.
const (
	patience = 500 * time.Millisecond // after a context's end, in which the server may still answer that it has cancelled
	slack    = 2 * time.Second        // after the statement timeout, which the server keeps
)

// connector makes connections that wait for Postgres until patience after the end of the context they were taken out with,
// and never longer than silence, if that is set, for more to come.
type connector struct {
	*pq.Connector
	silence time.Duration
}

// Connect connects; the time-out of the URL and the end of ctx hold for all of it.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	w := &wire{silence: c.silence, limit: limit(ctx)}
	made, err := c.Connector.Connect(context.WithValue(ctx, wireKey{}, w))
	if err != nil {
		if w.Conn != nil {
			w.Conn.Close()
		}
		return nil, err
	}
	return &conn{made.(pqConn), w}, nil
}

// limit is when to stop waiting for the answer to what ctx began, zero for never.
func limit(ctx context.Context) time.Time {
	end, ok := ctx.Deadline()
	if !ok {
		return end
	}
	return end.Add(patience)
}

// pqConn is all that database/sql makes use of in a connection of lib/pq.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	pqConn
	wire *wire
}

// ResetSession is called with the context of whoever takes the connection out of the pool.
func (c *conn) ResetSession(ctx context.Context) error {
	c.wire.limit = limit(ctx)
	return c.pqConn.ResetSession(ctx)
}

// Close says goodbye; the limit of who had the connection last may be long over.
func (c *conn) Close() error {
	c.wire.limit = time.Now().Add(patience)
	return c.pqConn.Close()
}

// IsValid keeps a connection that broke off in the middle of an answer out of the pool.
func (c *conn) IsValid() bool { return !c.wire.broken && c.pqConn.IsValid() }

// wire is the network under a connection. Like that, it is used by one goroutine at a time.
type wire struct {
	net.Conn
	silence   time.Duration // 0: without end
	limit     time.Time     // of who has the connection now; zero: none
	handshake time.Time     // set by lib/pq while it connects
	set       time.Time     // what Conn has; mostly the limit, and to set it takes a microsecond
	broken    bool
}

// SetDeadline is how lib/pq bounds its handshake.
func (w *wire) SetDeadline(t time.Time) error {
	w.handshake = t
	return nil
}

func (w *wire) Read(b []byte) (n int, err error) {
	if err = w.bound(); err == nil {
		n, err = w.Conn.Read(b)
	}
	w.broken = w.broken || err != nil
	return n, err
}

func (w *wire) Write(b []byte) (n int, err error) {
	if err = w.bound(); err == nil {
		n, err = w.Conn.Write(b)
	}
	w.broken = w.broken || err != nil
	return n, err
}

func (w *wire) bound() error {
	end := w.end()
	if end.Equal(w.set) {
		return nil
	}
	w.set = end
	return w.Conn.SetDeadline(end)
}

// end is the first of all ends.
func (w *wire) end() (first time.Time) {
	if w.silence > 0 {
		first = time.Now().Add(w.silence)
	}
	for _, t := range [...]time.Time{w.limit, w.handshake} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

type wireKey struct{}

// dialer is lib/pq's way to the network. An idle connection to a lost host is found dead within half a minute.
type dialer struct{ *net.Dialer }

func newDialer() dialer {
	return dialer{&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}}
}

// DialContext connects the wire in ctx. There is none when lib/pq, after the end of a context, asks the server to cancel.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	w, ok := ctx.Value(wireKey{}).(*wire)
	if !ok {
		w = &wire{limit: time.Now().Add(patience)}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, w.limit)
		defer cancel()
	}
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if w.Conn != nil {
		w.Conn.Close() // lib/pq forgets a connection on which the server refused TLS
	}
	w.Conn, w.set, w.broken = c, time.Time{}, false
	return w, nil
}

// DialTimeout is not used: lib/pq prefers DialContext.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}
