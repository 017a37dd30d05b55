// Package pg is the only room that speaks SQL: every statement of leadgate, one file per table.
package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"leadgate/shared/fault"
)

// DB is a pool of connections to one database.
type DB struct {
	*sqlx.DB
	plans   plans
	where   string              // host and port
	wait    time.Duration       // Options.Patience
	patient func() (*DB, error) // opens another pool to the database, whose statements may take as long as they need
}

// Options of Open.
type Options struct {
	MaxConns         int           // 0: 16
	StatementTimeout time.Duration // 0: 10 s, negative: none; kept by the server, so that the connection survives
	LockTimeout      time.Duration // how long a statement waits for another's row; 0: as the server has it
	Application      string        // shown in pg_stat_activity
	Patience         time.Duration // how long Start and Await wait for Postgres; 0: 30 s
}

// Open makes a pool for the connection URL dsn; it connects at the first use.
// sslmode is "prefer" and connect_timeout 3 s unless the URL says otherwise, and parameters go out in binary, which saves a round trip per statement.
// When Postgres falls silent a call returns UNAVAILABLE half a second after its context's deadline, or two seconds after the statement timeout.
func Open(dsn string, opt Options) (*DB, error) {
	u, err := parseURL(dsn)
	if err != nil {
		return nil, err
	}
	if opt.MaxConns == 0 {
		opt.MaxConns = 16
	}
	if opt.StatementTimeout == 0 {
		opt.StatementTimeout = 10 * time.Second
	}
	if opt.Patience == 0 {
		opt.Patience = startPatience
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
	set("statement_timeout", fmt.Sprint(opt.StatementTimeout.Milliseconds()))
	if opt.LockTimeout > 0 {
		set("lock_timeout", fmt.Sprint(opt.LockTimeout.Milliseconds()))
	}
	set("timezone", "UTC")
	set("fallback_application_name", opt.Application)
	silence, err := strconv.ParseInt(q.Get("statement_timeout"), 10, 32)
	if err != nil || silence < 0 {
		return nil, errors.New("database URL: statement_timeout must be a number of milliseconds")
	}
	u.RawQuery = q.Encode()
	through, err := pq.NewConnector(u.String())
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	through.Dialer(newDialer())
	c := connector{Connector: through}
	if silence > 0 {
		c.silence = time.Duration(silence)*time.Millisecond + slack
	}
	db := sqlx.NewDb(sql.OpenDB(c), "postgres")
	db.SetMaxOpenConns(opt.MaxConns)
	db.SetMaxIdleConns(opt.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	patient := func() (*DB, error) {
		return Open(dsn, Options{MaxConns: 2, StatementTimeout: -1, Application: opt.Application})
	}
	return &DB{DB: db, where: u.Host, wait: opt.Patience, patient: patient}, nil
}

// parseURL refuses what looks like a password that is not percent-encoded: its end would be taken for another part, and shown in errors.
func parseURL(dsn string) (*url.URL, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Fragment != "" || u.User == nil && strings.Contains(dsn, "@") {
		return nil, errors.New("database URL: want postgres://user:password@host:port/name, with special characters of the password percent-encoded")
	}
	return u, nil
}

// InTx runs fn in a transaction: commits when fn returns nil, rolls back otherwise. Nothing else in leadgate begins or commits.
func (db *DB) InTx(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return fail(ctx, "begin", err)
	}
	defer tx.Rollback() // after a commit this does nothing
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fail(ctx, "commit", err)
	}
	return nil
}

// fail wraps err with what was being done, and marks it UNAVAILABLE when the reason is that Postgres cannot be reached or is too busy.
func fail(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := fmt.Errorf("%s: %w", doing, err)
	if cause := ctx.Err(); cause != nil {
		return fault.StoreUnavailable(fmt.Errorf("%s: %w: %w", doing, cause, err), time.Second)
	}
	if away(err) {
		return fault.StoreUnavailable(wrapped, time.Second)
	}
	return wrapped
}

// away tells an unreachable or exhausted server from a wrong statement, by SQLSTATE class or by the absence of one.
func away(err error) bool {
	var pe *pq.Error
	if errors.As(err, &pe) {
		switch string(pe.Code)[:2] {
		case "08", "53", "57", "58": // connection, resources, operator intervention, system error
			return true
		}
		return pe.Code == "25006" || pe.Code == "55P03" // read-only standby, lock timeout
	}
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "driver: bad connection") || strings.Contains(err.Error(), "database is closed") ||
		strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "connection re")
}

// Code returns err's SQLSTATE, or "".
func Code(err error) string {
	var pe *pq.Error
	if errors.As(err, &pe) {
		return string(pe.Code)
	}
	return ""
}
