// Package pg is the only room that speaks SQL: every statement of leadgate, beside the method that runs it.
//
// Package conn below it holds what the statements run on. README.md says how they stay on their indexes.
package pg

import (
	"context"
	"log/slog"
	"sync/atomic"

	"leadgate/shared/pg/conn"
	"leadgate/shared/secret"
	"leadgate/shared/trace"
)

// DB is a pool of connections to one database.
type DB struct {
	*conn.Pool
	allowUnsafe bool                           // see StartOptions
	readOnly    bool                           // likewise
	secrets     atomic.Pointer[secret.Keyring] // likewise; UseSecrets changes it
	tracer      *trace.Tracer                  // likewise
}

// Options of Open.
type Options = conn.Options

// Open makes a pool for the connection URL dsn, as conn.Open does.
func Open(dsn string, opt Options) (*DB, error) {
	pool, err := conn.Open(dsn, opt)
	if err != nil {
		return nil, err
	}
	return &DB{Pool: pool}, nil
}

// Errors that callers branch on, with errors.Is; see package conn.
var (
	ErrRejected         = conn.ErrRejected
	ErrUniqueViolation  = conn.ErrUniqueViolation
	ErrLockTimeout      = conn.ErrLockTimeout
	ErrStatementTimeout = conn.ErrStatementTimeout
)

// SQLState returns err's SQLSTATE, or "", for logs only.
func SQLState(err error) string { return conn.SQLState(err) }

// StartOptions of Start.
type StartOptions struct {
	Migrate     bool            // bring the schema up to date; else it is only checked
	AllowUnsafe bool            // accept a Postgres that can lose what it has committed
	ReadOnly    bool            // nothing is to be written: accept a standby, and make nothing; goes with Options.ReadOnly
	Secrets     *secret.Keyring // seals secrets that are stored; nil: they are in clear
	Tracer      *trace.Tracer   // exports what is done for leads that have a trace; nil: nothing
}

// Start waits for Postgres, checks that it is one to work with (server.go), sees to the schema, and makes the
// partitions ahead.
// Its error is one line fit to be a process' last word.
func (db *DB) Start(ctx context.Context, log *slog.Logger, o StartOptions) error {
	if err := db.Await(ctx, log); err != nil {
		return err
	}
	db.allowUnsafe, db.readOnly = o.AllowUnsafe, o.ReadOnly
	db.secrets.Store(o.Secrets)
	db.tracer = o.Tracer
	if err := db.checkServer(ctx, log); err != nil {
		return err
	}
	db.checkConnections(ctx, log)
	if o.Migrate {
		n, err := db.Migrate(ctx, log)
		if err != nil {
			return err
		}
		log.Info("migrated", "applied", n)
		return nil
	}
	if err := db.CheckSchema(ctx); err != nil || o.ReadOnly {
		return err
	}
	// Partitions may be missing after weeks without a process. But this may run as a user who must not make tables, and
	// they may be there.
	if err := db.EnsurePartitions(ctx); err != nil {
		log.Warn("create partitions failed", "error", err.Error())
	}
	return nil
}
