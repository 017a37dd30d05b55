package pg

import (
	"context"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// settling is how much earlier than the statement that writes it a lead's updated_at may be, by Postgres' clock.
const settling = `interval '5 s'`

// lateAfter is how old a new lead may be when it is written and yet count as updated when it was created: a good deal
// less than settling, so that Postgres changes the time only for gateways whose clocks are wrong. Older are a retry
// with an Idempotency-Key, whose lead is as old as its first try, and what waited for a lock.
const lateAfter = 2 * time.Second

// updateLate gives leads that are older than lateAfter a new UpdatedAt, and returns these as a parameter of
// insertLeads; null: there is none.
func updateLate(leads []NewLead, now time.Time) any {
	var late *column
	for i := range leads {
		if now.Sub(leads[i].CreatedAt) > lateAfter {
			late = newColumn(times, len(leads))
			break
		}
	}
	if late == nil {
		return nil
	}
	for i := range leads {
		if now.Sub(leads[i].CreatedAt) <= lateAfter {
			late.null()
			continue
		}
		leads[i].UpdatedAt = now.UTC().Truncate(time.Millisecond)
		late.time(leads[i].UpdatedAt)
	}
	return late.done()
}

// errNoHorizon is the error of LeadsSince where nothing is written: a standby does not know which transactions are
// open.
var errNoHorizon = &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Minute,
	Public: "This gateway only reads, and could miss something that has changed since: ask one that writes"}

// LeadsSince returns a workspace's leads, deleted ones too, that were updated after a place in the order of updates, at
// most limit of them and about PageBytes, with their enrichment, and the place to go on from. With more there are
// others already. Whoever goes on and on misses the last version of no lead, but of one that was erased: nothing
// appears any more before a place that was returned, because that is behind the horizon.
func (db *DB) LeadsSince(ctx context.Context, workspace id.UUID, after LeadKey, limit int) (found []lead.Lead,
	next LeadKey, more bool, err error) {
	if db.readOnly {
		return nil, after, false, errNoHorizon
	}
	horizon, err := db.horizon(ctx)
	if err != nil || !after.UpdatedAt.Before(horizon) {
		return nil, after, false, err
	}
	if found, more, err = db.leadsBetween(ctx, workspace, after, horizon, limit); err != nil {
		return nil, after, false, err
	}
	next = LeadKey{UpdatedAt: horizon}
	if more {
		last := &found[len(found)-1]
		next = LeadKey{last.UpdatedAt, last.ID}
	}
	return found, next, more, db.addFacts(ctx, workspace, found)
}

// horizon is the time before which no update of a lead can appear any more to a statement that begins now. It looks
// across workspaces.
//
// Whoever writes a lead has the id of its transaction by then, and gives the lead an updated_at later than that moment,
// less settling. So what a transaction writes that has an id now, and may still commit, is later than its begin, less
// settling; and of one that has none yet, later than now, less settling. A reader, such as a backup, has no id. It goes
// by Postgres' clock, which may be set back by less than settling. When a transaction began is only shown to members of
// its role: while one is hidden the horizon is zero.
//
// On Citus a transaction has no id where it was begun, on the coordinator, and what stands for it is its lock of a
// table, which it has there before it locks or writes a row on a node, and until that is committed.
func (db *DB) horizon(ctx context.Context) (time.Time, error) {
	q := `
select least(now(), min(xact_start)) - ` + settling + `, count(*) > count(xact_start)
  from pg_stat_activity
 where datname = current_database() and usesysid is not null and ` + conn.Either(`backend_xid is not null`, `pid in (
    select pid from pg_locks
     where locktype = 'relation' and database = (select oid from pg_database where datname = current_database())
       and mode in ('RowShareLock', 'RowExclusiveLock'))`)
	return conn.One(ctx, db, "read the horizon of updates", func(row conn.Row) (at time.Time, err error) {
		var hidden bool
		if err = row.Scan(&at, &hidden); hidden {
			at = time.Time{}
		}
		return at, err
	}, nil, q)
}

// leadsBetween returns the leads that were updated after a place and before the horizon, in that order.
func (db *DB) leadsBetween(ctx context.Context, workspace id.UUID, after LeadKey, horizon time.Time, limit int) (
	found []lead.Lead, more bool, err error) {
	const q = `
select ` + leadColumns + `, null
  from leads l
 where l.workspace_id = $1 and (l.updated_at, l.id) > ($2, $3) and l.updated_at < $4
 order by l.updated_at, l.id
 limit $5`
	rows, err := db.QueryContext(ctx, q, workspace, after.UpdatedAt, after.ID, horizon, limit+1)
	if err != nil {
		return nil, false, conn.Fail(ctx, "list leads since", err)
	}
	defer rows.Close()
	for held := 0; rows.Next(); {
		if len(found) == limit || held >= PageBytes {
			more = true
			break
		}
		l, err := scanLead(rows)
		if err != nil {
			return nil, false, conn.Fail(ctx, "list leads since", err)
		}
		held += len(l.Metadata) + 200
		found = append(found, l)
	}
	return found, more, conn.Fail(ctx, "list leads since", rows.Err())
}
