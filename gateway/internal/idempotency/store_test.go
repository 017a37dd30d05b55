package idempotency

import (
	"crypto/sha256"
	"log/slog"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// An answer that names a lead which somebody has locked keeps none of another workspace waiting, and is kept afterwards.
func TestAnswersWaitForNoLeadOfOthers(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := New(db, slog.New(slog.DiscardHandler))
	t.Cleanup(s.Stop)
	var answers []pg.IdempotentAnswer
	for range 2 {
		r := pg.IdempotentRequest{Workspace: pgtest.Workspace(t, db).ID, Key: sha256.Sum256([]byte("k")), ID: id.New()}
		entry, err := s.acquire(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, pg.IdempotentAnswer{Workspace: r.Workspace, Key: r.Key, ID: r.ID,
			AcquiredAt: entry.AcquiredAt, Status: 200, Header: []byte(`{}`), Body: []byte("x")})
	}
	named := pgtest.Leads(t, db, answers[0].Workspace, 1)[0].ID
	answers[0].Leads = []id.UUID{named}
	tx, err := db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	const lock = `select from leads where workspace_id = $1 and id = $2 for update`
	if _, err := tx.ExecContext(t.Context(), lock, answers[0].Workspace, named); err != nil {
		t.Fatal(err)
	}
	if out := s.completeAll(answers); out[0].kept || !out[1].kept || out[1].err != nil {
		t.Errorf("together they are kept as %+v, want the second alone", out)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.complete(t.Context(), answers[0]); !kept || err != nil {
		t.Errorf("complete() = %t, %v, want it kept", kept, err)
	}
}
