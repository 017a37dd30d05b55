package conn

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
)

// InTx runs fn in a transaction: commits when fn returns nil, rolls back otherwise. Nothing else in leadgate begins or
// commits.
func (p *Pool) InTx(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	// Whatever the database's defaults are.
	return p.inTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted, ReadOnly: p.readOnly}, fn)
}

// InSnapshot is InTx for reading only: every statement of fn sees the same moment of the database.
func (p *Pool) InSnapshot(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	return p.inTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, fn)
}

func (p *Pool) inTx(ctx context.Context, how *sql.TxOptions, fn func(tx *sqlx.Tx) error) error {
	tx, err := p.BeginTxx(ctx, how)
	if err != nil {
		return Fail(ctx, "begin", err)
	}
	defer tx.Rollback() // after a commit this does nothing
	if err := fn(tx); err != nil {
		return err
	}
	return finish(ctx, "commit", tx.Commit())
}

// ErrRetry makes Retry run its function again, because something that it read has changed meanwhile. It may be wrapped.
var ErrRetry = errors.New("changed meanwhile")

// maxTries is how often Retry runs its function.
const maxTries = 8

// Retry runs fn, which is a transaction that can collide with others. Where it ended by a deadlock, by the lock timeout
// or with ErrRetry, fn is run again after a short random pause, so that two that collided do not meet again. After
// eight times the error is UNAVAILABLE.
func Retry(ctx context.Context, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		if !errors.Is(err, ErrDeadlock) && !errors.Is(err, ErrLockTimeout) && !errors.Is(err, ErrRetry) {
			return err
		}
		if try == maxTries {
			return fault.StoreUnavailable(err, time.Second)
		}
		select {
		case <-ctx.Done():
			return fault.StoreUnavailable(ctx.Err(), time.Second)
		case <-time.After(rand.N(time.Duration(try) * 10 * time.Millisecond)):
		}
	}
}
