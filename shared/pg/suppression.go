package pg

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Suppressed returns which of addresses (lead.Lead.Address) may not come back to a workspace.
func (db *DB) Suppressed(ctx context.Context, workspace id.UUID, addresses []string) (map[string]bool, error) {
	return suppressedOf(ctx, db, workspace, addresses)
}

func suppressedOf(ctx context.Context, on sqlx.QueryerContext, workspace id.UUID, addresses []string) (map[string]bool, error) {
	const q = `select email_hash from suppressions where workspace_id = $1 and email_hash = any($2)`
	byHash := make(map[string]string, len(addresses))
	hashes := make(pq.ByteaArray, len(addresses))
	for i, address := range addresses {
		hashes[i] = lead.SuppressionHash(workspace, address)
		byHash[string(hashes[i])] = address
	}
	var found [][]byte
	if err := sqlx.SelectContext(ctx, on, &found, q, workspace, hashes); err != nil {
		return nil, fail(ctx, "look up suppressions", err)
	}
	out := make(map[string]bool, len(found))
	for _, hash := range found {
		out[byHash[string(hash)]] = true
	}
	return out, nil
}

// MaxSuppressions is how many emails of a workspace can be suppressed, give or take a few in a hundred: they are counted by a sample. Those of
// erased leads may be more.
const MaxSuppressions = 1_000_000

// Suppress keeps an address from coming back to a workspace; gateways follow within a second. note, if not nil, is audited in the same commit,
// unless the address was suppressed already. Beyond MaxSuppressions it is a CONFLICT.
func (db *DB) Suppress(ctx context.Context, workspace id.UUID, address string, note *tenant.AuditEntry) error {
	const sample = `select 256 * count(*) from suppressions where workspace_id = $1 and email_hash < '\x01'` // hashes are spread evenly
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		added, err := suppress(ctx, tx, workspace, address)
		if err != nil || !added {
			return err
		}
		var all int
		if err := tx.GetContext(ctx, &all, sample, workspace); err != nil {
			return fail(ctx, "count suppressions", err)
		}
		if all > MaxSuppressions {
			return fault.New(fault.Conflict, fmt.Sprintf("A workspace can have %d suppressed emails at most", MaxSuppressions))
		}
		return insertAudit(ctx, tx, note)
	})
}

// suppress adds an address, unless it was there. It also sets Settings.Suppressing, without which nobody looks. The workspace's row is locked last, and by those who set it only.
func suppress(ctx context.Context, tx *sqlx.Tx, workspace id.UUID, address string) (added bool, err error) {
	const insert = `insert into suppressions (workspace_id, email_hash, created_at) values ($1, $2, now()) on conflict do nothing`
	const look = `update workspaces set settings = settings || '{"suppressing":true}', updated_at = now() where id = $1 and settings -> 'suppressing' is distinct from 'true'`
	res, err := tx.ExecContext(ctx, insert, workspace, lead.SuppressionHash(workspace, address))
	if err != nil {
		return false, fail(ctx, "suppress email", err)
	}
	n, err := res.RowsAffected()
	if err == nil {
		_, err = tx.ExecContext(ctx, look, workspace)
	}
	return n > 0, fail(ctx, "suppress email", err)
}

// Unsuppress lets an address come back; false: it was not suppressed.
func (db *DB) Unsuppress(ctx context.Context, workspace id.UUID, address string, note *tenant.AuditEntry) (was bool, err error) {
	const q = `delete from suppressions where workspace_id = $1 and email_hash = $2`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, q, workspace, lead.SuppressionHash(workspace, address))
		if err != nil {
			return fail(ctx, "delete suppression", err)
		}
		n, err := res.RowsAffected()
		if was = n > 0; err != nil || !was {
			return err
		}
		return insertAudit(ctx, tx, note)
	})
	return was, err
}
