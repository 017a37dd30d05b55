package pg

import (
	"context"

	"leadgate/shared/pg/conn"
)

// fail is conn.Fail, until its callers say so.
func fail(ctx context.Context, doing string, err error) error { return conn.Fail(ctx, doing, err) }

// Code is SQLState, until its callers say so.
func Code(err error) string { return conn.SQLState(err) }
