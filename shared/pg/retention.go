package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Bounds of retention.
const (
	retentionLock = 2 * time.Second // for so long it waits for a lock, and makes others wait; then it is for the next time
	deleteBatch   = 1000            // rows deleted by one statement
	deleteMost    = 100             // statements that delete, each time
)

// Partitions, as ensure_partitions makes them.
const (
	week          = 7 * 24 * time.Hour
	partitionDate = "20060102" // its Monday, after the table's name
)

// DropOldPartitions drops the weeks of events, deliveries and attempts that ended longer than keep ago, and returns their names.
// A week of deliveries of which one is still pending is kept, and so are its events; kept has the names of such weeks of deliveries.
//
// A partition is detached concurrently, which waits for those who read the table but lets them and everybody else go on, and then dropped.
// What a crash or a lock left half done is finished the next time, so a table with a partition's name that is not attached is dropped too:
// who wants to keep one renames it. Of several workers one does this, and the others return at once.
func (db *DB) DropOldPartitions(ctx context.Context, keep time.Duration) (dropped, kept []string, err error) {
	admin, err := db.OpenAdminPool() // connections of its own: what is set for them ends with them, and so does the lock
	if err != nil {
		return nil, nil, fmt.Errorf("retention: %w", err)
	}
	defer admin.Close()
	conn, err := admin.Connx(ctx)
	if err != nil {
		return nil, nil, fail(ctx, "retention", err)
	}
	defer conn.Close()
	var mine bool
	if err := conn.GetContext(ctx, &mine, `select pg_try_advisory_lock(hashtext('leadgate.retention'))`); err != nil || !mine {
		return nil, nil, fail(ctx, "retention", err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), `select pg_advisory_unlock(hashtext('leadgate.retention'))`) // Postgres may see the connection's end later than whoever comes next
	// Without the index a large partition would be read whole, whatever old statistics say.
	if _, err := conn.ExecContext(ctx, fmt.Sprintf(`set lock_timeout = %d; set enable_seqscan = off`, retentionLock.Milliseconds())); err != nil {
		return nil, nil, fail(ctx, "retention", err)
	}
	r := retention{conn: conn, weeks: map[time.Time]bool{}}
	old, err := r.old(ctx, keep)
	if err != nil {
		return nil, nil, fail(ctx, "retention", err)
	}
	err = r.dropAll(ctx, old)
	return r.dropped, r.kept, err
}

// retention is one run of DropOldPartitions.
type retention struct {
	conn          *sqlx.Conn
	weeks         map[time.Time]bool // of deliveries that are still there
	dropped, kept []string
}

// partition is a week of a table.
type partition struct {
	parent, name string
	table, of    string // the same, quoted and with their schema
	attached     bool
	detaching    bool // a detachment was interrupted
	monday       time.Time
}

// old returns the partitions that ended longer than keep ago, and those that were: deliveries first, each table's oldest first.
// Those whose detachment was interrupted come before the others of their table, which cannot be detached before.
func (r *retention) old(ctx context.Context, keep time.Duration) (old []partition, err error) {
	const q = `
select p.relname, c.relname, format('%I.%I', n.nspname, c.relname), format('%I.%I', n.nspname, p.relname),
       c.relispartition, coalesce(i.inhdetachpending, false) as detaching, now()
  from pg_class p
  join pg_namespace n on n.oid = p.relnamespace
  join pg_class c on c.relnamespace = p.relnamespace and c.relkind = 'r' and c.relname ~ ('^' || p.relname || '_[0-9]{8}$')
  left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = p.oid
 where p.oid in ('events'::regclass, 'deliveries'::regclass, 'attempts'::regclass) and c.relispartition = (i.inhrelid is not null)
 order by p.relname <> 'deliveries', p.relname, detaching desc, c.relname`
	rows, err := r.conn.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p partition
		var now time.Time
		if err := rows.Scan(&p.parent, &p.name, &p.table, &p.of, &p.attached, &p.detaching, &now); err != nil {
			return nil, err
		}
		p.monday, err = time.Parse(partitionDate, p.name[len(p.parent)+1:])
		if err != nil || p.monday.Weekday() != time.Monday {
			continue // not one of ours
		}
		if p.parent == "deliveries" {
			r.weeks[p.monday] = true
		}
		if !p.monday.Add(week + keep).After(now) {
			old = append(old, p)
		}
	}
	return old, rows.Err()
}

// dropAll drops what may be dropped. A table of which one partition cannot be detached now is left for the next time.
func (r *retention) dropAll(ctx context.Context, old []partition) error {
	var errs []error
	stuck := map[string]bool{}
	for _, p := range old {
		if stuck[p.parent] || p.parent == "events" && r.weeks[p.monday] {
			continue
		}
		if err := r.drop(ctx, &p); err != nil {
			stuck[p.parent] = true
			errs = append(errs, fail(ctx, "drop partition "+p.name, err))
		}
	}
	return errors.Join(errs...)
}

// drop drops one partition, unless it is of deliveries of which one is pending: that is looked for before it is detached,
// and again when nobody can reach it any more.
func (r *retention) drop(ctx context.Context, p *partition) error {
	if p.detaching {
		if err := r.exec(ctx, `alter table `+p.of+` detach partition `+p.table+` finalize`); err != nil {
			return err
		}
		p.attached = false
	}
	pending, err := r.pending(ctx, p)
	if err != nil {
		return err
	}
	if p.attached && !pending {
		if err := r.exec(ctx, `alter table `+p.of+` detach partition `+p.table+` concurrently`); err != nil {
			return err
		}
		p.attached = false
		if pending, err = r.pending(ctx, p); err != nil {
			return err
		}
	}
	if pending {
		r.kept = append(r.kept, p.name)
		return r.attach(ctx, p)
	}
	if err := r.exec(ctx, `drop table `+p.table); err != nil {
		return err
	}
	r.dropped = append(r.dropped, p.name)
	if p.parent == "deliveries" {
		delete(r.weeks, p.monday)
	}
	return nil
}

func (r *retention) pending(ctx context.Context, p *partition) (found bool, err error) {
	if p.parent != "deliveries" {
		return false, nil
	}
	err = r.conn.GetContext(ctx, &found, `select exists (select from `+p.table+` where state = 'pending')`)
	return found, err
}

// attach brings back a partition that was detached although something in it is owed.
func (r *retention) attach(ctx context.Context, p *partition) error {
	if p.attached {
		return nil
	}
	bound := func(at time.Time) string { return `(uuid_floor('` + at.Format(time.RFC3339) + `'))` }
	return r.exec(ctx, `alter table `+p.of+` attach partition `+p.table+` for values from `+bound(p.monday)+` to `+bound(p.monday.Add(week)))
}

// exec runs a statement without parameters, outside of any transaction.
func (r *retention) exec(ctx context.Context, statement string) error {
	_, err := r.conn.ExecContext(ctx, statement)
	return err
}

// DeleteOld deletes, in bounded batches, replays that ended longer than keep ago, and endpoints that were deleted longer ago than
// any delivery to them is kept.
func (db *DB) DeleteOld(ctx context.Context, keep time.Duration) (endpoints, replays int, err error) {
	const endpointsQ = `
delete from endpoints where (workspace_id, id) in (
    select workspace_id, id from endpoints e where deleted_at < now() - cast($1 as interval)
       and not exists (select from deliveries d where d.workspace_id = e.workspace_id and d.endpoint_id = e.id) limit $2)`
	const replaysQ = `
delete from replays where (workspace_id, id) in (
    select workspace_id, id from replays where state <> 'running' and finished_at < now() - cast($1 as interval) limit $2)`
	if endpoints, err = db.deleteAll(ctx, endpointsQ, keep+week); err != nil {
		return endpoints, 0, fail(ctx, "delete old endpoints", err)
	}
	replays, err = db.deleteAll(ctx, replaysQ, keep)
	return endpoints, replays, fail(ctx, "delete old replays", err)
}

// deleteAll repeats q, which deletes up to $2 rows older than $1.
func (db *DB) deleteAll(ctx context.Context, q string, age time.Duration) (deleted int, err error) {
	for range deleteMost {
		res, err := db.ExecContext(ctx, q, interval(age), deleteBatch)
		if err != nil {
			return deleted, err
		}
		n, err := res.RowsAffected()
		deleted += int(n)
		if err != nil || n < deleteBatch {
			return deleted, err
		}
	}
	return deleted, nil
}
