package intake_test

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
)

// setupGateways returns gateways of the same stores, each with a pool of its own.
func setupGateways(t *testing.T, n int) (all []*bundle) {
	t.Helper()
	url, store := pgtest.URL(t), redistest.Start(t)
	for range n {
		db, err := pg.Open(url, pg.Options{LockTimeout: 500 * time.Millisecond, Application: t.Name()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		client := redistest.Open(t, store)
		s := intake.New(intake.Deps{DB: db, Redis: client, Waker: task.NewWaker(client),
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Registry: prometheus.NewRegistry(), Now: time.Now})
		t.Cleanup(s.Stop)
		all = append(all, &bundle{s, db, store, nil})
	}
	p := mustWorkspace(t, all[0].db)
	for _, b := range all {
		b.principal = p
	}
	return all
}

// mustBeSlow makes each insert, and each change, of leads take up to 100 ms between its look at suppressions and its
// commit.
func (b *bundle) mustBeSlow(t *testing.T) {
	t.Helper()
	b.db.MustExecContext(t.Context(), `
create function slow() returns trigger language plpgsql as $$ begin
    perform pg_sleep(random() * 0.1);
    return new;
end $$;
create trigger slow before insert on leads for each row execute function slow();
create trigger slow before insert on events for each row when (new.type = 'lead.updated') execute function slow()`)
}

// made are the leads with an email.
func (b *bundle) made(t *testing.T, email string) map[id.UUID]bool {
	var all []id.UUID
	const q = `select id from leads where workspace_id = $1 and email = $2`
	if err := b.db.SelectContext(t.Context(), &all, q, b.principal.WorkspaceID, email); err != nil {
		t.Error(err)
	}
	out := map[id.UUID]bool{}
	for _, one := range all {
		out[one] = true
	}
	return out
}

// While several gateways take an email in, one by one and in batches, it is suppressed, or its lead erased: once that
// is answered, no lead of it appears any more, and of an erased one there is none.
func TestSuppressedEmailStaysAway(t *testing.T) {
	t.Parallel()
	gateways := setupGateways(t, 3)
	b := gateways[0]
	b.mustBeSlow(t)
	for round := range 12 {
		email, erase := fmt.Sprintf("p%d@example.com", round), round%2 == 0
		var posts sync.WaitGroup
		var stop atomic.Bool
		for _, g := range gateways {
			posts.Go(func() { g.post(t, email, &stop) })
			posts.Go(func() { g.postBatches(t, email, &stop) })
			if !erase {
				posts.Go(func() { g.deleteLeads(t, email, &stop) })
			}
		}
		if !erase {
			posts.Go(func() { b.moveLeads(t, email, &stop) })
		}
		testwait.Until(t, "a lead of the email", func() bool { return len(b.made(t, email)) > 0 })
		known := gateways[round%3].suppress(t, email, erase)
		if erase && len(known) > 0 {
			t.Errorf("%s: %d leads have the email of the lead that was erased", email, len(known))
		}
		for range 10 { // until each has ended that was under way
			_, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(email)})
			if err == nil {
				t.Errorf("Create(%s) after its suppression made a lead", email)
			}
		}
		stop.Store(true)
		posts.Wait()
		for one := range b.made(t, email) {
			if !known[one] {
				t.Errorf("%s: lead %s appeared after the email was suppressed", email, id.Lead.Format(one))
			}
		}
	}
}

func (b *bundle) post(t *testing.T, email string, stop *atomic.Bool) {
	for !stop.Load() {
		_, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(email)})
		wantKnownRefusal(t, err)
	}
}

func (b *bundle) postBatches(t *testing.T, email string, stop *atomic.Bool) {
	for !stop.Load() {
		out, err := b.CreateMany(t.Context(), b.principal, requests(email), lead.RefuseDuplicate)
		if err == nil {
			err = out[0].Err
		}
		wantKnownRefusal(t, err)
	}
}

// deleteLeads deletes the leads with an email, so that others can be made.
func (b *bundle) deleteLeads(t *testing.T, email string, stop *atomic.Bool) {
	for !stop.Load() {
		for one := range b.made(t, email) {
			if _, err := b.db.DeleteLead(t.Context(), b.principal.WorkspaceID, one, noCheck); err != nil &&
				!fault.Is(err, fault.NotFound) {
				t.Errorf("DeleteLead = %v", err)
			}
		}
	}
}

// moveLeads moves leads to an email.
func (b *bundle) moveLeads(t *testing.T, email string, stop *atomic.Bool) {
	for !stop.Load() {
		l, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(id.New().String() + "@example.com")})
		if err != nil {
			t.Errorf("Create = %v", err)
			return
		}
		_, err = b.db.UpdateLead(t.Context(), b.principal.WorkspaceID, l.ID, func(l *lead.Lead) error {
			l.Email, l.UniqueKey = email, email
			return nil
		})
		var taken *pg.Taken
		if !errors.As(err, &taken) {
			wantKnownRefusal(t, err)
		}
	}
}

// suppress suppresses an email, or erases the lead that has it and suppresses it, and returns the leads that have it
// then.
func (b *bundle) suppress(t *testing.T, email string, erase bool) map[id.UUID]bool {
	t.Helper()
	for one := range b.made(t, email) {
		if !erase {
			break
		}
		if _, err := b.db.EraseLead(t.Context(), b.principal.WorkspaceID, one, pg.Erasure{Suppress: true}); err != nil {
			t.Fatalf("EraseLead(%s) = %v", email, err)
		}
		return b.made(t, email)
	}
	if err := b.db.Suppress(t.Context(), b.principal.WorkspaceID, email, nil); err != nil {
		t.Fatalf("Suppress(%s) = %v", email, err)
	}
	return b.made(t, email)
}

func wantKnownRefusal(t *testing.T, err error) {
	if err != nil && !fault.Is(err, fault.Suppressed) && !fault.Is(err, fault.Duplicate) &&
		!fault.Is(err, fault.Unavailable) {
		t.Errorf("Create = %v, want a lead, or it refused", err)
	}
}

// Of a form whose email is suppressed between the look for its lead and the lead's change nothing is kept: the lead is
// there already and stays.
func TestSubmissionOfAnEmailSuppressedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, on := range []lead.OnDuplicate{lead.AppendDuplicate, lead.UpdateDuplicate, lead.IgnoreDuplicate} {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ws := b.principal.WorkspaceID
			holder := b.mustCreate(t, "a@example.com")
			b.db.MustExecContext(t.Context(), fmt.Sprintf(`
create function suppress() returns trigger language plpgsql as $$ begin
    insert into suppressions (workspace_id, email_hash, created_at) values ('%v', '\x%x', now()) on conflict do nothing;
    return null;
end $$;
create trigger suppress after insert on leads for each statement execute function suppress()`, ws,
				lead.SuppressionHash(ws, "a@example.com")))
			d := draft("a@example.com")
			d.Name = "Ann"
			r := intake.Request{Lead: intake.NewLead(b.principal, &d, id.UUID{}, id.UUID{}), Draft: d, OnDuplicate: on,
				ConstantTime: true, Submission: &lead.Submission{WorkspaceID: ws, ID: id.New(), FormID: id.New(),
					Verdict: lead.Clean, Email: d.Email, EmailKey: d.AddressKey, CreatedAt: time.Now()}}
			if _, err := b.Put(t.Context(), b.principal, r); !fault.Is(err, fault.Suppressed) {
				t.Errorf("Put = %v, want EMAIL_SUPPRESSED", err)
			}
			kept, err := b.db.GetSubmission(t.Context(), ws, r.Submission.ID)
			if err != nil || kept.Outcome != lead.OutcomeSuppressed || kept.Email != "" {
				t.Errorf("the submission = %+v, %v, want nothing of the person in it", kept, err)
			}
			if l, err := b.db.GetLead(t.Context(), ws, holder.ID); err != nil || l.Name != "" {
				t.Errorf("the lead = %+v, %v, want it as it was", l, err)
			}
		})
	}
}
