package pg

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/conn"
)

// fail is conn.Fail, until its callers say so.
func fail(ctx context.Context, doing string, err error) error { return conn.Fail(ctx, doing, err) }

// Code is SQLState, until its callers say so.
func Code(err error) string { return conn.SQLState(err) }

// prepared is Prepare for one statement; Prepared is simpler, outside of transactions.
func (db *DB) prepared(ctx context.Context, query string) (*sqlx.Stmt, error) {
	all, err := db.Prepare(ctx, query)
	return all[query], err
}

// gaveWay, pause and changeTries are conn.Retry, until their callers use it.
func gaveWay(err error) bool {
	return errors.Is(err, conn.ErrDeadlock) || errors.Is(err, conn.ErrLockTimeout)
}

const changeTries = 8

func pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(time.Duration(try) * 10 * time.Millisecond)):
		return nil
	}
}
