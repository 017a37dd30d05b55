package pg_test

import (
	"context"
	"slices"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

func (s *stale) submissionCases() []staleCase {
	find := func(q pg.SubmissionQuery, want int) func(context.Context, *pg.DB) error {
		return func(ctx context.Context, db *pg.DB) error {
			q := q
			if q.LeadID != (id.UUID{}) {
				q.LeadID = s.submitted()
			}
			found, _, err := db.FindSubmissions(ctx, s.ws, q)
			return wantCount(err, len(found), want)
		}
	}
	var held lead.Submission
	return []staleCase{
		{"release a submission beside erasures", 50, func() {
			held = s.mustHold()
			s.exec(`
insert into erasures (workspace_id, id, lead_id, suppressed, events, deliveries, attempts, created_at)
select workspace_id, id, id, false, 0, 0, 0, now() from leads where workspace_id = $1 order by id offset 5000 limit 50
on conflict do nothing`, s.ws)
		}, func(ctx context.Context, db *pg.DB) error {
			_, err := db.ReleaseSubmission(ctx, s.ws, held.ID, func(lead.Submission) (*pg.Release, error) {
				audit := tenant.NewAuditEntry(s.ws, id.New(), tenant.SubmissionReleased, id.Submission.Format(held.ID), nil, time.Now())
				return &pg.Release{New: s.newLeads([]string{held.Email})[0], Audit: audit}, nil
			})
			return err
		}},
		{"append a submission", 1, nil, func(ctx context.Context, db *pg.DB) error {
			_, err := db.AppendSubmission(ctx, lead.Submission{WorkspaceID: s.ws, ID: id.New(), FormID: id.New(),
				LeadID: s.nextLead(), Outcome: lead.OutcomeAppended, Verdict: lead.Clean, Email: "new@example.com",
				EmailKey: "new@example.com", CreatedAt: time.Now()}, func(*lead.Lead) error { return nil })
			return err
		}},
		{"append submissions", 20, nil, func(ctx context.Context, db *pg.DB) error {
			var all []pg.Append
			for range 20 {
				all = append(all, pg.Append{Submission: lead.Submission{WorkspaceID: s.ws, ID: id.New(), FormID: id.New(),
					LeadID: s.nextLead(), Outcome: lead.OutcomeAppended, Verdict: lead.Clean, Email: "new@example.com",
					EmailKey: "new@example.com", CreatedAt: time.Now()}, Change: func(*lead.Lead) error { return nil }})
			}
			done, _, err := db.AppendSubmissions(ctx, all)
			return wantCount(err, len(slices.DeleteFunc(done, func(kept bool) bool { return !kept })), 20)
		}},
		{"pulse", pg.MaxPulseHeld, nil, func(ctx context.Context, db *pg.DB) error {
			got, err := db.Pulse(ctx, s.ws)
			return wantCount(err, got.Held, pg.MaxPulseHeld)
		}},
		{"list submissions", 20, nil, find(pg.SubmissionQuery{Limit: 20}, 20)},
		{"list held submissions", 20, nil, find(pg.SubmissionQuery{Limit: 20, Verdicts: []lead.Verdict{lead.Held}}, 20)},
		{"list submissions with a text", 500, nil, find(pg.SubmissionQuery{Limit: 20, Text: "b", Scan: 500}, 20)},
		{"list the submissions of a lead", 1, nil, find(pg.SubmissionQuery{Limit: 20, LeadID: id.New()}, 1)},
		{"verify books", staleLeads, nil, func(ctx context.Context, db *pg.DB) error {
			day := tenant.Day(time.Now())
			got, err := db.VerifyBooks(ctx, s.ws, pg.VerifyQuery{From: day.AddDate(0, 0, -1), Until: day.AddDate(0, 0, 1)})
			return wantCount(err, min(len(got), 1), 1)
		}},
		{"timeline of a lead of a form", 1, nil, func(ctx context.Context, db *pg.DB) error {
			got, err := db.LeadTimeline(ctx, lead.Lead{WorkspaceID: s.ws, ID: s.submitted()}, 20, 20)
			return wantCount(err, len(got.Submissions), 1)
		}},
	}
}

// mustHold keeps a submission that is held.
func (s *stale) mustHold() lead.Submission {
	s.Helper()
	email := id.Submission.Format(id.New()) + "@example.com"
	held := lead.Submission{WorkspaceID: s.ws, ID: id.New(), FormID: id.New(), Outcome: lead.OutcomeHeld, Verdict: lead.Held,
		Email: email, EmailKey: email, CreatedAt: time.Now()}
	if err := s.silent.InsertSubmissions(s.Context(), []lead.Submission{held}); err != nil {
		s.Fatal(err)
	}
	return held
}

// submitted is a lead that a form made.
func (s *stale) submitted() id.UUID {
	return s.ids(`
select lead_id from submissions where workspace_id = $1 and lead_id is not null order by id offset 3000 limit 1`, s.ws)[0]
}
