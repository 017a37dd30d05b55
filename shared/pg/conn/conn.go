// Package conn is how package pg reaches Postgres: a pool whose calls end in time, statements prepared once for the
// pool, transactions, readers of rows, and errors that callers can tell apart.
//
// The driver is lib/pq. deadline.go and prepared.go here and array.go in package pg exist only for what lib/pq leaves
// out: a deadline on reads when the server hangs, a cache of prepared statements, and arrays that are cheap to build.
package conn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Pool is a pool of connections to one database.
type Pool struct {
	*sqlx.DB
	cache         cache
	host          string // host and port, for error messages
	startTimeout  time.Duration
	openAdminPool func() (*Pool, error)
}

// Options of Open.
type Options struct {
	MaxConns         int           // 0: 16
	StatementTimeout time.Duration // 0: 10 s, negative: none; kept by the server, so that the connection survives
	LockTimeout      time.Duration // how long a statement waits for another's row; 0: the server's own setting
	Application      string        // shown in pg_stat_activity
	StartTimeout     time.Duration // how long Await waits for Postgres; 0: 30 s, so that both can be started together
}

// idleTimeout is how long a transaction may have no statement. Postgres learns within hours only that a program is gone
// together with its machine, and keeps the locks of its transaction until then; a suppression would wait for it.
const idleTimeout = 5 * time.Minute

func (o Options) withDefaults() Options {
	if o.MaxConns == 0 {
		o.MaxConns = 16
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
// saves a round trip per statement. When Postgres does not answer, a call returns UNAVAILABLE half a second after its
// context's deadline, or two seconds after the statement timeout.
func Open(dsn string, opt Options) (*Pool, error) {
	opt = opt.withDefaults()
	u, statementTimeout, err := connectionURL(dsn, opt)
	if err != nil {
		return nil, err
	}
	inner, err := pq.NewConnector(u.String())
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	inner.Dialer(newDialer())
	c := connector{Connector: inner}
	if statementTimeout > 0 {
		c.readTimeout = statementTimeout + timeoutMargin
	}
	db := sqlx.NewDb(sql.OpenDB(c), "postgres")
	db.SetMaxOpenConns(opt.MaxConns)
	db.SetMaxIdleConns(opt.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	admin := func() (*Pool, error) { // a closure, so that no print of the pool shows the password
		return Open(dsn, Options{MaxConns: 2, StatementTimeout: -1, Application: opt.Application})
	}
	return &Pool{DB: db, host: u.Host, startTimeout: opt.StartTimeout, openAdminPool: admin}, nil
}

// OpenAdminPool opens a second, small pool to the same database, whose statements take as long as they need. What is
// set in its sessions ends with them.
func (p *Pool) OpenAdminPool() (*Pool, error) { return p.openAdminPool() }

// connectionURL adds opt and the defaults to dsn, and returns the statement timeout that holds in the end.
func connectionURL(dsn string, opt Options) (u *url.URL, statementTimeout time.Duration, err error) {
	if u, err = parseURL(dsn); err != nil {
		return nil, 0, err
	}
	q := u.Query()
	set := func(key, value string) {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	if opt.StatementTimeout < 0 {
		q.Set("statement_timeout", "0")
	}
	set("sslmode", "prefer")
	set("binary_parameters", "yes")
	set("connect_timeout", "3")
	set("statement_timeout", strconv.FormatInt(opt.StatementTimeout.Milliseconds(), 10))
	if opt.StatementTimeout > 0 {
		set("idle_in_transaction_session_timeout", strconv.FormatInt(idleTimeout.Milliseconds(), 10))
	}
	if opt.LockTimeout > 0 {
		set("lock_timeout", strconv.FormatInt(opt.LockTimeout.Milliseconds(), 10))
	}
	set("timezone", "UTC")
	set("fallback_application_name", opt.Application)
	ms, err := strconv.ParseInt(q.Get("statement_timeout"), 10, 32)
	if err != nil || ms < 0 {
		return nil, 0, errors.New("database URL: statement_timeout must be a number of milliseconds")
	}
	u.RawQuery = q.Encode()
	return u, time.Duration(ms) * time.Millisecond, nil
}

// parseURL refuses what looks like a password that is not percent-encoded: its end would be read as another part, and
// shown in errors.
func parseURL(dsn string) (*url.URL, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Fragment != "" ||
		u.User == nil && strings.Contains(dsn, "@") {
		return nil, errors.New("database URL: want postgres://user:password@host:port/name, " +
			"with special characters of the password percent-encoded")
	}
	return u, nil
}

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
