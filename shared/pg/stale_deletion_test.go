package pg_test

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// deletionCases take the workspace away, so they are the last.
func (s *stale) deletionCases() []staleCase {
	const batch = 20
	return []staleCase{{"erase a workspace", batch, func() {
		if _, err := s.silent.SuspendWorkspace(s.Context(), s.ws, time.Now(), "left"); err != nil {
			s.Fatal(err)
		}
		d := tenant.Deletion{Workspace: s.ws, RequestedAt: time.Now()}
		if _, err := s.silent.DeleteWorkspace(s.Context(), d, anyWorkspace); err != nil {
			s.Fatal(err)
		}
	}, func(ctx context.Context, db *pg.DB) error { // one batch of each table
		for pass := (pg.WorkspacePass{}); ; pass.SkipTable() {
			_, done, err := db.EraseWorkspace(ctx, s.ws, id.UUID{}, &pass, batch)
			if done || err != nil {
				return err
			}
		}
	}}}
}
