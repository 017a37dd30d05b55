package main

import (
	"context"
	"fmt"
	"time"

	"leadgate/shared/id"
)

// pending counts what is left to do: of workspace $1, or where that is null, of all.
const pending = `
select (select count(*) from enrichments where due_at is not null and ($1::uuid is null or workspace_id = $1))
     + (select coalesce(sum(cardinality(leads)), 0) from enrichment_queue where $1::uuid is null or workspace_id = $1)
     + (select count(*) from deliveries where state = 'pending' and ($1::uuid is null or workspace_id = $1))`

// awaitAllIdle waits until the worker has done what the measurement left it, so that this is measured too and the next
// one has the machine to itself.
func (b *bench) awaitAllIdle(ctx context.Context) error { return b.awaitPending(ctx, nil) }

// awaitIdle is awaitAllIdle for one workspace.
func (b *bench) awaitIdle(ctx context.Context, workspace id.UUID) error {
	return b.awaitPending(ctx, workspace)
}

func (b *bench) awaitPending(ctx context.Context, workspace any) error {
	return until(ctx, func() (n int64, err error) {
		err = b.base.db.QueryRowContext(ctx, pending, workspace).Scan(&n)
		return n, err
	})
}

// until polls until nothing is left, for two minutes at most.
func until(ctx context.Context, left func() (int64, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		n, err := left()
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d jobs are still pending after two minutes", n)
		}
	}
}
