package api_test

import (
	"sync"
	"testing"
	"time"

	"leadgate/gateway/internal/api"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// mustTell writes events about a lead, so many that it is erased in several parts.
func (b *bundle) mustTell(t *testing.T, shown string) {
	t.Helper()
	b.db.MustExecContext(t.Context(), `
insert into events (workspace_id, id, type, lead_id, data, created_at)
select $1, delivery_id(uuid_floor(at), gen_random_uuid()), 'lead.updated', $2, '{}', at
  from (select now() - interval '1 minute' + n * interval '1 ms' from generate_series(1, 1200) n) x (at)`,
		b.workspace, b.leadID(t, shown))
}

// mustEndErasures does what a worker does with erasures that go on as jobs.
func (b *bundle) mustEndErasures(t *testing.T) {
	t.Helper()
	running, err := b.db.RunningErasures(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range running {
		if _, err := b.db.EraseLead(t.Context(), l.Workspace, l.Lead, pg.Erasure{Job: &l}); err != nil {
			t.Fatal(err)
		}
	}
}

// wantForgotten checks that there is no lead, and no submission of a person.
func (b *bundle) wantForgotten(t *testing.T) {
	t.Helper()
	if l, s := b.mustLeads(t, b.owner), b.mustSubmissions(t, b.owner); len(l)+len(s) > 0 {
		t.Errorf("leads = %+v, submissions = %+v, want none", l, s)
	}
}

// While a lead is erased as a job its email is free, but what is held of it is not released any more: it is the
// person's who is erased.
func TestReleaseDuringAnErasure(t *testing.T) {
	t.Parallel()
	b := setupForms(t, func(d *api.Deps) { d.EraseWithin = time.Nanosecond })
	path := b.mustHold(t, b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}}), "ada@example.com")
	shown := b.mustCreate(t, b.owner, "ada@example.com")
	b.mustTell(t, shown)
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+shown+"?erase=true", ""); got.status != 202 {
		t.Fatalf("erase = %d %s, want 202", got.status, got.text)
	}
	b.send(t, b.secret, "POST", path+"/release", "").wantError(t, "release", 409, "CONFLICT")
	b.mustEndErasures(t)
	b.send(t, b.secret, "POST", path+"/release", "").wantError(t, "release then", 404, "NOT_FOUND")
	b.wantForgotten(t)
}

// A release and an erasure at a time: the submission is kept with the lead and erased with it, or it is not released.
func TestReleaseRacesAnErasure(t *testing.T) {
	t.Parallel()
	for name, within := range map[string]time.Duration{"at once": time.Minute, "as a job": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupForms(t, func(d *api.Deps) { d.EraseWithin = within })
			form := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
			for range 8 {
				path := b.mustHold(t, form, "ada@example.com")
				shown := b.mustCreate(t, b.owner, "ada@example.com")
				b.mustTell(t, shown)
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						got := b.send(t, b.secret, "POST", path+"/release", "")
						if got.status != 200 && got.status != 404 && got.status != 409 {
							t.Errorf("release = %d %s, want 200, 404 or 409", got.status, got.text)
						}
					})
				}
				all.Go(func() {
					if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+shown+"?erase=true", ""); got.status > 202 {
						t.Errorf("erase = %d %s, want a receipt", got.status, got.text)
					}
				})
				all.Wait()
				b.mustEndErasures(t)
				b.wantForgotten(t)
			}
		})
	}
}
