package pg_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// mustSubmitted makes n submissions of a lead so many weeks ago and returns their ids in order.
func mustSubmitted(t *testing.T, db *pg.DB, ws, leadID id.UUID, weeks, n int) (ids []id.UUID) {
	t.Helper()
	at := monday(weeks).Add(12 * time.Hour)
	if _, err := db.ExecContext(t.Context(), `select ensure_partitions($1, $1)`, at); err != nil {
		t.Fatal(err)
	}
	var all []lead.Submission
	for i := range n {
		var of id.UUID
		s := lead.Submission{WorkspaceID: ws, FormID: id.New(), LeadID: leadID, Outcome: lead.OutcomeAppended,
			Verdict: lead.Clean, Fields: []byte(`{}`), CreatedAt: at.Add(time.Duration(i) * time.Second)}
		if err := db.GetContext(t.Context(), &of, `select uuid_floor($1)`, s.CreatedAt); err != nil {
			t.Fatal(err)
		}
		made := id.New()
		copy(of[6:], made[6:])
		s.ID = of
		all, ids = append(all, s), append(ids, of)
	}
	if err := db.InsertSubmissions(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	return ids
}

// A week of submissions that is too old goes, but each lead's first and last stay, until the lead is erased.
func TestFirstAndLastSubmissionsStay(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := newDesk(t, db)
	d.mustLeads(3)
	var leads []id.UUID
	if err := db.SelectContext(t.Context(), &leads, `select id from leads where workspace_id = $1`, d.ws); err != nil {
		t.Fatal(err)
	}
	ann, bob, eve := leads[0], leads[1], leads[2]
	a9 := mustSubmitted(t, db, d.ws, ann, 9, 3)
	a8 := mustSubmitted(t, db, d.ws, ann, 8, 1100) // more than a batch
	a1 := mustSubmitted(t, db, d.ws, ann, 1, 1)
	b9 := mustSubmitted(t, db, d.ws, bob, 9, 2)
	b8 := mustSubmitted(t, db, d.ws, bob, 8, 2)
	e9 := mustSubmitted(t, db, d.ws, eve, 9, 1)
	mustSubmitted(t, db, d.ws, id.UUID{}, 9, 1)
	mustSubmitted(t, db, d.ws, id.New(), 9, 1) // its lead is gone

	of := func(leadID id.UUID) (ids []id.UUID) {
		t.Helper()
		found, _, err := db.FindSubmissions(t.Context(), d.ws, pg.SubmissionQuery{LeadID: leadID, Limit: 2000})
		if err != nil {
			t.Fatal(err)
		}
		for i := range found {
			ids = append(ids, found[i].ID)
		}
		slices.Reverse(ids)
		return ids
	}
	expect := func(when string, a, b, e []id.UUID, kept int) {
		t.Helper()
		if diff := cmp.Diff([][]id.UUID{a, b, e}, [][]id.UUID{of(ann), of(bob), of(eve)}); diff != "" {
			t.Errorf("%s: submissions of the leads (-want +got):\n%s", when, diff)
		}
		if n := d.count(`select from kept_submissions`); n != kept {
			t.Errorf("%s: kept = %d, want %d", when, n, kept)
		}
	}
	drop := func(keep time.Duration) []string {
		t.Helper()
		out, err := db.DropOldPartitions(t.Context(), year, keep)
		if err != nil {
			t.Fatal(err)
		}
		return out.Partitions
	}

	reader := db.MustBegin() // cuts the run off between copy and drop
	reader.MustExec(`select from submissions`)
	if out, err := db.DropOldPartitions(t.Context(), year, time.Since(monday(8))-time.Second); err == nil {
		t.Fatalf("DropOldPartitions = %+v while somebody reads, want an error", out)
	}
	reader.Rollback()
	if n := d.count(`select from kept_submissions`); n != 3 {
		t.Errorf("kept when the run was cut off = %d, want the first of each lead", n)
	}
	same(t, "dropped first", drop(time.Since(monday(8))-time.Second), []string{part("submissions", 9)})
	expect("a week is gone", slices.Concat(a9[:1], a8, a1), slices.Concat(b9[:1], b8), e9, 3)
	same(t, "dropped then", drop(month), []string{part("submissions", 8)})
	for range 2 {
		expect("two weeks are gone", slices.Concat(a9[:1], a1), slices.Concat(b9[:1], b8[1:]), e9, 4)
		same(t, "dropped again", drop(month), nil)
	}
	if s, err := db.GetSubmission(t.Context(), d.ws, b8[1]); err != nil || s.LeadID != bob {
		t.Errorf("one that is kept, by its id: %+v, %v", s, err)
	}

	note := tenant.NewAuditEntry(d.ws, id.New(), tenant.LeadErased, id.Lead.Format(bob), nil, time.Now())
	if e, err := db.EraseLead(t.Context(), d.ws, bob, pg.Erasure{Note: note}); err != nil || e.Submissions != 2 {
		t.Errorf("EraseLead = %+v, %v, want 2 submissions", e, err)
	}
	expect("one lead is erased", slices.Concat(a9[:1], a1), nil, e9, 2)

	// The last that was kept goes when a newer one is kept.
	mustSubmitted(t, db, d.ws, eve, 7, 1)
	drop(month)
	e6 := mustSubmitted(t, db, d.ws, eve, 6, 1)
	drop(month)
	expect("a newer last is kept", slices.Concat(a9[:1], a1), nil, slices.Concat(e9, e6), 3)
}

// A submission that is released while those that are as old are deleted stays.
func TestReleaseBesideExpiry(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.exec(`select ensure_partitions(now() - interval '31 days', now())`)
	d.exec(`
insert into submissions (workspace_id, id, form_id, outcome, verdict, points, reasons, email, email_key, name, fields, created_at)
select $1, uuid_floor(at), $2, 'held', 'held', 5, '[]', 'a@example.com', 'a@example.com', 'A', '{}', at
  from (values (now() - interval '31 days')) v (at)`, d.ws, id.New())
	commit := mustHold(t, d.db, `
update submissions set verdict = 'released', outcome = 'new', lead_id = $2, decided_at = now() where workspace_id = $1`,
		d.ws, id.New())
	deleted := make(chan error, 1)
	go func() {
		_, err := d.db.DeleteExpiredSubmissions(t.Context())
		deleted <- err
	}()
	mustWaitForLocks(t, d.db, 1)
	commit()
	d.mustFinish(deleted)
	if n := d.number(`select count(*) from submissions where workspace_id = $1`, d.ws); n != 1 {
		t.Errorf("%d submissions, want the one that was released", n)
	}
}
