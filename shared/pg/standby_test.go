package pg_test

import (
	"context"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
	"leadgate/shared/pg/pgtest"
)

// What a synchronous standby does not have is no success: when a statement is cancelled at the end of its context,
// Postgres stops waiting for the standby and answers as if that had it.
func TestCommitWaitsForTheStandby(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it is about a server and its standby")
	primary, standby := mustStandby(t)
	db := mustOpen(t, primary.URL(pgtest.SystemDB), pg.Options{MaxConns: 4})
	ws := pgtest.Workspace(t, db).ID
	kept := pgtest.Lead(t, db, ws)
	standby.Kill()
	for name, do := range map[string]func(ctx context.Context) error{
		"prepared statement": func(ctx context.Context) error {
			l := kept
			l.ID, l.Email, l.UniqueKey = id.New(), "new@example.com", "new@example.com"
			_, err := db.InsertLeads(ctx, []pg.NewLead{{Lead: l, EventID: id.New()}})
			return err
		},
		"duplicate, which a 409 is to name": func(ctx context.Context) error {
			l := kept
			l.ID = id.New()
			_, err := db.InsertLeads(ctx, []pg.NewLead{{Lead: l, EventID: id.New()}})
			return err
		},
		"transaction": func(ctx context.Context) error {
			_, err := db.UpdateLead(ctx, ws, kept.ID, func(l *lead.Lead) error { l.Name = "Ann"; return nil })
			return err
		},
		"statement": func(ctx context.Context) error {
			_, err := conn.Exec(ctx, db, "rename", `update workspaces set name = name || '!' where id = $1`, ws)
			return err
		},
		"statement with a row": func(ctx context.Context) error {
			_, _, err := conn.Find(ctx, db, "rename", conn.Value[string],
				`update workspaces set name = name || '?' where id = $1 returning name`, ws)
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := do(ctx); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s without the standby = %v, want UNAVAILABLE", name, err)
		}
		cancel()
	}
}
