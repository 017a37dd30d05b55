package intake

import (
	"context"
	"errors"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/trace"
)

// submitTo keeps the submission of r with the lead l, whose ID is that of the lead that has the email. NOT_FOUND: it
// has the email no longer.
func (s *Service) submitTo(ctx context.Context, r *Request, l *lead.Lead) error {
	sub := *r.Submission
	sub.LeadID = l.ID
	var change func(*lead.Lead) error
	sub.Outcome, change = r.known(r.OnDuplicate)
	if sub.Outcome != lead.OutcomeUpdated {
		kept, err := s.appended.Do(ctx, pg.Append{Submission: sub, Change: change, Trace: trace.From(ctx)})
		if err != nil {
			return fault.StoreUnavailable(err, fullRetry)
		}
		if kept {
			r.Submission.Outcome, r.Submission.LeadID = sub.Outcome, sub.LeadID
			return nil
		}
	}
	return s.submitAlone(ctx, r, sub, change, l)
}

// submitAlone is submitTo in a transaction of its own, which may change the lead.
func (s *Service) submitAlone(ctx context.Context, r *Request, sub lead.Submission, change func(*lead.Lead) error,
	l *lead.Lead) error {
	u, err := s.DB.AppendSubmission(ctx, sub, change)
	if sub.Outcome == lead.OutcomeUpdated && fault.Is(err, fault.Validation) { // too large once merged: it is kept all the same
		again := *r
		again.OnDuplicate = lead.AppendDuplicate
		return s.submitTo(ctx, &again, l)
	}
	if err != nil {
		return err
	}
	s.Publish(ctx, ChangeOf(&u))
	r.Submission.Outcome, r.Submission.LeadID = sub.Outcome, sub.LeadID
	*l = u.Lead
	return nil
}

// appendAll keeps submissions with leads that stay as they are, at most commitBytes in a commit, and tells which are
// kept. The others, and all of a commit that fails, are written alone.
func (s *Service) appendAll(all []pg.Append) (kept []bool) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	for len(all) > 0 {
		n := inOneCommit(all, func(a *pg.Append) int { return a.Size() })
		kept, all = append(kept, s.appendSome(ctx, all[:n])...), all[n:]
	}
	return kept
}

func (s *Service) appendSome(ctx context.Context, all []pg.Append) []bool {
	start := time.Now()
	done, wake, err := s.DB.AppendSubmissions(ctx, all)
	traceCommit(len(all), func(i int) *trace.Span { return all[i].Trace }, start, err)
	if err != nil {
		s.Log.Warn("append submissions failed", "submissions", len(all), "error", err.Error())
		return make([]bool, len(all))
	}
	s.Publish(ctx, Change{Wake: wake})
	return done
}

// known returns what becomes of a submission whose email a lead has, and what of that lead, which is locked meanwhile:
// also where it stays as it is, an erasure finds either the lead's submission or no lead.
func (r *Request) known(d lead.OnDuplicate) (lead.Outcome, func(*lead.Lead) error) {
	switch d {
	case lead.UpdateDuplicate:
		return lead.OutcomeUpdated, r.Draft.Patch().Apply
	case lead.IgnoreDuplicate:
		return lead.OutcomeIgnored, func(l *lead.Lead) error {
			if l.AddressKey() != r.Draft.AddressKey {
				return lead.NotFoundError()
			}
			return nil
		}
	}
	return lead.OutcomeAppended, func(l *lead.Lead) error { return r.Draft.FillIn(l, r.Marks...) }
}

// queuedSubmission is a submission that waits for its commit since at.
type queuedSubmission struct {
	lead.Submission
	at    time.Time
	trace *trace.Span
}

type keepResult struct {
	outcome lead.Outcome
	err     error
}

// Keep makes a submission that changes no lead durable, together with others. It returns its outcome:
// its own, or suppressed.
func (s *Service) Keep(ctx context.Context, sub lead.Submission) (lead.Outcome, error) {
	res, err := s.kept.Do(context.WithoutCancel(ctx), queuedSubmission{sub, s.Now(), trace.From(ctx)})
	if err != nil {
		return "", fault.StoreUnavailable(err, fullRetry)
	}
	return res.outcome, res.err
}

// inOneCommit returns how many of all, which are not none, one commit has: the first ones until they have commitBytes.
func inOneCommit[T any](all []T, bytes func(*T) int) (n int) {
	for size := 0; n < len(all) && size < commitBytes; n++ {
		size += bytes(&all[n])
	}
	return n
}

// keepAll writes submissions, at most commitBytes in a statement.
func (s *Service) keepAll(all []queuedSubmission) []keepResult {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	out := make([]keepResult, len(all))
	for from, to := 0, 0; from < len(all); from = to {
		to += inOneCommit(all[from:], func(q *queuedSubmission) int { return q.Size() })
		var part []lead.Submission
		for i := from; i < to; i++ {
			part = append(part, all[i].Submission)
		}
		if s.Now().Sub(all[from].at) > maxWait {
			for i := from; i < to; i++ {
				out[i].err = fault.StoreUnavailable(errStale, fullRetry)
			}
			continue
		}
		start := time.Now()
		s.keepSome(ctx, part, out[from:to])
		traceCommit(len(part), func(i int) *trace.Span { return all[from+i].trace }, start, out[from].err)
	}
	return out
}

// keepSome writes submissions in one statement; when Postgres refuses a row for what is in it, it halves them until
// only that row is refused.
func (s *Service) keepSome(ctx context.Context, part []lead.Submission, out []keepResult) {
	err := s.DB.InsertSubmissions(ctx, part)
	if err != nil && len(part) > 1 && !fault.Is(err, fault.Unavailable) && errors.Is(err, pg.ErrRejected) {
		half := len(part) / 2
		s.keepSome(ctx, part[:half], out[:half])
		s.keepSome(ctx, part[half:], out[half:])
		return
	}
	if err != nil {
		s.Log.Error("keep submissions failed", "submissions", len(part), "error", err.Error())
	}
	for i := range part {
		out[i] = keepResult{part[i].Outcome, err}
	}
}
