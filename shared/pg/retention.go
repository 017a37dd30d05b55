package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/conn"
)

// retentionLock is how long retention waits for a lock, and makes others wait; then it gives up until the next run.
const retentionLock = 2 * time.Second

// Partitions, as ensure_partitions makes them.
const (
	week          = 7 * 24 * time.Hour
	partitionDate = "20060102" // its Monday, after the table's name
)

// DropOldPartitions drops the weeks of events, deliveries and attempts that ended longer than keep ago, and returns
// their names. A week of deliveries of which one is still pending is kept, and so are its events; kept has the names of
// such weeks of deliveries.
//
// A partition is detached concurrently, which waits for those who read the table but lets them and everybody else go
// on, and then dropped. What a crash or a lock left half done is finished by the next run, so a table with a
// partition's name that is not attached is dropped too: whoever wants to keep one renames it. Of several workers one
// does this, and the others return at once.
func (db *DB) DropOldPartitions(ctx context.Context, keep time.Duration) (dropped, kept []string, err error) {
	admin, err := db.OpenAdminPool() // what is set in its sessions ends with them, and so does the lock
	if err != nil {
		return nil, nil, fmt.Errorf("retention: %w", err)
	}
	defer admin.Close()
	session, err := admin.Connx(ctx)
	if err != nil {
		return nil, nil, conn.Fail(ctx, "retention", err)
	}
	defer session.Close()
	const lock = `select pg_try_advisory_lock(hashtext('leadgate.retention'))`
	const unlock = `select pg_advisory_unlock(hashtext('leadgate.retention'))`
	locked, _, err := conn.Find(ctx, session, "lock retention", conn.Value[bool], lock)
	if err != nil || !locked {
		return nil, nil, err
	}
	// Postgres may see the session's end later than the next worker asks
	defer session.ExecContext(context.WithoutCancel(ctx), unlock)
	set := fmt.Sprintf(`set lock_timeout = %d`, retentionLock.Milliseconds())
	if _, err := conn.Exec(ctx, session, "retention", set); err != nil {
		return nil, nil, err
	}
	r := retention{session: session, weeks: map[time.Time]bool{}}
	old, err := r.old(ctx, keep)
	if err != nil {
		return nil, nil, err
	}
	err = r.dropAll(ctx, old)
	return r.dropped, r.kept, err
}

// retention is one run of DropOldPartitions.
type retention struct {
	session       *sqlx.Conn
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

// old returns the partitions that ended longer than keep ago, and those that were: deliveries first, each table's
// oldest first. Those whose detachment was interrupted come before the others of their table, which cannot be detached
// before.
func (r *retention) old(ctx context.Context, keep time.Duration) (old []partition, err error) {
	const q = `
select p.relname, c.relname, format('%I.%I', n.nspname, c.relname), format('%I.%I', n.nspname, p.relname),
       c.relispartition, coalesce(i.inhdetachpending, false) as detaching, now()
  from pg_class p
  join pg_namespace n on n.oid = p.relnamespace
  join pg_class c on c.relnamespace = p.relnamespace and c.relkind = 'r' and c.relname ~ ('^' || p.relname || '_[0-9]{8}$')
  left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = p.oid
 where p.oid in ('events'::regclass, 'deliveries'::regclass, 'attempts'::regclass)
   and c.relispartition = (i.inhrelid is not null)
 order by p.relname <> 'deliveries', p.relname, detaching desc, c.relname`
	err = conn.Each(ctx, r.session, "list partitions", func(row conn.Row) error {
		var p partition
		var now time.Time
		if err := row.Scan(&p.parent, &p.name, &p.table, &p.of, &p.attached, &p.detaching, &now); err != nil {
			return err
		}
		monday, err := time.Parse(partitionDate, p.name[len(p.parent)+1:])
		if err != nil || monday.Weekday() != time.Monday {
			return nil // not one of ours
		}
		p.monday = monday
		if p.parent == "deliveries" {
			r.weeks[p.monday] = true
		}
		if !p.monday.Add(week + keep).After(now) {
			old = append(old, p)
		}
		return nil
	}, q)
	return old, err
}

// dropAll drops what may be dropped. A table of which one partition cannot be detached now is left for the next run.
func (r *retention) dropAll(ctx context.Context, old []partition) error {
	var errs []error
	blocked := map[string]bool{}
	for _, p := range old {
		if blocked[p.parent] || p.parent == "events" && r.weeks[p.monday] {
			continue
		}
		if err := r.drop(ctx, &p); err != nil {
			blocked[p.parent] = true
			errs = append(errs, conn.Fail(ctx, "drop partition "+p.name, err))
		}
	}
	return errors.Join(errs...)
}

// drop drops one partition, unless it is of deliveries of which one is pending: that is looked for before it is
// detached, and again when nobody can reach it any more.
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

// pending reports whether a week of deliveries has pending ones. It looks across workspaces.
func (r *retention) pending(ctx context.Context, p *partition) (found bool, err error) {
	if p.parent != "deliveries" {
		return false, nil
	}
	// By the index of what is due, though the table may be believed to be full of it.
	q := `
select exists (
    select from ` + p.table + ` where state = 'pending' order by workspace_id, endpoint_id, next_at, id offset 0)`
	found, _, err = conn.Find(ctx, r.session, "look for pending deliveries", conn.Value[bool], q)
	return found, err
}

// attach brings back a partition that was detached although something in it is pending.
func (r *retention) attach(ctx context.Context, p *partition) error {
	if p.attached {
		return nil
	}
	bound := func(at time.Time) string { return `(uuid_floor('` + at.Format(time.RFC3339) + `'))` }
	return r.exec(ctx, `alter table `+p.of+` attach partition `+p.table+
		` for values from `+bound(p.monday)+` to `+bound(p.monday.Add(week)))
}

// exec runs a statement without parameters, outside of any transaction.
func (r *retention) exec(ctx context.Context, statement string) error {
	_, err := r.session.ExecContext(ctx, statement)
	return err
}

// DeleteOld deletes, in bounded batches, replays that ended longer than keep ago, and endpoints that were deleted
// longer ago than any delivery to them is kept. It looks across workspaces.
func (db *DB) DeleteOld(ctx context.Context, keep time.Duration) (endpoints, replays int, err error) {
	const oldEndpoints = `
delete from endpoints where (workspace_id, id) in (
    select workspace_id, id from endpoints e
     where deleted_at < now() - cast($1 as interval)
       and not ` + hasDeliveries + `
     limit $2)`
	const oldReplays = `
delete from replays where (workspace_id, id) in (
    select workspace_id, id from replays where state <> 'running' and finished_at < now() - cast($1 as interval) limit $2)`
	endpoints, err = conn.DeleteInBatches(ctx, db, "delete old endpoints", oldEndpoints, interval(keep+week))
	if err == nil {
		replays, err = conn.DeleteInBatches(ctx, db, "delete old replays", oldReplays, interval(keep))
	}
	return endpoints, replays, err
}
