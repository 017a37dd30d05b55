package process

import (
	"cmp"
	"context"
	"maps"
	"slices"
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
	p.findPayers(ctx, workspace)
	p.payers.mu.Lock()
	defer p.payers.mu.Unlock()
	return cmp.Or(p.payers.of[workspace], workspace)
}

// findPayers asks for the payers of workspaces that are not known, together.
func (p *Processor) findPayers(ctx context.Context, workspaces ...id.UUID) {
	p.payers.mu.Lock()
	unknown := slices.DeleteFunc(workspaces, func(w id.UUID) bool { return p.payers.of[w] != id.UUID{} })
	p.payers.mu.Unlock()
	if len(unknown) == 0 {
		return
	}
	found, err := p.DB.Payers(ctx, unknown)
	if err != nil {
		return
	}
	p.payers.mu.Lock()
	defer p.payers.mu.Unlock()
	if p.payers.of == nil || len(p.payers.of) >= maxPayers {
		p.payers.of = map[id.UUID]id.UUID{}
	}
	maps.Copy(p.payers.of, found)
}
