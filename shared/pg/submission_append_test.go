package pg_test

import (
	"slices"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// Of many submissions those are kept together whose leads stay as they are and are free; nobody waits for the others.
func TestAppendSubmissions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws := pgtest.Workspace(t, db).ID
	endpoint := pgtest.Endpoint(t, db, ws, func(e *webhook.Endpoint) { e.EventTypes = []string{webhook.LeadSubmitted} })
	leads := pgtest.Leads(t, db, ws, 5)
	same := func(*lead.Lead) error { return nil }
	of := func(l int, change func(*lead.Lead) error) pg.Append {
		return pg.Append{Submission: lead.Submission{WorkspaceID: ws, ID: id.New(), FormID: id.New(), LeadID: leads[l].ID,
			Outcome: lead.OutcomeAppended, Verdict: lead.Clean, Email: leads[l].Email, EmailKey: leads[l].AddressKey(),
			CreatedAt: time.Now()}, Change: change}
	}
	locked, err := db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Rollback()
	locked.MustExecContext(t.Context(), `select from leads where workspace_id = $1 and id = $2 for update`, ws, leads[1].ID)
	locked.MustExecContext(t.Context(), `select from leads where workspace_id = $1 and id = $2 for no key update`, ws,
		leads[2].ID) // as enrichment does
	db.MustExecContext(t.Context(), `insert into suppressions (workspace_id, email_hash, created_at) values ($1, $2, now())`,
		ws, lead.SuppressionHash(ws, leads[4].AddressKey()))
	all := []pg.Append{of(0, same), of(1, same), of(2, same),
		of(3, func(l *lead.Lead) error { l.Name = "Changed"; return nil }), of(4, same), of(0, same)}
	other := of(0, same)
	other.WorkspaceID = id.New()
	done, wake, err := db.AppendSubmissions(t.Context(), append(all, other))
	if want := []bool{true, false, false, false, false, true, false}; err != nil || !slices.Equal(done, want) {
		t.Fatalf("AppendSubmissions = %v, %v, want %v", done, err, want)
	}
	if len(wake) != 1 || wake[0].Endpoint != endpoint.ID {
		t.Errorf("wake = %v, want the endpoint", wake)
	}
	again, _, err := db.AppendSubmissions(t.Context(), all[:1]) // as where the answer to a commit was lost
	if err != nil || !again[0] {
		t.Errorf("once more = %v, %v", again, err)
	}
	for table, want := range map[string]int{"submissions": 2, "events where type = 'lead.submitted'": 2, "deliveries": 2,
		"book_entries where outcome = 'appended'": 2, "book_entries where outcome = 'received' and way = 'form'": 2} {
		var n int
		if err := db.GetContext(t.Context(), &n, "select count(*) from "+table); err != nil || n != want {
			t.Errorf("%s: %d rows, %v, want %d", table, n, err, want)
		}
	}
}
