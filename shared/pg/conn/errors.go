package conn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"leadgate/shared/fault"
)

// What Postgres answers instead of rows, for errors.Is on what this package and package pg return. No other package
// knows SQLSTATEs.
var (
	// ErrRejected is any answer that says that the statement, or a value in it, cannot be accepted: the same would be
	// rejected again. The violations below are among them, the others are not.
	ErrRejected            = errors.New("rejected by Postgres")
	ErrUniqueViolation     = errors.New("unique violation")
	ErrForeignKeyViolation = errors.New("foreign key violation")
	// ErrNoPartition says that no partition takes a row, because none was made ahead for weeks.
	ErrNoPartition    = errors.New("no partition")
	ErrDatabaseExists = errors.New("database exists")

	// ErrDeadlock ended a statement so that another could go on.
	ErrDeadlock = errors.New("deadlock")
	// ErrLockTimeout ended a statement that waited too long for a row of another transaction.
	ErrLockTimeout = errors.New("lock timeout")
	// ErrStatementTimeout ended a statement that ran too long, while its context had not ended.
	ErrStatementTimeout = errors.New("statement timeout")
)

// states are the SQLSTATEs that have an error of their own.
var states = map[pqerror.Code]error{
	"23503": ErrForeignKeyViolation,
	"23505": ErrUniqueViolation,
	"23514": ErrNoPartition,
	"40P01": ErrDeadlock,
	"42P04": ErrDatabaseExists,
	"55P03": ErrLockTimeout,
	"57014": ErrStatementTimeout,
}

// answered is an error that Postgres answered with.
type answered struct {
	error          // with what was being done
	is       error // of states; nil: none of them
	rejected bool
}

func (a *answered) Unwrap() error { return a.error }

// Is reports whether target is one of the errors above that a is.
func (a *answered) Is(target error) bool {
	return a.is != nil && target == a.is || a.rejected && target == ErrRejected
}

// Fail wraps err with what was being done. It is UNAVAILABLE when Postgres cannot be reached or is too busy, or ctx has
// ended.
func Fail(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return fault.StoreUnavailable(fmt.Errorf("%s: %w: %w", doing, cause, err), time.Second)
	}
	wrapped := fmt.Errorf("%s: %w", doing, err)
	busy := unavailable(err)
	var pe *pq.Error
	if errors.As(err, &pe) {
		is := states[pe.Code]
		if is == ErrNoPartition && pe.Constraint != "" { // a check has a name
			is = nil
		}
		wrapped = &answered{wrapped, is, !busy && is != ErrDeadlock && is != ErrNoPartition}
	}
	if busy {
		return fault.StoreUnavailable(wrapped, time.Second)
	}
	return wrapped
}

// finish is Fail for what has been done: where nothing failed, it is UNAVAILABLE when ctx has ended. By then lib/pq may
// have asked Postgres to cancel, and one that waits for its synchronous standby then answers as if that had the commit.
func finish(ctx context.Context, doing string, err error) error {
	if err == nil {
		err = ctx.Err()
	}
	return Fail(ctx, doing, err)
}

// unavailable reports whether the server is unreachable or exhausted, by SQLSTATE class or by the absence of one,
// rather than the statement wrong.
func unavailable(err error) bool {
	var pe *pq.Error
	if errors.As(err, &pe) {
		switch string(pe.Code)[:2] {
		case "08", "53", "57", "58": // connection, resources, operator intervention, system error
			return true
		}
		return pe.Code == "25006" || pe.Code == "55P03" // read-only standby, lock timeout
	}
	var ne net.Error
	if errors.As(err, &ne) || errors.Is(err, sql.ErrConnDone) {
		return true
	}
	for _, text := range []string{"driver: bad connection", "database is closed", "EOF", "connection re",
		"server is in hot standby mode", "session is read-only"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// SQLState returns err's SQLSTATE, or "". It is for logs, which must not hold the message: that can quote a value. Code
// that branches uses errors.Is.
func SQLState(err error) string {
	var pe *pq.Error
	if errors.As(err, &pe) {
		return string(pe.Code)
	}
	return ""
}
