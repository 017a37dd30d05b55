package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/conn"
)

// Retention locks a table to drop a week of it, as a step of a migration does (stepLockTimeout, stepPause).
const (
	retentionTries = 8               // to get its lock; then it is for the next run
	retentionLimit = 2 * time.Second // how long a statement may keep it
)

// Partitions, as ensure_partitions makes them.
const (
	week          = 7 * 24 * time.Hour
	partitionDate = "20060102" // its Monday, after the table's name

	partitionedTables = 4 // events, deliveries, attempts, submissions
)

// detachedByUs is the comment of a partition that a version to 0.1.0 has detached, to drop it.
const detachedByUs = "leadgate: retention drops this"

// Dropped is what DropOldPartitions did.
type Dropped struct {
	Partitions []string    // names
	Kept       []string    // weeks of deliveries of which one is still pending, and whose events are kept too
	Held       []HeldCount // deliveries that went with them
	Elsewhere  bool        // another worker is at it, and this one has left the rest to it
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
// A partition is dropped in a transaction that locks its table. It waits for that for a moment, lets those go on who
// had to wait behind it, and tries again, a few times; what is locked for longer is for the next run. What somebody has
// detached is his, and stays. Of several workers at once one does this, and the others return.
func (db *DB) DropOldPartitions(ctx context.Context, keep, keepSubmissions time.Duration) (out Dropped, err error) {
	admin, err := db.OpenAdminPool() // to count a week takes a while
	if err != nil {
		return out, fmt.Errorf("retention: %w", err)
	}
	defer admin.Close()
	r := retention{pool: admin, weeks: map[time.Time]bool{}}
	old, err := r.old(ctx, keep, keepSubmissions)
	if err == nil {
		err = r.dropAll(ctx, old)
	}
	return r.Dropped, err
}

// retention is one run of DropOldPartitions.
type retention struct {
	Dropped
	pool  *conn.Pool
	weeks map[time.Time]bool // of deliveries that are still there
}

// errElsewhere says that another worker is at it.
var errElsewhere = errors.New("retention runs elsewhere")

// inTx runs fn in a transaction that no retention of another worker is beside, whose statements take no longer than
// limit; 0 is as long as they need. It looks across workspaces.
func (r *retention) inTx(ctx context.Context, limit time.Duration, fn func(tx *sqlx.Tx) error) error {
	const q = `
select pg_try_advisory_xact_lock(hashtext('leadgate.retention'))
  from set_config('statement_timeout', $1, true)`
	for try := 1; ; try++ {
		err := r.pool.InTx(ctx, func(tx *sqlx.Tx) error {
			locked, _, err := conn.Find(ctx, tx, "lock retention", conn.Value[bool], q,
				milliseconds(limit))
			if err == nil && !locked {
				err = errElsewhere
			}
			if err != nil {
				return err
			}
			if err := setLockTimeout(ctx, tx, stepLockTimeout); err != nil {
				return err
			}
			return fn(tx)
		})
		if !errors.Is(err, conn.ErrLockTimeout) && !errors.Is(err, conn.ErrDeadlock) || try == retentionTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(2 * stepPause)):
		}
	}
}

// milliseconds is d as a setting of Postgres.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// partition is a week of a table.
type partition struct {
	parent, name string
	table, of    string // the same, quoted and with their schema
	detached     bool   // a former version has detached it, or begun to
	monday       time.Time
}

// old returns the partitions that ended longer ago than they are kept: deliveries first, each table's oldest first.
func (r *retention) old(ctx context.Context, keep, keepSubmissions time.Duration) (old []partition, err error) {
	const q = `
select p.relname, c.relname, format('%I.%I', n.nspname, c.relname), format('%I.%I', n.nspname, p.relname),
       i.inhrelid is null or i.inhdetachpending, now()
  from pg_class p
  join pg_namespace n on n.oid = p.relnamespace
  join pg_class c on c.relnamespace = p.relnamespace and c.relkind = 'r' and c.relname ~ ('^' || p.relname || '_[0-9]{8}$')
  left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = p.oid
 where p.oid in ('events'::regclass, 'deliveries'::regclass, 'attempts'::regclass, 'submissions'::regclass)
   and c.relispartition = (i.inhrelid is not null)
   and (i.inhrelid is not null and not i.inhdetachpending or obj_description(c.oid, 'pg_class') is not distinct from $1)
 order by p.relname <> 'deliveries', p.relname, c.relname`
	err = conn.Each(ctx, r.pool, "list partitions", func(row conn.Row) error {
		var p partition
		var now time.Time
		if err := row.Scan(&p.parent, &p.name, &p.table, &p.of, &p.detached, &now); err != nil {
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

// dropAll drops what may be dropped. A table of which one partition cannot be dropped now is left for the next run.
func (r *retention) dropAll(ctx context.Context, old []partition) error {
	var errs []error
	blocked := map[string]bool{}
	for _, p := range old {
		if blocked[p.parent] || p.parent == "events" && r.weeks[p.monday] {
			continue
		}
		err := r.drop(ctx, &p)
		if errors.Is(err, errElsewhere) {
			r.Elsewhere = true
			break
		}
		if err != nil && !r.gone(ctx, &p) {
			blocked[p.parent] = true
			errs = append(errs, conn.Fail(ctx, "drop partition "+p.name, err))
		}
	}
	return errors.Join(errs...)
}

// gone reports whether another worker has dropped a partition meanwhile.
func (r *retention) gone(ctx context.Context, p *partition) bool {
	const q = `select to_regclass($1) is null`
	gone, _, err := conn.Find(ctx, r.pool, "look for partition", conn.Value[bool], q, p.table)
	if gone && err == nil && p.parent == "deliveries" {
		delete(r.weeks, p.monday)
	}
	return gone && err == nil
}

// drop drops one partition, unless it is of deliveries of which one is pending: that is looked for first, and again
// when nobody can change it any more.
func (r *retention) drop(ctx context.Context, p *partition) error {
	if p.detached {
		if err := r.attach(ctx, p); err != nil {
			return err
		}
	}
	pending, err := r.pending(ctx, r.pool, p)
	if err != nil {
		return err
	}
	if pending {
		r.Kept = append(r.Kept, p.name)
		return nil
	}
	if p.parent == "submissions" {
		if err := r.keepSubmissions(ctx, p); err != nil {
			return err
		}
	}
	held, err := r.held(ctx, p)
	if err != nil {
		return err
	}
	err = r.inTx(ctx, retentionLimit, func(tx *sqlx.Tx) error {
		if _, err := conn.Exec(ctx, tx, "lock table", `lock table only `+p.of+` in access exclusive mode`); err != nil {
			return err
		}
		if pending, err = r.pending(ctx, tx, p); err != nil || pending {
			return err
		}
		_, err = conn.Exec(ctx, tx, "drop partition", `select drop_partition($1)`, p.name)
		return err
	})
	switch {
	case err != nil:
		return err
	case pending:
		r.Kept = append(r.Kept, p.name)
		return nil
	}
	r.Partitions, r.Held = append(r.Partitions, p.name), append(r.Held, held...)
	if p.parent == "deliveries" {
		delete(r.weeks, p.monday)
	}
	return nil
}

// pending reports whether a week of deliveries has pending ones that can be sent: those of a suspended workspace are as
// good as held. It is a skip scan, from one workspace to the next. It looks across workspaces.
func (r *retention) pending(ctx context.Context, on conn.Queryer, p *partition) (found bool, err error) {
	if p.parent != "deliveries" {
		return false, nil
	}
	first := func(condition string) string {
		return `
    (select d.workspace_id from ` + p.table + ` d where d.state = 'pending'` + condition + `
      order by d.workspace_id, d.endpoint_id, d.next_at, d.id limit 1)`
	}
	q := conn.Either(`
with recursive hop (workspace_id) as (`+first("")+`
    union all
    select n.workspace_id from hop cross join lateral`+first(" and d.workspace_id > hop.workspace_id")+` n
)
select exists (select from hop where `+isActive("workspace_id")+`)`, `
select exists (select from `+p.table+` d join workspaces w on w.id = d.workspace_id and w.suspended_at is null
                where d.state = 'pending')`)
	found, _, err = conn.Find(ctx, on, "look for pending deliveries", conn.Value[bool], q)
	return found, err
}

// held counts the deliveries of a week that were not sent, by endpoint. It looks across workspaces.
func (r *retention) held(ctx context.Context, p *partition) ([]HeldCount, error) {
	if p.parent != "deliveries" {
		return nil, nil
	}
	q := `
select workspace_id, endpoint_id, count(*) from ` + p.table + ` where state in ('held', 'pending') group by workspace_id, endpoint_id`
	var all []HeldCount
	err := r.inTx(ctx, 0, func(tx *sqlx.Tx) (err error) {
		all, err = conn.Collect(ctx, tx, "count held deliveries", func(row conn.Row) (h HeldCount, err error) {
			err = row.Scan(&h.Workspace, &h.Endpoint, &h.Deliveries)
			return h, err
		}, q)
		return err
	})
	return all, err
}

// attach brings back a partition that a former version has detached: there may be something pending in it.
func (r *retention) attach(ctx context.Context, p *partition) error {
	return r.inTx(ctx, 0, func(tx *sqlx.Tx) error {
		_, err := conn.Exec(ctx, tx, "attach partition", `select attach_partition($1)`, p.name)
		return err
	})
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
