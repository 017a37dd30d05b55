package pg_test

import (
	"reflect"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/pgtest"
)

func TestSubmissionComesBack(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	bare := lead.Submission{WorkspaceID: id.New(), ID: id.New(), FormID: id.New(), Outcome: lead.OutcomeSuppressed,
		Verdict: lead.Clean, CreatedAt: now}
	whole := lead.Submission{WorkspaceID: bare.WorkspaceID, ID: id.New(), FormID: bare.FormID, LeadID: id.New(),
		Outcome: lead.OutcomeHeld, Verdict: lead.Spam, Points: 70,
		Reasons: []lead.Reason{{Check: "honeypot", Points: 60, Note: `filled in with "x"`}, {Check: "links", Points: 10}},
		Email:   "Ann@example.com", EmailKey: "ann@example.com", Name: `Ann "A", O'Neil\`,
		Fields: []byte(`{"email":"Ann@example.com","message":["a","b"]}`), Page: "https://www.example.com/a",
		Referrer: "https://search.example.com/", Campaign: map[string]string{"utm_source": "x"}, UserAgent: "Mozilla/5.0",
		AddressHash: []byte{1, 2, 3}, CreatedAt: now, DecidedAt: now.Add(time.Second)}
	for range 2 { // as when a request comes again
		if err := db.InsertSubmissions(t.Context(), []lead.Submission{bare, whole}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []lead.Submission{bare, whole} {
		got, err := db.GetSubmission(t.Context(), want.WorkspaceID, want.ID)
		got.CreatedAt, got.DecidedAt = got.CreatedAt.UTC(), got.DecidedAt.UTC()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("came back as %+v (%v), want %+v", got, err, want)
		}
	}
	if _, err := db.GetSubmission(t.Context(), id.New(), whole.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("another workspace's: %v, want NOT_FOUND", err)
	}
}

// mustSubmit stores a submission of a lead; zero: one that is held.
func (b *book) mustSubmit(leadID id.UUID, email string) {
	b.Helper()
	s := lead.Submission{WorkspaceID: b.ws, ID: id.New(), FormID: id.New(), LeadID: leadID, Outcome: lead.OutcomeHeld,
		Verdict: lead.Held, Email: email, EmailKey: email, Fields: []byte(`{"email":"` + email + `"}`), CreatedAt: time.Now()}
	if leadID != (id.UUID{}) {
		s.Outcome, s.Verdict = lead.OutcomeNew, lead.Clean
	}
	if err := b.db.InsertSubmissions(b.Context(), []lead.Submission{s}); err != nil {
		b.Fatal(err)
	}
}

// What is held, or was spam and made no lead, goes after 30 days; what was delivered stays.
func TestHeldSubmissionsExpire(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.mustExec(`select ensure_partitions(now() - interval '40 days', now())`)
	old := func(days int, change func(*lead.Submission)) id.UUID {
		at := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
		var of id.UUID
		if err := b.db.GetContext(t.Context(), &of, `select uuid_floor($1)`, at); err != nil {
			t.Fatal(err)
		}
		made := id.New()
		copy(of[6:], made[6:])
		s := lead.Submission{WorkspaceID: b.ws, ID: of, FormID: id.New(), Outcome: lead.OutcomeHeld, Verdict: lead.Held,
			CreatedAt: at}
		change(&s)
		if err := b.db.InsertSubmissions(t.Context(), []lead.Submission{s}); err != nil {
			t.Fatal(err)
		}
		return of
	}
	old(31, func(*lead.Submission) {})
	old(31, func(s *lead.Submission) { s.Verdict = lead.Spam })
	stay := []id.UUID{old(29, func(*lead.Submission) {}),
		old(31, func(s *lead.Submission) { s.Verdict, s.LeadID = lead.Spam, id.New() }),
		old(31, func(s *lead.Submission) { s.Verdict, s.Outcome = lead.Clean, lead.OutcomeSuppressed })}
	if n, err := b.db.DeleteExpiredSubmissions(t.Context()); err != nil || n != 2 {
		t.Errorf("DeleteExpiredSubmissions = %d, %v, want 2", n, err)
	}
	for _, one := range stay {
		if _, err := b.db.GetSubmission(t.Context(), b.ws, one); err != nil {
			t.Errorf("a submission that is to stay: %v", err)
		}
	}
}
