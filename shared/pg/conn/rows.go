package conn

import (
	"context"
	"database/sql"
)

// Queryer is what reads rows: a Pool, a transaction, one connection, or a Pool's Prepared.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Execer is what runs a statement without rows: a Pool, a transaction, one connection, or a Pool's Prepared.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Row is a row to scan.
type Row = interface{ Scan(...any) error }

// Each runs query and scans each of its rows, until scan fails. Errors are wrapped with what was being done, as Fail
// does it.
func Each(ctx context.Context, on Queryer, doing string, scan func(Row) error, query string, args ...any) error {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return Fail(ctx, doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return Fail(ctx, doing, err)
		}
	}
	return finish(ctx, doing, rows.Err())
}

// Collect returns the rows of query, each as scan reads it; nil when there are none.
func Collect[T any](ctx context.Context, on Queryer, doing string, scan func(Row) (T, error), query string,
	args ...any) (
	all []T, err error) {
	err = Each(ctx, on, doing, func(row Row) error {
		v, err := scan(row)
		if err == nil {
			all = append(all, v)
		}
		return err
	}, query, args...)
	return all, err
}

// Find returns the first row of query as scan reads it; ok is false when there is none.
func Find[T any](ctx context.Context, on Queryer, doing string, scan func(Row) (T, error), query string, args ...any) (
	v T, ok bool, err error) {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return v, false, Fail(ctx, doing, err)
	}
	defer rows.Close()
	if ok = rows.Next(); !ok {
		return v, false, finish(ctx, doing, rows.Err())
	}
	if v, err = scan(rows); err == nil {
		err = rows.Close() // reports what failed after the first row
	}
	err = finish(ctx, doing, err)
	return v, err == nil, err
}

// One is Find where a missing row is the error notFound.
func One[T any](ctx context.Context, on Queryer, doing string, scan func(Row) (T, error), notFound error, query string,
	args ...any) (
	v T, err error) {
	v, ok, err := Find(ctx, on, doing, scan, query, args...)
	if err == nil && !ok {
		err = notFound
	}
	return v, err
}

// Value scans a row of one column. As the scan of Collect, Find and One it needs its type: Value[id.UUID].
func Value[T any](row Row) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// Exec runs a statement and returns how many rows it changed.
func Exec(ctx context.Context, on Execer, doing, query string, args ...any) (changed int, err error) {
	res, err := on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, Fail(ctx, doing, err)
	}
	n, err := res.RowsAffected()
	return int(n), finish(ctx, doing, err)
}

// Bounds of DeleteInBatches.
const (
	deleteBatch = 1000 // rows deleted by one statement
	maxDeletes  = 100  // statements of one call; the rest is for the next call
)

// DeleteInBatches repeats a statement that deletes rows, as many as its last parameter says at most, until it finds
// fewer. No statement holds locks for long, and no call goes on for ever: what is left after 100 statements is for the
// next call.
func DeleteInBatches(ctx context.Context, on Execer, doing, query string, args ...any) (deleted int, err error) {
	args = append(args, deleteBatch)
	for range maxDeletes {
		n, err := Exec(ctx, on, doing, query, args...)
		deleted += n
		if err != nil || n < deleteBatch {
			return deleted, err
		}
	}
	return deleted, nil
}
