// Package conn is how package pg reaches Postgres: a pool whose calls end in time, statements prepared once for the
// pool, transactions, readers of rows, and errors that callers can tell apart.
//
// The driver is lib/pq. deadline.go, url.go and prepared.go here and array.go in package pg exist only for what lib/pq
// leaves out: a deadline on reads when the server hangs, several hosts of which one is silent, a cache of prepared
// statements, and arrays that are cheap to build.
//
// Nothing here is kept in a session: a pooler in transaction mode may give each transaction another one. What is set at
// its start (connectionURL) such a pooler leaves out, and the role's own settings stand for it.
package conn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
)

// Pool is a pool of connections to one database.
type Pool struct {
	*sqlx.DB
	cache         cache
	host          string       // host and port, for error messages; several have commas
	unprepared    bool         // statements are not prepared
	kind          atomic.Int32 // of the server
	readOnly      bool         // transactions are: they would not go by the default of the session
	limits        []string
	startTimeout  time.Duration
	openAdminPool func() (*Pool, error)
}

// Options of Open.
type Options struct {
	MaxConns         int           // 0: 16
	MaxLifetime      time.Duration // of a connection, so that a pool follows what is behind a name or a balancer; 0: 30 min
	StatementTimeout time.Duration // 0: 10 s, negative: none; kept by the server, so that the connection survives
	LockTimeout      time.Duration // how long a statement waits for another's row; 0: the server's own setting
	Application      string        // shown in pg_stat_activity
	ReadOnly         bool          // Postgres refuses what writes; of several hosts the first that answers is taken

	// Current returns the URL as it is now, which each new connection uses; nil: it never changes.
	Current func() (string, error)

	StartTimeout time.Duration // how long Await waits for Postgres; 0: 30 s, so that both can be started together
}

// idleTimeout is how long a transaction may have no statement. Postgres learns within hours only that a program is gone
// together with its machine, and keeps the locks of its transaction until then; a suppression would wait for it.
const idleTimeout = 5 * time.Minute

func (o Options) withDefaults() Options {
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	if o.MaxLifetime == 0 {
		o.MaxLifetime = 30 * time.Minute
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 10 * time.Second
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 30 * time.Second
	}
	return o
}

// Open makes a pool for the connection URL dsn; it connects at the first use.
// sslmode is "prefer" and connect_timeout 3 s unless the URL says otherwise, and parameters go out in binary, which
// saves a round trip per statement. Of several hosts it takes one that can be written to, unless the URL has another
// target_session_attrs, and begins with the one that it took last. With prepared_statements=false no statement is
// prepared under a name. When Postgres does not answer, a call returns UNAVAILABLE half a second after its context's
// deadline, or two seconds after the statement timeout.
func Open(dsn string, opt Options) (*Pool, error) {
	opt = opt.withDefaults()
	u, statementTimeout, err := connectionURL(dsn, opt)
	if err != nil {
		return nil, err
	}
	p := &Pool{host: u.Host, startTimeout: opt.StartTimeout, readOnly: opt.ReadOnly}
	if p.unprepared, err = takeUnprepared(u); err != nil {
		return nil, err
	}
	for _, name := range []string{"statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"} {
		if value := u.Query().Get(name); value != "" && value != "0" {
			p.limits = append(p.limits, name)
		}
	}
	hosts, err := connectors(u)
	if err != nil {
		return nil, err
	}
	c := &connector{source: &source{opt: opt, text: dsn, made: hosts}, kind: &p.kind}
	if statementTimeout > 0 {
		c.readTimeout = statementTimeout + timeoutMargin
	}
	p.DB = sqlx.NewDb(sql.OpenDB(c), "postgres")
	p.SetMaxOpenConns(opt.MaxConns)
	p.SetMaxIdleConns(opt.MaxConns)
	p.SetConnMaxIdleTime(5 * time.Minute)
	p.SetConnMaxLifetime(opt.MaxLifetime)
	p.openAdminPool = func() (*Pool, error) { // a closure, so that no print of the pool shows the password
		return Open(dsn, Options{MaxConns: 3, StatementTimeout: -1, Application: opt.Application, Current: opt.Current})
	}
	return p, nil
}

// Limits names the limits of time that connections ask for, and that a pooler may leave out.
func (p *Pool) Limits() []string { return p.limits }

// OpenAdminPool opens a second, small pool to the same database, whose statements take as long as they need. What is
// set in its sessions ends with them.
func (p *Pool) OpenAdminPool() (*Pool, error) { return p.openAdminPool() }

// Await pings until Postgres answers. A refusal that waiting cannot change, such as a wrong password, ends it at once.
func (p *Pool) Await(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, p.startTimeout)
	defer cancel()
	for logged := false; ; logged = true {
		err := p.PingContext(ctx)
		if err == nil {
			return nil
		}
		if SQLState(err) != "" && !unavailable(err) {
			return fmt.Errorf("connect to Postgres: %w", err)
		}
		if !logged {
			log.Warn("waiting for Postgres", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("connect to Postgres: %s not reachable for %s: %w", p.host, p.startTimeout, err)
			}
			return fmt.Errorf("connect to Postgres: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
