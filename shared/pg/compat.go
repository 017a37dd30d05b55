package pg

import (
	"context"

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

const deleteBatch = 1000
