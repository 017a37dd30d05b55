package pg

import (
	"context"
	"fmt"
	"slices"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/pg/conn"
)

// writersWait is how long a suppression waits for others: far longer than any commit takes.
const writersWait = 10 * time.Second

// awaitWriters waits until all have ended who may write a lead or a submission, and do not know the suppressions that
// are committed by now. It looks across workspaces.
//
// So intake looks a suppression up once, in the statement that writes, and pays nothing for those that come meanwhile.
// Nobody is missed: who writes a table has its lock before the snapshot is taken in which suppressions are looked up,
// and keeps it until the commit can be seen. So whose snapshot is older than this call has such a lock now, or has
// ended. Those who begin later see the suppressions, and are not waited for; nor are readers, such as a backup, vacuums,
// and builds of indexes, which have other locks.
func (db *DB) awaitWriters(ctx context.Context) error {
	const q = `
select concat(virtualtransaction, ' of process ', pid) from pg_locks
 where locktype = 'relation' and database = (select oid from pg_database where datname = current_database())
   and relation in ('leads'::regclass, 'submissions'::regclass) and mode = 'RowExclusiveLock'`
	ctx, cancel := context.WithTimeout(ctx, writersWait)
	defer cancel()
	writers := func() ([]string, error) {
		return conn.Collect(ctx, db, "find writers of leads", conn.Value[string], q)
	}
	older, err := writers()
	for pause := time.Millisecond; err == nil && len(older) > 0; pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-ctx.Done():
			return fault.StoreUnavailable(fmt.Errorf("a suppression waits for the transactions %v: %w", older, ctx.Err()),
				time.Second)
		case <-time.After(pause):
		}
		var left []string
		left, err = writers()
		older = slices.DeleteFunc(older, func(v string) bool { return !slices.Contains(left, v) })
	}
	return err
}
