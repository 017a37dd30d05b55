package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"leadgate/shared/pg/conn"
)

// ErrUnsafe is why a process does not start, or is not ready, on a Postgres that can lose what it has committed.
var ErrUnsafe = errors.New("Postgres can lose leads that were answered with 201 when its machine fails: " +
	"set these to on, or LEADGATE_ALLOW_UNSAFE_POSTGRES where its storage makes up for them")

// checkDurable returns ErrUnsafe, with the names of the settings, when a commit can be lost with the machine. It looks
// across workspaces.
func (db *DB) checkDurable(ctx context.Context) error {
	const q = `
select name from unnest(array['fsync', 'full_page_writes', 'synchronous_commit']) as s (name) where current_setting(name) = 'off'`
	off, err := conn.Collect(ctx, db, "check durability", conn.Value[string], q)
	if err == nil && len(off) > 0 {
		err = fmt.Errorf("%s off: %w", strings.Join(off, ", "), ErrUnsafe)
	}
	return err
}

// Ready returns nil when Postgres answers and, unless Start was told that it need not, keeps what it commits.
func (db *DB) Ready(ctx context.Context) error {
	if db.allowUnsafe {
		return db.PingContext(ctx)
	}
	return db.checkDurable(ctx)
}
