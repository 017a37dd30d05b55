package pg

import (
	"context"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// checkSuppression is EMAIL_SUPPRESSED when the email of l may not come back, PHONE_SUPPRESSED when its phone may not.
func checkSuppression(ctx context.Context, on conn.Queryer, l *lead.Lead) error {
	const q = `select exists (select from suppressions where workspace_id = $1 and email_hash = $2)`
	hash := lead.SuppressionHash(l.WorkspaceID, l.AddressKey())
	suppressed, err := conn.One(ctx, on, "look up suppression", conn.Value[bool], nil, q, l.WorkspaceID, hash)
	if err == nil && suppressed {
		err = lead.SuppressedError(l)
	}
	return err
}

// Suppress keeps an address from coming back to a workspace: once it returns, no lead of the address appears any more,
// and those that there are stay. entry, if not nil, is audited in the same commit, unless the address was suppressed
// already. Beyond lead.MaxSuppressions it is a CONFLICT. UNAVAILABLE: it may be suppressed, and a repetition tells.
func (db *DB) Suppress(ctx context.Context, workspace id.UUID, address string, entry *tenant.AuditEntry) error {
	// Hashes are spread evenly: those that begin with a zero byte are one in 256.
	const sample = `select 256 * count(*) from suppressions where workspace_id = $1 and email_hash < '\x01'`
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		added, err := suppress(ctx, tx, workspace, address)
		if err != nil || !added {
			return err
		}
		all, _, err := conn.Find(ctx, tx, "count suppressions", conn.Value[int], sample, workspace)
		if err != nil {
			return err
		}
		if all > lead.MaxSuppressions {
			return lead.TooManySuppressionsError()
		}
		return insertAudit(ctx, tx, entry)
	})
	if err != nil {
		return err
	}
	return db.awaitWriters(ctx) // also of one that was there: whoever added it may still wait
}

// suppress adds an address, unless it was there. It also sets Settings.Suppressing, without which processes of version
// 0.1.0 do not look. The workspace's row is locked last, and only by those who set it.
func suppress(ctx context.Context, tx *sqlx.Tx, workspace id.UUID, address string) (added bool, err error) {
	const insert = `
insert into suppressions (workspace_id, email_hash, created_at) values ($1, $2, now()) on conflict do nothing`
	const setSuppressing = `
update workspaces set settings = settings || '{"suppressing":true}', updated_at = now()
 where id = $1 and settings -> 'suppressing' is distinct from 'true'`
	n, err := conn.Exec(ctx, tx, "suppress email", insert, workspace, lead.SuppressionHash(workspace, address))
	if err == nil {
		_, err = conn.Exec(ctx, tx, "suppress email", setSuppressing, workspace)
	}
	return n > 0, err
}

// Unsuppress lets an address come back; false: it was not suppressed.
func (db *DB) Unsuppress(ctx context.Context, workspace id.UUID, address string, entry *tenant.AuditEntry) (was bool,
	err error) {
	const q = `delete from suppressions where workspace_id = $1 and email_hash = $2`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		n, err := conn.Exec(ctx, tx, "delete suppression", q, workspace, lead.SuppressionHash(workspace, address))
		if was = n > 0; err != nil || !was {
			return err
		}
		return insertAudit(ctx, tx, entry)
	})
	return was, err
}
