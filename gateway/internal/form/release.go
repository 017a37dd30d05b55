package form

import (
	"context"
	"net/url"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Release makes of a submission that is in quarantine, or was spam, what it would become if it came now. One that was
// released stays as it is. CONFLICT: it has a lead already, or the form's chatbot is gone.
func (s *Service) Release(ctx context.Context, p *tenant.Principal, submission id.UUID) error {
	audit := p.NewEntry(tenant.SubmissionReleased, id.Submission.Format(submission), nil, s.Now())
	return s.Intake.Release(ctx, audit, submission, func(sub lead.Submission) (*intake.Request, error) {
		switch {
		case sub.Verdict == lead.Released:
			return nil, nil
		case sub.Outcome == lead.OutcomeSuppressed:
			return nil, fault.New(fault.Suppressed, "Its address was suppressed when it came, and nothing of it was kept")
		case sub.LeadID != (id.UUID{}) || sub.Verdict != lead.Held && sub.Verdict != lead.Spam:
			return nil, fault.New(fault.Conflict, "This submission was delivered already: only what is held, or spam that "+
				"made no lead, can be released")
		}
		return s.readAgain(ctx, p, &sub)
	})
}

// readAgain reads what was kept of a submission with the form's settings of now. A form whose key was deleted has the
// defaults.
func (s *Service) readAgain(ctx context.Context, p *tenant.Principal, sub *lead.Submission) (*intake.Request, error) {
	key, err := s.Intake.DB.GetKey(ctx, p.WorkspaceID, sub.FormID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if key.Form == nil {
		key.Form = &tenant.Form{}
	}
	f := key.Form.WithDefaults()
	var chatbot id.UUID
	if f.ChatbotID != "" {
		if chatbot, err = id.Chatbot.Parse(f.ChatbotID); err == nil {
			err = s.Auth.Chatbot(ctx, p.WorkspaceID, chatbot)
		}
		if err != nil && !fault.Is(err, fault.Unavailable) {
			err = fault.New(fault.Conflict, "The form's chatbot was deleted: give the form another, or none")
		}
		if err != nil {
			return nil, err
		}
	}
	read, err := Read(jsonType, sub.Fields, f)
	if err != nil {
		return nil, err
	}
	if read.referrer == "" {
		read.referrer = sub.Referrer
	}
	draft, _, refused := read.make(f, p.Settings.Rules(), pageOf(sub), false)
	if refused != nil {
		field, _ := read.refusal(refused, f)
		return nil, fault.Invalid([]fault.Field{field})
	}
	draft.NoSource = true
	return &intake.Request{Lead: intake.NewLead(p, &draft, chatbot, id.UUID{}), Draft: draft, Submission: sub,
		OnDuplicate: lead.OnDuplicate(f.OnDuplicate), Marks: []string{warningsMark, captchaMark}}, nil
}

// pageOf returns the URL of a submission's page with its campaign; "": it is not known.
func pageOf(sub *lead.Submission) string {
	if sub.Page == "" || len(sub.Campaign) == 0 {
		return sub.Page
	}
	query := make(url.Values, len(sub.Campaign))
	for name, text := range sub.Campaign {
		query.Set(name, text)
	}
	return sub.Page + "?" + query.Encode()
}
