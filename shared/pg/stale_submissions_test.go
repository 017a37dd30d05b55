package pg_test

import (
	"context"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
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
	return []staleCase{
		{"list submissions", 20, nil, find(pg.SubmissionQuery{Limit: 20}, 20)},
		{"list held submissions", 20, nil, find(pg.SubmissionQuery{Limit: 20, Verdicts: []lead.Verdict{lead.Held}}, 20)},
		{"list submissions with a text", 500, nil, find(pg.SubmissionQuery{Limit: 20, Text: "b", Scan: 500}, 20)},
		{"list the submissions of a lead", 1, nil, find(pg.SubmissionQuery{Limit: 20, LeadID: id.New()}, 1)},
		{"timeline of a lead of a form", 1, nil, func(ctx context.Context, db *pg.DB) error {
			got, err := db.LeadTimeline(ctx, s.ws, s.submitted(), 20, 20)
			return wantCount(err, len(got.Submissions), 1)
		}},
	}
}

// submitted is a lead that a form made.
func (s *stale) submitted() id.UUID {
	return s.ids(`
select lead_id from submissions where workspace_id = $1 and lead_id is not null order by id offset 3000 limit 1`, s.ws)[0]
}
