package timeline

import (
	"fmt"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
)

// explainSubmissions returns what forms received of a lead. A submission comes before the event that it made, also
// where the clocks of a gateway and of Postgres differ.
func explainSubmissions(s *pg.Timeline) []Entry {
	told := map[id.UUID]*time.Time{} // when the first event told of a submission
	for i := len(s.Events) - 1; i >= 0; i-- {
		e := &s.Events[i]
		told[e.Submission] = &e.CreatedAt
	}
	all := make([]Entry, 0, len(s.Submissions)+1)
	for i := range s.Submissions {
		sub := &s.Submissions[i]
		e := Entry{At: &sub.CreatedAt, Kind: Submission, Submission: sub, Note: explainSubmission(sub)}
		if at := told[sub.ID]; at != nil && at.Before(sub.CreatedAt) {
			e.before = at
		}
		all = append(all, e)
	}
	return all
}

// explainSubmission says what is not to be expected of a submission.
func explainSubmission(s *lead.Submission) string {
	switch {
	case s.Verdict == lead.Released:
		return "was held, and released at " + stamp(s.DecidedAt)
	case s.Verdict == lead.Spam:
		return "was marked as spam at " + stamp(s.DecidedAt)
	case s.Outcome == lead.OutcomeIgnored:
		return "the form ignores who is known: the lead stayed as it was, and no event was made"
	case s.Outcome == lead.OutcomeUpdated:
		return "the lead took what the form received"
	}
	return ""
}

// summarize says in a sentence what forms received, where there is more to it than the submission that made the lead.
func summarize(s *pg.Timeline) string {
	ignored, spam := 0, 0
	for i := range s.Submissions {
		switch sub := &s.Submissions[i]; {
		case sub.Verdict == lead.Spam:
			spam++
		case sub.Outcome == lead.OutcomeIgnored:
			ignored++
		}
	}
	n := len(s.Submissions)
	if n == 0 || n == 1 && ignored+spam == 0 {
		return ""
	}
	text := " It came by forms " + count(n, "time")
	if s.MoreSubmissions {
		text = fmt.Sprintf(" It came by forms more than %d times", n)
	}
	text += ", last at " + stamp(s.Touches.Last.CreatedAt)
	if ignored > 0 {
		text += fmt.Sprintf("; %d ignored", ignored)
	}
	if spam > 0 {
		text += fmt.Sprintf("; %d marked as spam", spam)
	}
	return text + "."
}
