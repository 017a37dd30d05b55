package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// A job is an import or a replay: work that a workspace asks for, and that a worker does a piece at a time.

// lockWorkspace locks the row of a workspace until tx ends: what a workspace can have a limited number of is made one
// by one, so that each creation counts the others.
func lockWorkspace(ctx context.Context, tx *sqlx.Tx, workspace id.UUID) error {
	_, err := conn.Exec(ctx, tx, "lock workspace", `select from workspaces where id = $1 for no key update`, workspace)
	return err
}

// tooMany is the CONFLICT of a workspace that has as many of something as it can.
func tooMany(most int, what string) error {
	return fault.New(fault.Conflict, fmt.Sprintf("A workspace can have at most %d %s", most, what))
}

// limitHourly is RATE_LIMITED when query returns a row: after how many seconds the last of the most things that a
// workspace can make in an hour is an hour old. Simultaneous ones may exceed that by a few, where on has not locked the
// workspace.
func limitHourly(ctx context.Context, on conn.Queryer, most int, what, query string, args ...any) error {
	wait, limited, err := conn.Find(ctx, on, "count "+what, conn.Value[float64], query, args...)
	if err != nil || !limited {
		return err
	}
	return &fault.Error{Kind: fault.RateLimited,
		Public:     fmt.Sprintf("A workspace can make at most %d %s an hour", most, what),
		RetryAfter: max(time.Second, time.Duration(wait*float64(time.Second)))}
}

// jobEnded is the CONFLICT of cancelling a job that has ended otherwise.
func jobEnded(what, state string) error {
	return fault.New(fault.Conflict, fmt.Sprintf("The %s has ended already: it is %s", what, state))
}
