package intake

import (
	"context"
	"errors"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Request is one lead to be created.
type Request struct {
	Lead      lead.Lead  // of NewLead
	Draft     lead.Draft // which Lead was made of
	Admission Admission  // of Admit

	Way  tenant.Way // for books
	Form id.UUID    // the publishable key; zero: it came by none

	Submission   *lead.Submission // of a form, whose outcome Put decides; nil: none
	Marks        []string         // members of Draft's metadata that are about the submission, and not for a lead that is there
	OnDuplicate  lead.OnDuplicate // "": lead.RefuseDuplicate; a Submission has AppendDuplicate or what stands for it
	ConstantTime bool             // a duplicate takes as long as a new lead, so that nobody can tell them apart
}

// Outcome is what became of a Request.
type Outcome struct {
	Lead     lead.Lead // the created lead, or the existing one as it is now; where Put fails, an existing lead's ID alone
	Existing bool      // another request created Lead
}

// putTimeout bounds a Put; it is more than all its own limits together.
const putTimeout = 20 * time.Second

// putTries is how often a lead is created anew whose email another had, which had given it up by the time it was read.
const putTries = 3

// errHolderGone is the cause of the UNAVAILABLE of a lead that was not created although nobody has its email any more.
var errHolderGone = errors.New("the lead that has the email was just deleted")

// Put is the upsert of a lead: it makes a lead durable or, where another lead has its email, does with that what
// OnDuplicate says; so where it has no email and another such lead has its phone. Errors: RATE_LIMITED,
// DUPLICATE_EMAIL, DUPLICATE_PHONE, EMAIL_SUPPRESSED, PHONE_SUPPRESSED, UNAVAILABLE, and those of lead.Patch.Apply. A
// client that leaves does not end it: a lead that is committed must not turn into an error.
func (s *Service) Put(ctx context.Context, p *tenant.Principal, r Request) (Outcome, error) {
	if err := r.Admission.Err(); err != nil {
		return Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer cancel()
	for try := 1; ; try++ {
		holder, err := s.create(ctx, p, &r)
		if err == nil {
			return Outcome{Lead: r.Lead}, nil
		}
		if errors.Is(err, errHolderGone) && try < putTries {
			continue
		}
		if holder == (id.UUID{}) {
			return Outcome{}, err
		}
		existing := Outcome{Lead: lead.Lead{ID: holder}, Existing: true}
		if r.OnDuplicate == "" || r.OnDuplicate == lead.RefuseDuplicate || try == putTries {
			return existing, err
		}
		if err = s.useExisting(ctx, p, &r, &existing.Lead); !fault.Is(err, fault.NotFound) {
			return existing, err
		}
		// It was deleted meanwhile, or has another email: this one is free.
	}
}

// create makes a lead durable; holder is the lead that has the email, with DUPLICATE_EMAIL. What Redis says of the
// email only spares a duplicate the insert: the lead that is named is always read from Postgres.
func (s *Service) create(ctx context.Context, p *tenant.Principal, r *Request) (holder id.UUID, err error) {
	l := &r.Lead
	if r.Admission.Committed && !r.ConstantTime {
		if holder, err = s.findHolder(ctx, l); err != nil {
			return id.UUID{}, err
		}
		if holder != (id.UUID{}) && holder != l.ID {
			s.metrics.count("duplicate_fast")
			return holder, duplicate(l, holder)
		}
	}
	return s.commit(ctx, p, r)
}

// useExisting reads or updates the lead whose ID l has. NOT_FOUND: it has the email no longer.
func (s *Service) useExisting(ctx context.Context, p *tenant.Principal, r *Request, l *lead.Lead) error {
	if r.Submission != nil {
		return s.submitTo(ctx, r, l)
	}
	if r.OnDuplicate == lead.UpdateDuplicate {
		u, err := s.DB.UpdateLead(ctx, p.WorkspaceID, l.ID, r.Draft.Patch().Apply, tenant.BookEntry{
			WorkspaceID: p.WorkspaceID, Day: r.Lead.CreatedAt, Way: r.Way, FormID: r.Form, Outcome: tenant.BookUpdated, N: 1})
		if err != nil {
			return err
		}
		if u.Changed {
			s.Publish(ctx, ChangeOf(&u))
		}
		*l = u.Lead
		return nil
	}
	found, err := s.DB.GetLead(ctx, p.WorkspaceID, l.ID)
	if err != nil {
		return err
	}
	if found.AddressKey() != r.Draft.AddressKey {
		return fault.New(fault.NotFound, "Lead not found")
	}
	*l = found
	return nil
}
