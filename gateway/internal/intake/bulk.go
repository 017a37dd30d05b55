package intake

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"leadgate/gateway/internal/books"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
)

// Item is one lead of many.
type Item struct {
	lead.Draft
	Chatbot id.UUID // zero: none
	ID      id.UUID // of the lead, also when the request comes again; zero: a new one
}

// BulkResult is what became of an Item.
type BulkResult struct {
	ID          id.UUID // of the lead that has the email now
	Exists      bool    // that lead was created by another item or request
	DuplicateOf int     // the place of that item, where it is of the same batch; else -1
	Err         error   // EMAIL_SUPPRESSED, PHONE_SUPPRESSED, UNAVAILABLE, and those of lead.Patch.Apply
}

// CreateMany makes leads durable in one statement, or several where they are large, for a request that was admitted:
// nothing is reserved, and Postgres decides about duplicates. Of items with one email the first becomes the lead. There
// is a result for each item, in order; the error means that nothing is known of any.
func (s *Service) CreateMany(
	ctx context.Context, p *tenant.Principal, items []Item, on lead.OnDuplicate,
) ([]BulkResult, error) {
	out := make([]BulkResult, len(items))
	leads := make([]pg.NewLead, 0, len(items))
	places := make([]int, 0, len(items)) // of leads, in items
	first := make(map[string]int, len(items))
	for i := range items {
		out[i].DuplicateOf = -1
		l := NewLead(p, &items[i].Draft, items[i].Chatbot, items[i].ID)
		if earlier, twice := first[l.UniqueKey]; twice {
			out[i].DuplicateOf, out[i].Exists = earlier, true
			continue
		}
		first[l.UniqueKey] = i
		places = append(places, i)
		leads = append(leads, pg.NewLead{Lead: l, EventID: id.New(), Way: tenant.WayBatch, Trace: trace.From(ctx)})
	}
	for try := 1; len(leads) > 0 && try <= putTries; try++ {
		err := s.insertMany(ctx, leads, places, out)
		if err != nil && try == 1 {
			return nil, err
		}
		if err != nil { // the other leads are durable, and these have their error from the first try
			break
		}
		leads, places = holdersGone(leads, places, out)
	}
	s.resolveRepeats(p, out)
	if on == lead.UpdateDuplicate {
		s.updateMany(ctx, p, items, out)
	}
	return out, nil
}

func (s *Service) insertMany(ctx context.Context, leads []pg.NewLead, places []int, out []BulkResult) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	s.metrics.batch.Observe(float64(len(leads)))
	var done []commitResult
	var err error
	retryLocked(ctx, func() error {
		done, err = s.insert(ctx, leads)
		return err
	})
	if err != nil {
		s.Log.Error("commit leads failed", "leads", len(leads), "error", err.Error())
		return err
	}
	created, taken := 0, 0
	for i := range done {
		one := &out[places[i]]
		one.Err = nil
		switch res := &done[i]; {
		case res.err != nil:
			one.Err = res.err
			s.metrics.count("failed")
		case res.Suppressed:
			one.Err = lead.SuppressedError(&leads[i].Lead)
			s.metrics.count("suppressed")
		case !res.Taken:
			one.ID = leads[i].ID
			created++
		case res.Holder == (id.UUID{}):
			one.Err = fault.StoreUnavailable(errHolderGone, fullRetry)
		default:
			one.ID, one.Exists = res.Holder, true
			taken++
		}
	}
	s.metrics.leads.WithLabelValues("created").Add(float64(created))
	s.metrics.leads.WithLabelValues("duplicate").Add(float64(taken))
	return nil
}

// holdersGone returns the leads that were not created although nobody has their email any more, and their places.
func holdersGone(leads []pg.NewLead, places []int, out []BulkResult) (again []pg.NewLead, at []int) {
	for i, place := range places {
		if errors.Is(out[place].Err, errHolderGone) {
			again, at = append(again, leads[i]), append(at, place)
		}
	}
	return again, at
}

// resolveRepeats gives items whose email came before in the batch the result of that one. Books have that one only.
func (s *Service) resolveRepeats(p *tenant.Principal, out []BulkResult) {
	again, suppressed := 0, 0
	for i := range out {
		of := out[i].DuplicateOf
		if of < 0 {
			continue
		}
		if err := out[of].Err; fault.IsSuppressed(err) {
			out[i] = BulkResult{DuplicateOf: -1, Err: err}
			s.metrics.count("suppressed")
			suppressed++
			continue
		}
		out[i].ID, out[i].Err = out[of].ID, out[of].Err
		again++
	}
	if again > 0 {
		s.metrics.leads.WithLabelValues("duplicate").Add(float64(again))
	}
	s.Books.Count(books.In{Workspace: p.WorkspaceID, Way: tenant.WayBatch}, tenant.BookSuppressed, suppressed)
}

// updateMany updates the leads that exist with what the items give, in order, and publishes the changes once.
func (s *Service) updateMany(ctx context.Context, p *tenant.Principal, items []Item, out []BulkResult) {
	var wake []pg.EndpointRef
	changed := false
	for i := range out {
		if !out[i].Exists || out[i].Err != nil {
			continue
		}
		u, err := s.updateOne(ctx, p, items[i:i+1], &out[i])
		out[i].Err = err
		wake, changed = append(wake, u.Wake...), changed || u.Changed
	}
	if changed {
		byID := func(a, b pg.EndpointRef) int { return bytes.Compare(a.Endpoint[:], b.Endpoint[:]) }
		slices.SortFunc(wake, byID)
		s.Publish(ctx, Change{Workspace: p.WorkspaceID, Enrich: true, Wake: slices.Compact(wake)})
	}
}

// updateOne updates the lead that has the email of the one item. Where that is deleted meanwhile, the email is free,
// and the item becomes a lead.
func (s *Service) updateOne(ctx context.Context, p *tenant.Principal, item []Item, out *BulkResult) (u pg.Updated,
	err error) {
	for range putTries {
		u, err = s.DB.UpdateLead(ctx, p.WorkspaceID, out.ID, item[0].Patch().Apply, tenant.BookEntry{
			WorkspaceID: p.WorkspaceID, Way: tenant.WayBatch, Outcome: tenant.BookUpdated, N: 1})
		if !fault.Is(err, fault.NotFound) {
			return u, err
		}
		again, err := s.CreateMany(ctx, p, item, lead.RefuseDuplicate)
		if err != nil {
			return pg.Updated{}, err
		}
		if *out = again[0]; out.Err != nil || !out.Exists {
			return pg.Updated{}, out.Err
		}
	}
	return pg.Updated{}, fault.StoreUnavailable(errHolderGone, fullRetry)
}
