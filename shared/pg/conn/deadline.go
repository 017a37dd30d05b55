package conn

import (
	"context"
	"database/sql/driver"
	"errors"
	"math"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// When a context ends and Postgres does not answer, lib/pq asks it to cancel and goes on reading. From a server that
// hangs, or a host that is lost, it reads until TCP gives up a quarter of an hour later. So the connections below have
// deadlines of their own.
const (
	// after a context's end, in which the server may still answer that it has cancelled
	cancelGrace   = 500 * time.Millisecond
	timeoutMargin = 2 * time.Second // added to the statement timeout, which the server keeps
)

// connector makes connections that wait for Postgres until cancelGrace after the end of the context they were taken out
// with, and never longer than readTimeout, if that is set, for more to come.
type connector struct {
	*source
	next        atomic.Int32 // which of the hosts is tried first, over and over again
	silences    atomic.Int32 // how often a connection was waited for in vain
	readTimeout time.Duration
	kind        *atomic.Int32 // of the pool
}

// Connect connects to one of the hosts, beginning with the one that did last; the end of ctx holds for all of it, and
// the time-out of the URL for each host. A host that did not is not the first for whoever comes next: one that is
// silent, because its machine is lost, takes all the time that its caller has.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	var errs []error
	hosts := c.hosts()
	for range hosts {
		at := c.next.Load()
		made, err := c.connect(ctx, hosts[int(at)%len(hosts)], at)
		if err == nil {
			return made, nil
		}
		c.pass(at)
		if errs = append(errs, err); ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// pass has the host after that at at be tried first.
func (c *connector) pass(at int32) { c.next.CompareAndSwap(at, (at+1)&math.MaxInt32) }

func (c *connector) connect(ctx context.Context, host *pq.Connector, at int32) (driver.Conn, error) {
	d := &deadlineConn{by: c, host: at, silences: c.silences.Load(), readTimeout: c.readTimeout, limit: limit(ctx)}
	made, err := host.Connect(context.WithValue(ctx, deadlineKey{}, d))
	if err != nil {
		if d.Conn != nil {
			d.Conn.Close()
		}
		return nil, err
	}
	dc := &driverConn{pqConn: made.(pqConn), net: d}
	if err := dc.askWhetherCitus(ctx); err != nil {
		dc.Close()
		return nil, err
	}
	c.kind.Store(kindPostgres)
	if dc.citus {
		c.kind.Store(kindCitus)
	}
	return dc, nil
}

// limit is when to stop waiting for the answer to what ctx began, zero for never.
func limit(ctx context.Context) time.Time {
	end, ok := ctx.Deadline()
	if !ok {
		return end
	}
	return end.Add(cancelGrace)
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

// driverConn is a connection of lib/pq whose deadline follows the context of its user.
type driverConn struct {
	pqConn
	net    *deadlineConn
	closed []driver.Stmt // statements that are to be closed
	citus  bool          // the server is one of a Citus cluster
}

// ResetSession is called with the context of whoever takes the connection out of the pool. It closes the statements
// that were closed meanwhile.
func (c *driverConn) ResetSession(ctx context.Context) error {
	c.net.limit = limit(ctx)
	if c.net.suspect() {
		return driver.ErrBadConn
	}
	if err := c.pqConn.ResetSession(ctx); err != nil {
		return err
	}
	for _, s := range c.closed {
		if err := s.Close(); err != nil {
			return driver.ErrBadConn
		}
	}
	c.closed = nil
	return nil
}

// PrepareContext returns a statement whose Close waits until the connection is used again.
func (c *driverConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.pqConn.PrepareContext(ctx, c.form(query))
	if err != nil {
		return nil, err
	}
	return &driverStmt{s.(pqStmt), c}, nil
}

// pqStmt is all that database/sql makes use of in a statement of lib/pq.
type pqStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// driverStmt is a statement of lib/pq. database/sql closes statements under the mutex of its pool, and lib/pq waits for
// the server's answer. Behind a pooler whose connections are all in transactions there is none before one of those
// ends, and for that their programs need the mutex.
type driverStmt struct {
	pqStmt
	conn *driverConn
}

// Close is called with the connection locked, as all of its methods are.
func (s *driverStmt) Close() error {
	s.conn.closed = append(s.conn.closed, s.pqStmt)
	return nil
}

// Close ends the session in order. It has a limit of its own, because that of the connection's last user may be long
// over.
func (c *driverConn) Close() error {
	c.net.limit = time.Now().Add(cancelGrace)
	return c.pqConn.Close()
}

// IsValid keeps a connection that broke off in the middle of an answer out of the pool.
func (c *driverConn) IsValid() bool { return !c.net.broken && !c.net.suspect() && c.pqConn.IsValid() }

// deadlineConn is the network under a connection, with a deadline before each read and write. Like that, it is used by
// one goroutine at a time.
type deadlineConn struct {
	net.Conn
	by          *connector // nil: a request to cancel
	host        int32
	silences    int32         // there had been when it was made
	readTimeout time.Duration // 0: none
	limit       time.Time     // of the connection's user; zero: none
	handshake   time.Time     // set by lib/pq while it connects
	set         time.Time     // the deadline that Conn has; mostly it is the limit, and setting it takes a microsecond
	broken      bool
}

// SetDeadline is how lib/pq bounds its handshake.
func (d *deadlineConn) SetDeadline(t time.Time) error {
	d.handshake = t
	return nil
}

func (d *deadlineConn) Read(b []byte) (n int, err error) {
	if err = d.setDeadline(); err == nil {
		n, err = d.Conn.Read(b)
	}
	if d.by != nil && d.handshake.IsZero() && errors.Is(err, os.ErrDeadlineExceeded) {
		d.by.silences.Add(1)
		d.by.pass(d.host)
	}
	d.broken = d.broken || err != nil
	return n, err
}

// suspect reports whether, since it was made, another connection was waited for in vain. Where a machine is lost, or
// hangs, each connection to it would be waited for like that, one after the other.
func (d *deadlineConn) suspect() bool { return d.silences != d.by.silences.Load() }

func (d *deadlineConn) Write(b []byte) (n int, err error) {
	if err = d.setDeadline(); err == nil {
		n, err = d.Conn.Write(b)
	}
	d.broken = d.broken || err != nil
	return n, err
}

func (d *deadlineConn) setDeadline() error {
	end := d.deadline()
	if end.Equal(d.set) {
		return nil
	}
	d.set = end
	return d.Conn.SetDeadline(end)
}

// deadline is the earliest of the three ends.
func (d *deadlineConn) deadline() (first time.Time) {
	if d.readTimeout > 0 {
		first = time.Now().Add(d.readTimeout)
	}
	for _, t := range [...]time.Time{d.limit, d.handshake} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

type deadlineKey struct{}

// dialer is lib/pq's way to the network. An idle connection to a lost host is found dead within half a minute.
type dialer struct{ *net.Dialer }

func newDialer() dialer {
	keepAlive := net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}
	return dialer{&net.Dialer{KeepAliveConfig: keepAlive}}
}

// DialContext connects the deadlineConn in ctx. There is none when lib/pq, after the end of a context, asks the server
// to cancel.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	w, ok := ctx.Value(deadlineKey{}).(*deadlineConn)
	if !ok {
		w = &deadlineConn{limit: time.Now().Add(cancelGrace)}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, w.limit)
		defer cancel()
	}
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if w.Conn != nil {
		w.Conn.Close() // lib/pq does not close a connection on which the server refused TLS
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
