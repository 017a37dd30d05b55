package intake

import (
	"context"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Release makes the lead of a submission that is in quarantine, or keeps it with the lead that has its email, as
// OnDuplicate of the request says that read makes of it; nil: there is nothing to do. Errors: those of read, NOT_FOUND,
// EMAIL_SUPPRESSED, PHONE_SUPPRESSED, UNAVAILABLE. The submission is of the workspace of audit, which is its entry.
func (s *Service) Release(ctx context.Context, audit *tenant.AuditEntry, submission id.UUID,
	read func(lead.Submission) (*Request, error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer cancel()
	var r *Request
	merge := true
	release := func(sub lead.Submission) (*pg.Release, error) {
		var err error
		if r, err = read(sub); err != nil || r == nil {
			return nil, err
		}
		out := r.release(merge)
		out.Audit = audit
		return out, nil
	}
	done, err := s.DB.ReleaseSubmission(ctx, audit.WorkspaceID, submission, release)
	if r != nil && r.OnDuplicate == lead.UpdateDuplicate && fault.Is(err, fault.Validation) { // too large once merged
		merge = false
		done, err = s.DB.ReleaseSubmission(ctx, audit.WorkspaceID, submission, release)
	}
	switch {
	case err != nil || !done.Done:
		return err
	case done.New.Leads[0].Taken:
		s.metrics.count("duplicate")
		s.Publish(ctx, ChangeOf(&done.Updated))
	default:
		s.metrics.count("created")
		s.announce(ctx, []pg.NewLead{{Lead: r.Lead}}, done.New)
	}
	return nil
}

// release returns what becomes of the submission of r; merge: a lead that is there may be updated.
func (r *Request) release(merge bool) *pg.Release {
	out := &pg.Release{New: pg.NewLead{Lead: r.Lead, EventID: id.New()}}
	onDuplicate := r.OnDuplicate
	if onDuplicate == lead.UpdateDuplicate && !merge {
		onDuplicate = lead.AppendDuplicate
	}
	out.Outcome, out.Change = r.known(onDuplicate)
	return out
}
