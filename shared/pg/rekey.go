package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// rekeyBatch is how many leads are read at a time; each is written in a transaction of its own.
const rekeyBatch = 500

// rekeyEmails gives leads the keys that lead.ParseEmail makes of their emails now. Versions to 0.1.0 made others of
// some letters that are not ASCII, such as full-width ones. It runs with each migration, and not once, because gateways
// of before may still write beside it. Where two leads turn out to have one email both stay: the one that has no such
// key yet keeps its own, and the log names them. It looks across workspaces.
func (m *migrator) rekeyEmails(ctx context.Context) error {
	const q = `
select workspace_id, id, email, email_key
  from leads
 where octet_length(email_key) > char_length(email_key) and email_key is not nfkc normalized
   and (workspace_id, id) > ($1, $2)
 order by workspace_id, id
 limit $3`
	scan := func(row conn.Row) (l lead.Lead, err error) {
		err = row.Scan(&l.WorkspaceID, &l.ID, &l.Email, &l.UniqueKey)
		return l, err
	}
	var last lead.Lead
	changed, taken := 0, 0
	for {
		some, err := conn.Collect(ctx, m.pool, "find former email keys", scan, q, last.WorkspaceID, last.ID, rekeyBatch)
		if err != nil {
			return err
		}
		for i := range some {
			l := &some[i]
			_, key, ok := lead.ParseEmail(l.Email)
			if key += l.UniqueKey[len(l.AddressKey()):]; !ok || key == l.UniqueKey {
				continue
			}
			switch err := m.rekey(ctx, l, key); {
			case errors.Is(err, conn.ErrUniqueViolation):
				taken++
				if err := m.logTaken(ctx, l, key); err != nil {
					return err
				}
			case err != nil:
				return fmt.Errorf("email key of %s: %w", id.Lead.Format(l.ID), err)
			default:
				changed++
			}
		}
		if len(some) < rekeyBatch {
			break
		}
		last = some[len(some)-1]
	}
	if changed+taken > 0 {
		m.log.Info("email keys renewed", "leads", changed, "taken", taken)
	}
	return nil
}

// rekey gives a lead another unique key, unless the one it had was changed meanwhile, and makes its words anew.
// ErrUniqueViolation: another lead has it.
func (m *migrator) rekey(ctx context.Context, l *lead.Lead, key string) error {
	const q = `
with moved as (
    update leads set email_key = $4
     where workspace_id = (select $1::uuid) and id = $2 and email_key = $3
    returning workspace_id, id
)
insert into enrichments (workspace_id, lead_id, due_at) select workspace_id, id, now() from moved
on conflict (workspace_id, lead_id) do update set due_at = excluded.due_at`
	began := time.Now()
	for {
		err := m.pool.InTx(ctx, func(tx *sqlx.Tx) error {
			if err := setLockTimeout(ctx, tx, stepLockTimeout); err != nil {
				return err
			}
			_, err := conn.Exec(ctx, tx, "renew email key", q, l.WorkspaceID, l.ID, l.UniqueKey, key)
			return err
		})
		locked := errors.Is(err, conn.ErrLockTimeout) || errors.Is(err, conn.ErrDeadlock)
		if !locked || time.Since(began) > m.patience {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(stepPause):
		}
	}
}

// logTaken tells of two leads that have one email.
func (m *migrator) logTaken(ctx context.Context, l *lead.Lead, key string) error {
	holders, err := findHolders(ctx, m.pool, selectHolders, []UniqueEmail{{l.WorkspaceID, key}})
	if err == nil {
		m.log.Warn("two leads have one email", "workspace", id.Workspace.Format(l.WorkspaceID), "lead",
			id.Lead.Format(l.ID), "holder", id.Lead.Format(holders[0]))
	}
	return err
}
