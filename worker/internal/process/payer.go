package process

import (
	"context"
	"sync"

	"leadgate/shared/id"
)

// maxPayers is how many workspaces' payers are kept; then they are asked for anew.
const maxPayers = 100_000

// payers keeps which workspace's share of sockets and memory a workspace uses up, which never changes.
type payers struct {
	mu sync.Mutex
	of map[id.UUID]id.UUID
}

// payer returns the workspace whose share a workspace's drains use up: of a sandbox that is the live one. While
// Postgres cannot say, a workspace pays for itself.
func (p *Processor) payer(ctx context.Context, workspace id.UUID) id.UUID {
	p.payers.mu.Lock()
	known, ok := p.payers.of[workspace]
	p.payers.mu.Unlock()
	if ok {
		return known
	}
	found, err := p.DB.Payer(ctx, workspace)
	if err != nil {
		return workspace
	}
	p.payers.mu.Lock()
	defer p.payers.mu.Unlock()
	if p.payers.of == nil || len(p.payers.of) >= maxPayers {
		p.payers.of = map[id.UUID]id.UUID{}
	}
	p.payers.of[workspace] = found
	return found
}
