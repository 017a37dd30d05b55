package form

import (
	"context"
	"time"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// keep makes a submission durable: in quarantine where it has too many points, else with its lead.
func (q *request) keep(s *Submission, d lead.Draft, chatbot id.UUID) (Outcome, error) {
	d.NoSource = true
	var subID id.UUID
	if q.newID != (id.UUID{}) {
		subID = id.Derive(q.newID, 1)
	}
	sub := q.record(s, &d, subID)
	if sub.Verdict == lead.Held {
		return q.hold(sub)
	}
	return q.store(sub, d, chatbot)
}

// hold keeps a submission in quarantine, unless that is full.
func (q *request) hold(sub *lead.Submission) (Outcome, error) {
	sub.Outcome = lead.OutcomeHeld
	ctx, day := q.r.Context(), sub.CreatedAt.Truncate(24*time.Hour)
	room := q.quarantines.of(q.p.KeyID, day)
	fits, err := room.take(ctx, len(sub.Fields), q.form.MaxHeldPerDay, func(ctx context.Context) (pg.Held, error) {
		return q.Intake.DB.CountHeld(ctx, q.p.WorkspaceID, q.p.KeyID, day, q.form.MaxHeldPerDay)
	})
	switch {
	case err != nil:
		return Failed, err
	case !fits:
		return NotKept, nil
	}
	outcome, err := q.Intake.Keep(ctx, *sub)
	if err != nil || outcome == lead.OutcomeSuppressed {
		room.uncount(len(sub.Fields))
	}
	if err != nil {
		return Failed, err
	}
	if outcome == lead.OutcomeSuppressed {
		return Suppressed, nil
	}
	return Held, nil
}

// store makes the lead of a submission durable, or keeps it with the lead that has its email. That one keeps its
// source, which is where it came from first.
func (q *request) store(sub *lead.Submission, d lead.Draft, chatbot id.UUID) (Outcome, error) {
	ctx := q.r.Context()
	put := intake.Request{Lead: intake.NewLead(q.p, &d, chatbot, q.newID), Draft: d, ConstantTime: true,
		Way: tenant.WayForm, Form: q.p.KeyID, Submission: sub, OnDuplicate: lead.OnDuplicate(q.form.OnDuplicate),
		Marks: []string{warningsMark, captchaMark}}
	put.Admission = q.Intake.Admit(ctx, q.p, &put.Lead)
	out, err := q.Intake.Put(ctx, q.p, put)
	switch {
	case fault.IsSuppressed(err):
		return Suppressed, nil
	case fault.IsDuplicate(err): // each existing lead was gone when the submission was to be kept with it
		return Failed, fault.StoreUnavailable(err, time.Second)
	case err != nil:
		return Failed, err
	case !out.Existing:
		return Stored, nil
	}
	switch sub.Outcome {
	case lead.OutcomeUpdated:
		return Updated, nil
	case lead.OutcomeIgnored:
		return Ignored, nil
	case lead.OutcomeSuppressed:
		return Suppressed, nil
	}
	return Appended, nil
}
