package pg

import (
	"context"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// updateLead is updateLeadTx, or the like.
type updateLead func(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID,
	change func(*lead.Lead) error) (Updated, error)

// findNamed finds the leads that rows name by their id, as those of an export do: they are changed whoever has the
// row's email, also where emails are not unique. A row whose lead is not there is one for whoever has its email.
func (c *importCommit) findNamed(ctx context.Context, tx *sqlx.Tx) error {
	const q = `
select l.id, l.email_key
  from (select distinct id from unnest($2::uuid[]) m (id) order by id) m
 cross join lateral (
    select id, email_key from leads
     where workspace_id = $1 and id between m.id and m.id and deleted_at is null order by id limit 1) l`
	ids := newColumn(uuids, len(c.Rows))
	n := 0
	for i := range c.Rows {
		if c.Rows[i].Own != (id.UUID{}) {
			ids.uuid(c.Rows[i].Own)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	type found struct {
		id  id.UUID
		key string
	}
	all, err := conn.Collect(ctx, tx, "find leads of an export", func(row conn.Row) (f found, err error) {
		err = row.Scan(&f.id, &f.key)
		return f, err
	}, q, c.Workspace, ids.done())
	if err != nil {
		return err
	}
	keys := make(map[id.UUID]string, len(all))
	for _, f := range all {
		keys[f.id], _, _ = strings.Cut(f.key, " ")
	}
	c.named = make(map[int]id.UUID, len(all))
	for i := range c.Rows {
		row := c.Rows[i]
		if key, there := keys[row.Own]; there {
			c.named[i] = row.Own
			row.Patch.Held = false
			c.updates = append(c.updates, importUpdate{lead: row.Own, row: &row, moves: key != row.Patch.AddressKey})
		}
	}
	return nil
}

// moving lets update fail for one lead alone when its new email is another's: the transaction goes on as if nothing had
// been done for it.
func (c *importCommit) moving(update updateLead) updateLead {
	return func(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, change func(*lead.Lead) error) (Updated, error) {
		if _, err := conn.Exec(ctx, tx, "begin a move", `savepoint move`); err != nil {
			return Updated{}, err
		}
		var moved lead.Lead
		done, err := update(ctx, tx, workspace, leadID, func(l *lead.Lead) error {
			err := change(l)
			moved = *l
			return err
		})
		if err == nil {
			_, err = conn.Exec(ctx, tx, "end a move", `release savepoint move`)
			return done, err
		}
		if _, back := conn.Exec(ctx, tx, "undo a move", `rollback to savepoint move`); back != nil {
			return done, errors.Join(err, back)
		}
		if errors.Is(err, ErrUniqueViolation) {
			err = emailTaken(ctx, tx, &moved)
		}
		return done, err
	}
}

// updateQuietly is updateLeadTx without an event.
func updateQuietly(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID,
	change func(*lead.Lead) error) (u Updated, err error) {
	const q = `update enrichments set due_at = now(), attempts = 0 where workspace_id = $1 and lead_id = $2`
	l, now, err := lockLead(ctx, tx, workspace, leadID, `l.deleted_at is null`)
	if err != nil {
		return u, err
	}
	u.Lead, u.Former = l, l
	if err := change(&u.Lead); err != nil || !lead.Differs(&u.Lead, &u.Former) {
		return u, err
	}
	u.Changed, u.Lead.UpdatedAt = true, lead.NextUpdate(l.UpdatedAt, now)
	if err := writeLead(ctx, tx, &u); err != nil {
		return u, err
	}
	_, err = tx.ExecContext(ctx, q, workspace, leadID)
	return u, conn.Fail(ctx, "owe enrichment", err)
}
