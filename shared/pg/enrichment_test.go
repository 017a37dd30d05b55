package pg_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// found returns a pg.Find that first calls meanwhile, once.
func found(meanwhile func()) pg.Find {
	return func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		if meanwhile != nil {
			meanwhile()
			meanwhile = nil
		}
		return slices.Repeat([]pg.Finding{{Facts: []byte(`{"found":true}`)}}, len(leads))
	}
}

// enrichAll enriches until nothing is due, and returns how many leads were looked at.
func (b *book) enrichAll(find pg.Find) (taken int) {
	b.Helper()
	for {
		got, err := b.db.Enrich(b.Context(), []id.UUID{b.ws}, 10, find)
		if err != nil {
			b.Fatal(err)
		}
		if taken += got.Taken; got.Missed > 0 {
			b.mustExec(`update enrichment_queue set due_at = now()`) // instead of waiting pg.LookAgain
		} else if !got.More {
			return taken
		}
	}
}

// Of a lead that is changed while facts are looked for, the facts that are stored are of what it is now, and its events
// are in order.
func TestEnrichWhileALeadIsChanged(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l, other := b.mustLead("a@example.com"), b.mustLead("b@example.com")
	taken := b.enrichAll(found(func() { b.mustUpdate(l.ID, func(l *lead.Lead) { l.Name = "Ann" }) }))
	if taken < 3 {
		t.Errorf("%d leads were looked at, want the changed one twice", taken)
	}
	if types, data := b.events(l.ID); types != "created updated enriched" || data["name"] != "Ann" {
		t.Errorf("events = %s, the last %v, want it enriched as it is now", types, data)
	}
	if types, _ := b.events(other.ID); types != "created enriched" {
		t.Errorf("events of the other = %s, want it enriched once", types)
	}
	if n := b.enrichAll(found(nil)); n != 0 {
		t.Errorf("%d leads are still due", n)
	}
}

// Two workers that look at the same leads make one event of each.
func TestEnrichTwiceAtATime(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	b.enrichAll(found(func() { b.enrichAll(found(nil)) }))
	if types, _ := b.events(l.ID); types != "created enriched" {
		t.Errorf("events = %s, want it enriched once", types)
	}
}

// Nothing of a lead that is erased while facts are looked for comes back, and a deleted one is left alone until it is
// restored.
func TestEnrichWhileALeadGoes(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	erased, deleted := b.mustLead("a@example.com"), b.mustLead("b@example.com")
	b.enrichAll(found(func() {
		if _, err := b.db.EraseLead(t.Context(), b.ws, erased.ID, pg.Erasure{}); err != nil {
			t.Error(err)
		}
		if _, err := b.db.DeleteLead(t.Context(), b.ws, deleted.ID, func(*lead.Lead) error { return nil }); err != nil {
			t.Error(err)
		}
	}))
	if n := b.count(`select count(*) from enrichments where facts is not null`); n != 0 {
		t.Errorf("%d leads that went have facts", n)
	}
	for _, l := range []lead.Lead{erased, deleted} {
		if types, _ := b.events(l.ID); strings.Contains(types, "enriched") {
			t.Errorf("events of %s = %s, want no word of facts", l.Email, types)
		}
	}
	if n := b.count(`select (select count(*) from enrichment_queue) + (select count(*) from enrichments where due_at is not null)`); n != 0 {
		t.Errorf("%d are still due", n)
	}
	if _, err := b.db.RestoreLead(t.Context(), b.ws, deleted.ID, tenant.Settings{}, func(*lead.Lead) error { return nil }); err != nil {
		t.Fatal(err)
	}
	b.enrichAll(found(nil))
	if got, err := b.db.GetLead(t.Context(), b.ws, deleted.ID); err != nil || got.Enrichment == nil {
		t.Errorf("restored lead = %+v, %v, want it enriched", got, err)
	}
}

// A lead that somebody holds for long keeps nobody else's facts waiting.
func TestEnrichBesideALock(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	held, free := b.mustLead("a@example.com"), b.mustLead("b@example.com")
	stop := errors.New("stop")
	_, err := b.db.UpdateLead(t.Context(), b.ws, held.ID, func(*lead.Lead) error {
		got, err := b.db.Enrich(t.Context(), []id.UUID{b.ws}, 10, found(nil))
		if err != nil || got.Missed != 1 {
			t.Errorf("Enrich() = %+v, %v, want the lead that is being changed left", got, err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("UpdateLead = %v", err)
	}
	if types, _ := b.events(free.ID); types != "created enriched" {
		t.Errorf("events of the other = %s, want it enriched meanwhile", types)
	}
	b.mustExec(`update enrichment_queue set due_at = now()`)
	b.enrichAll(found(nil))
	if types, _ := b.events(held.ID); types != "created enriched" {
		t.Errorf("events = %s, want it enriched later", types)
	}
}

// A workspace that is suspended is not enriched, and one that is not there is none.
func TestEnrichNothing(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.mustLead("a@example.com")
	b.mustExec(`update workspaces set suspended_at = now() where id = $1`, b.ws)
	for _, ws := range []id.UUID{b.ws, id.New()} {
		if got, err := b.db.Enrich(t.Context(), []id.UUID{ws}, 10, found(nil)); err != nil || got.Taken != 0 {
			t.Errorf("Enrich() = %+v, %v, want nothing", got, err)
		}
	}
	if got, err := b.db.DueEnrichments(t.Context(), id.UUID{}, 10, 10); err != nil || len(got) != 0 {
		t.Errorf("DueEnrichments() = %v, %v, want none of a suspended workspace", got, err)
	}
	b.mustExec(`update workspaces set suspended_at = null where id = $1`, b.ws)
	if n := b.enrichAll(found(nil)); n != 1 {
		t.Errorf("%d leads were looked at after all, want 1", n)
	}
}

// All leads of a large commit are enriched, some hundred at a time.
func TestEnrichALargeCommit(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws := pgtest.Workspace(t, db).ID
	leads := pgtest.Leads(t, db, ws, 530)
	for more := true; more; {
		got, err := db.Enrich(t.Context(), []id.UUID{ws}, 200, found(nil))
		if err != nil || got.Taken > 300 {
			t.Fatalf("Enrich() = %+v, %v, want 300 leads at most", got, err)
		}
		more = got.More
	}
	for _, l := range []pg.NewLead{leads[0], leads[263], leads[529]} {
		if got, err := db.GetLead(t.Context(), ws, l.ID); fault.Is(err, fault.NotFound) || got.Enrichment == nil {
			t.Errorf("GetLead = %+v, %v, want it enriched", got, err)
		}
	}
}

// Leads of many workspaces are enriched together, each as its own workspace wants it, and each tells its own workspace.
func TestEnrichManyWorkspaces(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	regions := map[id.UUID]string{}
	var all []id.UUID
	leads := map[id.UUID][]pg.NewLead{}
	for _, region := range []string{"SE", "DE", "FR", "suspended"} {
		w := pgtest.Workspace(t, db)
		_, err := db.UpdateWorkspace(t.Context(), w.ID, func(w *tenant.Workspace) error {
			w.Settings.DefaultRegion = region
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		pgtest.Endpoint(t, db, w.ID, func(e *webhook.Endpoint) { e.EventTypes = []string{webhook.LeadEnriched} })
		all, regions[w.ID], leads[w.ID] = append(all, w.ID), region, pgtest.Leads(t, db, w.ID, 3)
	}
	if _, err := db.SuspendWorkspace(t.Context(), all[3], time.Now(), "unpaid"); err != nil {
		t.Fatal(err)
	}
	changed := leads[all[1]][0].ID
	find := func(ctx context.Context, s tenant.Settings, leads []lead.Lead) []pg.Finding {
		for i := range leads {
			if ws := leads[i].WorkspaceID; s.DefaultRegion != regions[ws] {
				t.Errorf("facts were looked for with the settings of %s, want those of %s", s.DefaultRegion, regions[ws])
			}
			if leads[i].ID == changed {
				_, err := db.UpdateLead(ctx, leads[i].WorkspaceID, changed, func(l *lead.Lead) error { l.Name = "Ann"; return nil })
				if err != nil {
					t.Error(err)
				}
			}
		}
		return slices.Repeat([]pg.Finding{{Facts: []byte(`{"region":"` + s.DefaultRegion + `"}`)}}, len(leads))
	}
	out, err := db.Enrich(t.Context(), all, 10, find)
	if err != nil || out.Taken != 9 || out.Missed != 1 || len(out.Wake) != 3 {
		t.Errorf("Enrich() = %+v, %v, want 9 leads taken, 1 of them missed, and 3 endpoints to wake", out, err)
	}
	enriched := func(ws id.UUID) (n int) {
		for _, l := range leads[ws] {
			got, err := db.GetLead(t.Context(), ws, l.ID)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(got.Enrichment), regions[ws]) {
				n++
			}
		}
		return n
	}
	for i, want := range []int{3, 2, 3, 0} {
		if n := enriched(all[i]); n != want {
			t.Errorf("%d leads of %s have facts, want %d", n, regions[all[i]], want)
		}
	}
	changed = id.UUID{}
	testwait.Until(t, "the lead that was changed", func() bool {
		if _, err := db.Enrich(t.Context(), all, 10, find); err != nil {
			t.Fatal(err)
		}
		return enriched(all[1]) == 3
	})
}
