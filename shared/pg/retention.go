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

	partitionedTables = 4 // events, deliveries, attempts, submissions
)

// detachedByUs is the comment of a partition that retention detaches: nothing else that is detached is dropped.
const detachedByUs = "leadgate: retention drops this"

// Dropped is what DropOldPartitions did.
type Dropped struct {
	Partitions []string    // names
	Kept       []string    // weeks of deliveries of which one is still pending, and whose events are kept too
	Held       []HeldCount // deliveries that went with them
}

// HeldCount is how many deliveries were dropped that an endpoint did not get, because it was disabled all the time, or
// its workspace suspended.
type HeldCount struct {
	EndpointRef
	Deliveries int
}

// DropOldPartitions drops the weeks of events, deliveries and attempts that ended longer than keep ago, and those of
// submissions that ended longer than keepSubmissions ago, of which each lead's first and last are kept. A week of
// deliveries of which one is still pending, and its workspace not suspended, is kept, and so are its events.
//
// A partition is detached concurrently, which waits for those who read the table but lets them and everybody else go
// on, and then dropped. What a crash or a lock left half done is finished by the next run, which knows it by its
// comment: what somebody else detached is his, and stays. Of several workers one does this, and the others return at
// once.
func (db *DB) DropOldPartitions(ctx context.Context, keep, keepSubmissions time.Duration) (out Dropped, err error) {
	admin, err := db.OpenAdminPool() // what is set in its sessions ends with them, and so does the lock
	if err != nil {
		return out, fmt.Errorf("retention: %w", err)
	}
	defer admin.Close()
	session, err := admin.Connx(ctx)
	if err != nil {
		return out, conn.Fail(ctx, "retention", err)
	}
	defer session.Close()
	const lock = `select pg_try_advisory_lock(hashtext('leadgate.retention'))`
	const unlock = `select pg_advisory_unlock(hashtext('leadgate.retention'))`
	locked, _, err := conn.Find(ctx, session, "lock retention", conn.Value[bool], lock)
	if err != nil || !locked {
		return out, err
	}
	// Postgres may see the session's end later than the next worker asks
	defer session.ExecContext(context.WithoutCancel(ctx), unlock)
	set := fmt.Sprintf(`set lock_timeout = %d`, retentionLock.Milliseconds())
	if _, err := conn.Exec(ctx, session, "retention", set); err != nil {
		return out, err
	}
	r := retention{session: session, weeks: map[time.Time]bool{}}
	old, err := r.old(ctx, keep, keepSubmissions)
	if err == nil {
		err = r.dropAll(ctx, old)
	}
	return r.Dropped, err
}

// retention is one run of DropOldPartitions.
type retention struct {
	Dropped
	session *sqlx.Conn
	weeks   map[time.Time]bool // of deliveries that are still there
}

// partition is a week of a table.
type partition struct {
	parent, name string
	table, of    string // the same, quoted and with their schema
	attached     bool
	detaching    bool // a detachment was interrupted
	ours         bool // it is attached, or retention detached it
	monday       time.Time
}

// old returns the partitions that ended longer ago than they are kept, and those that were: deliveries first, each table's
// oldest first. Those whose detachment was interrupted come before the others of their table, which cannot be detached
// before.
func (r *retention) old(ctx context.Context, keep, keepSubmissions time.Duration) (old []partition, err error) {
	const q = `
select p.relname, c.relname, format('%I.%I', n.nspname, c.relname), format('%I.%I', n.nspname, p.relname),
       c.relispartition, coalesce(i.inhdetachpending, false) as detaching,
       c.relispartition and not coalesce(i.inhdetachpending, false) or obj_description(c.oid, 'pg_class') is not distinct from $1,
       now()
  from pg_class p
  join pg_namespace n on n.oid = p.relnamespace
  join pg_class c on c.relnamespace = p.relnamespace and c.relkind = 'r' and c.relname ~ ('^' || p.relname || '_[0-9]{8}$')
  left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = p.oid
 where p.oid in ('events'::regclass, 'deliveries'::regclass, 'attempts'::regclass, 'submissions'::regclass)
   and c.relispartition = (i.inhrelid is not null)
 order by p.relname <> 'deliveries', p.relname, detaching desc, c.relname`
	err = conn.Each(ctx, r.session, "list partitions", func(row conn.Row) error {
		var p partition
		var now time.Time
		if err := row.Scan(&p.parent, &p.name, &p.table, &p.of, &p.attached, &p.detaching, &p.ours,
			&now); err != nil {
			return err
		}
		monday, err := time.Parse(partitionDate, p.name[len(p.parent)+1:])
		if err != nil || monday.Weekday() != time.Monday {
			return nil // not one of ours
		}
		if !p.ours && !p.detaching {
			return nil
		}
		p.monday = monday
		if p.parent == "deliveries" && p.ours {
			r.weeks[p.monday] = true
		}
		age := keep
		if p.parent == "submissions" {
			age = keepSubmissions
		}
		if !p.monday.Add(week + age).After(now) {
			old = append(old, p)
		}
		return nil
	}, q, detachedByUs)
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
	if !p.ours { // no other can be detached before it
		return nil
	}
	pending, err := r.pending(ctx, p)
	if err != nil {
		return err
	}
	if p.attached && p.parent == "submissions" {
		if err := r.keepSubmissions(ctx, p); err != nil {
			return err
		}
	}
	if p.attached && !pending {
		if err := r.exec(ctx, `comment on table `+p.table+` is '`+detachedByUs+`'`); err != nil {
			return err
		}
		if err := r.exec(ctx, `alter table `+p.of+` detach partition `+p.table+` concurrently`); err != nil {
			return err
		}
		p.attached = false
		if pending, err = r.pending(ctx, p); err != nil {
			return err
		}
	}
	if pending {
		r.Kept = append(r.Kept, p.name)
		return r.attach(ctx, p)
	}
	held, err := r.held(ctx, p)
	if err != nil {
		return err
	}
	if err := r.exec(ctx, `drop table `+p.table); err != nil {
		return err
	}
	r.Partitions, r.Held = append(r.Partitions, p.name), append(r.Held, held...)
	if p.parent == "deliveries" {
		delete(r.weeks, p.monday)
	}
	return nil
}

// pending reports whether a week of deliveries has pending ones that can be sent: those of a suspended workspace are as
// good as held. It looks across workspaces.
func (r *retention) pending(ctx context.Context, p *partition) (found bool, err error) {
	if p.parent != "deliveries" {
		return false, nil
	}
	// By the index of what is due, though the table may be believed to be full of it.
	q := `
select exists (
    select from ` + p.table + ` d
     where state = 'pending' and ` + isActive("d.workspace_id") + `
     order by workspace_id, endpoint_id, next_at, id offset 0)`
	found, _, err = conn.Find(ctx, r.session, "look for pending deliveries", conn.Value[bool], q)
	return found, err
}

// held counts the deliveries of a week that were not sent, by endpoint. It looks across workspaces.
func (r *retention) held(ctx context.Context, p *partition) ([]HeldCount, error) {
	if p.parent != "deliveries" {
		return nil, nil
	}
	q := `
select workspace_id, endpoint_id, count(*) from ` + p.table + ` where state in ('held', 'pending') group by workspace_id, endpoint_id`
	return conn.Collect(ctx, r.session, "count held deliveries", func(row conn.Row) (h HeldCount, err error) {
		err = row.Scan(&h.Workspace, &h.Endpoint, &h.Deliveries)
		return h, err
	}, q)
}

// attach brings back a partition that was detached although something in it is pending.
func (r *retention) attach(ctx context.Context, p *partition) error {
	if p.attached {
		return nil
	}
	bound := func(at time.Time) string { return `(uuid_floor('` + at.Format(time.RFC3339) + `'))` }
	err := r.exec(ctx, `alter table `+p.of+` attach partition `+p.table+
		` for values from `+bound(p.monday)+` to `+bound(p.monday.Add(week)))
	if err == nil {
		err = r.exec(ctx, `comment on table `+p.table+` is null`)
	}
	return err
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
