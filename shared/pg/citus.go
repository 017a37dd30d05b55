package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// splitBatch runs a batch and returns what became of each of all, in order. On Citus it runs the rows of one workspace
// after the other, each on the node that has it. What ran before one of them failed is done.
func splitBatch[T, R any](ctx context.Context, db *DB, all []T, workspace func(*T) id.UUID,
	run func([]T) ([]R, error)) ([]R, error) {
	onCitus, err := db.OnCitus(ctx)
	if err != nil {
		return nil, err
	}
	if !onCitus {
		return run(all)
	}
	places := map[id.UUID][]int{}
	for i := range all {
		w := workspace(&all[i])
		places[w] = append(places[w], i)
	}
	if len(places) <= 1 {
		return run(all)
	}
	out := make([]R, len(all))
	for _, own := range places {
		part := make([]T, len(own))
		for n, i := range own {
			part[n] = all[i]
		}
		done, err := run(part)
		if err != nil {
			return nil, err
		}
		for n, i := range own {
			out[i] = done[n]
		}
	}
	return out, nil
}

// within runs a hot statement that sets itself how long it waits for a lock; 0: it sets nothing. On Citus what it sets
// is the coordinator's, and it waits on a node, whose transaction gets what is set in one that was begun.
func (db *DB) within(ctx context.Context, lockWait time.Duration, run func(conn.Queryer) error) error {
	onCitus, err := db.OnCitus(ctx)
	if err != nil {
		return err
	}
	if lockWait == 0 || !onCitus {
		return run(db.Prepared())
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := setLockTimeout(ctx, tx, lockWait); err != nil {
			return err
		}
		return run(tx)
	})
}

// batchWorkspace is the workspace of a row of a batch, column of the list whose first array is $1. On Citus a batch is
// of one workspace, and that says which node has all that is looked for: see splitBatch.
func batchWorkspace(column string) string { return conn.Either(column, workspaceOfBatch) }

const workspaceOfBatch = "($1::uuid[])[1]"

// barredOnCitus and suppressedNow tell of each row of the list i, whose email_hash is the parameter hashes, whether it
// is suppressed now; null: it is not.
func barredOnCitus(hashes string) string {
	return conn.Either("", `barred as materialized (
    select email_hash from suppressions where workspace_id = ($1::uuid[])[1] and email_hash = any(`+hashes+`::bytea[])
), `)
}

var suppressedNow = conn.Either(`(select true from suppressions s
             where s.workspace_id = i.workspace_id and s.email_hash between i.email_hash and i.email_hash
             order by s.email_hash limit 1)`, `nullif(i.email_hash in (select email_hash from barred), false)`)

// deleteFirst deletes the first rows of a table that condition is true of, as many as the last parameter says: $2 where
// the condition has one, else $1. On Citus it deletes all of them, as rows have the same place on several nodes. It
// looks across workspaces.
func deleteFirst(table, condition, order string, lock ...string) string {
	limit := "$2"
	if condition == "true" {
		limit = "$1"
	}
	first := "select ctid from " + table + " where " + condition + " " + order + " limit " + limit
	for _, l := range lock {
		first += " " + l
	}
	return "delete from " + table + " where " +
		conn.Either("ctid = any(array("+first+"))", condition+" and "+limit+" > 0")
}

// holdOrCancelOnCitus is HoldOrCancelPending on Citus, which locks rows of one workspace at a time. It looks across
// workspaces.
func (db *DB) holdOrCancelOnCitus(ctx context.Context, limit int) (moved int, err error) {
	const ended = `
select workspace_id, id, case when deleted_at is not null then 'cancelled' else 'held' end
  from endpoints e
 where (not enabled or deleted_at is not null)
   and exists (select 1 from deliveries d where d.workspace_id = e.workspace_id and d.endpoint_id = e.id and d.state = 'pending')
 limit $1`
	const lock = `
select 1 from endpoints
 where workspace_id = $1 and id = $2 and (not enabled or deleted_at is not null)
   for share skip locked`
	type endpoint struct {
		EndpointRef
		next webhook.State
	}
	all, err := conn.Collect(ctx, db, "find ended endpoints", func(row conn.Row) (e endpoint, err error) {
		return e, row.Scan(&e.Workspace, &e.Endpoint, &e.next)
	}, ended, limit)
	for _, e := range all {
		if err != nil || moved >= limit {
			break
		}
		err = db.InTx(ctx, func(tx *sqlx.Tx) error {
			locked, err := conn.Exec(ctx, tx, "lock endpoint", lock, e.Workspace, e.Endpoint)
			if err != nil || locked == 0 {
				return err
			}
			n, err := holdOrCancelPending(ctx, tx, e.Workspace, e.Endpoint, e.next, limit-moved)
			moved += n
			return err
		})
	}
	return moved, err
}
