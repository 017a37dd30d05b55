package intake

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"leadgate/gateway/internal/usage"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// BulkResult is what became of one lead of many: created; or the lead Holder has its email, which was updated, if that was asked for; or Err.
type BulkResult struct {
	ID          id.UUID // of the lead that has the email now
	Exists      bool    // another request made that lead
	DuplicateOf int     // the place of that request, where it is of the same batch; else -1
	Err         error   // EMAIL_SUPPRESSED, UNAVAILABLE, what UpdateLead says
}

// CreateMany makes durable leads in one statement, for a request that was admitted already: nothing is reserved, and Postgres decides.
// Where two have one email the first is the lead. The error is that nothing is known of any; else there is a One for each, in order.
func (s *Service) CreateMany(ctx context.Context, p *tenant.Principal, all []Request, on lead.OnDuplicate) ([]BulkResult, error) {
	out := make([]BulkResult, len(all))
	leads := make([]pg.NewLead, 0, len(all))
	places := make([]int, 0, len(all)) // of leads, in all
	first := make(map[string]int, len(all))
	suppressed, err := s.suppressed(ctx, p, all)
	if err != nil {
		return nil, err
	}
	for i := range all {
		out[i].DuplicateOf = -1
		l := s.Lead(p, all[i])
		if suppressed[l.AddressKey()] {
			out[i].Err = fault.New(fault.Suppressed, lead.SuppressedMessage)
			s.metrics.count("suppressed")
			continue
		}
		if earlier, twice := first[l.UniqueKey]; twice {
			out[i].DuplicateOf, out[i].Exists = earlier, true
			continue
		}
		first[l.UniqueKey] = i
		places = append(places, i)
		leads = append(leads, pg.NewLead{Lead: l, EventID: id.New()})
	}
	if err := s.insertMany(ctx, leads, places, out); err != nil {
		return nil, err
	}
	s.resolveRepeats(p, out)
	if on == lead.UpdateDuplicate {
		s.updateMany(ctx, p, all, out)
	}
	return out, nil
}

// suppressed returns which addresses may not come back, asked for in one query.
func (s *Service) suppressed(ctx context.Context, p *tenant.Principal, all []Request) (map[string]bool, error) {
	if !p.Settings.Suppressing {
		return nil, nil
	}
	addresses := make([]string, len(all))
	for i := range all {
		addresses[i] = all[i].AddressKey
	}
	return s.DB.Suppressed(ctx, p.WorkspaceID, addresses)
}

func (s *Service) insertMany(ctx context.Context, leads []pg.NewLead, places []int, out []BulkResult) error {
	if len(leads) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	s.metrics.batch.Observe(float64(len(leads)))
	done, err := s.insert(ctx, leads)
	if err != nil {
		s.Log.Error("commit", "leads", len(leads), "error", err.Error())
		return err
	}
	created, taken := 0, 0
	for i := range done {
		one := &out[places[i]]
		switch res := &done[i]; {
		case res.err != nil:
			one.Err = res.err
			s.metrics.count("failed")
		case !res.Taken:
			one.ID = leads[i].ID
			created++
		case res.Holder == (id.UUID{}):
			one.Err = errHolderGone()
		default:
			one.ID, one.Exists = res.Holder, true
			taken++
		}
	}
	s.metrics.leads.WithLabelValues("created").Add(float64(created))
	s.metrics.leads.WithLabelValues("duplicate").Add(float64(taken))
	return nil
}

func errHolderGone() error {
	return fault.StoreUnavailable(errors.New("the lead that has the email was just deleted"), fullRetry)
}

// resolveRepeats gives those whose email came twice in the batch what became of the first.
func (s *Service) resolveRepeats(p *tenant.Principal, out []BulkResult) {
	again := 0
	for i := range out {
		if of := out[i].DuplicateOf; of >= 0 {
			out[i].ID, out[i].Err = out[of].ID, out[of].Err
			again++
		}
	}
	if again > 0 {
		s.metrics.leads.WithLabelValues("duplicate").Add(float64(again))
		s.Usage.Count(p.WorkspaceID, usage.Duplicates, again)
	}
}

// updateMany merges what exists with what was asked for, in the order of the requests, and tells the workers once.
func (s *Service) updateMany(ctx context.Context, p *tenant.Principal, all []Request, out []BulkResult) {
	var wake []pg.EndpointRef
	changed := false
	for i := range out {
		if !out[i].Exists || out[i].Err != nil {
			continue
		}
		u, err := s.DB.UpdateLead(ctx, p.WorkspaceID, out[i].ID, func(l *lead.Lead) error { return all[i].Patch().Apply(l) })
		if fault.Is(err, fault.NotFound) { // deleted, or moved to another email, since: so the email is free
			err = errHolderGone()
		}
		out[i].Err = err
		wake, changed = append(wake, u.Wake...), changed || u.Changed
	}
	if changed {
		slices.SortFunc(wake, func(a, b pg.EndpointRef) int { return bytes.Compare(a.Endpoint[:], b.Endpoint[:]) })
		s.Publish(ctx, Change{Workspace: p.WorkspaceID, Enrich: true, Wake: slices.Compact(wake)})
	}
}
