package pg

import (
	"context"

	"github.com/lib/pq"

	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// Suppressed returns which of addresses (lead.Lead.Address) may not come back to a workspace.
func (db *DB) Suppressed(ctx context.Context, workspace id.UUID, addresses []string) (map[string]bool, error) {
	const q = `select email_hash from suppressions where workspace_id = $1 and email_hash = any($2)`
	byHash := make(map[string]string, len(addresses))
	hashes := make(pq.ByteaArray, len(addresses))
	for i, address := range addresses {
		hashes[i] = lead.SuppressionHash(workspace, address)
		byHash[string(hashes[i])] = address
	}
	var found [][]byte
	if err := db.SelectContext(ctx, &found, q, workspace, hashes); err != nil {
		return nil, fail(ctx, "look up suppressions", err)
	}
	out := make(map[string]bool, len(found))
	for _, hash := range found {
		out[byHash[string(hash)]] = true
	}
	return out, nil
}
