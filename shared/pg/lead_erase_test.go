package pg_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// Nothing in any table tells who an erased lead was, and everything of other leads is as it was.
func TestEraseLeadLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for name, deletedBefore := range map[string]bool{"live": false, "deleted before": true} {
		l, other := b.mustLead("secret-a@example.com"), b.mustLead(fmt.Sprintf("other-%v@example.com", deletedBefore))
		b.mustUpdate(l.ID, func(l *lead.Lead) {
			l.Name, l.Phone, l.Metadata = "secret-name", "secret-phone", []byte(`{"x":"secret-m"}`)
		})
		b.mustExec(`update enrichments set facts = '{"x":"secret-f"}' where lead_id = $1`, l.ID)
		if deletedBefore {
			if _, err := b.db.DeleteLead(t.Context(), b.ws, l.ID, func(*lead.Lead) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		b.mustExec(`insert into attempts (workspace_id, delivery_id, id, number, response_head, latency_ms, created_at)
select workspace_id, id, id, 1, 'secret-answer', 1, now() from deliveries`)
		b.mustExec(
			`update deliveries set state = 'delivered' where event_id = (select min(id::text)::uuid from events where lead_id = $1)`, l.ID)
		b.mustExec(
			`insert into idempotency (workspace_id, key_hash, request_hash, id, taken_at, status, headers, body, created_at) values ($1, cast(cast($2 as uuid) as text)::bytea, '', $2, now(), 201, '{}', 'secret-b', now())`, b.ws, l.ID)
		events := b.count(`select count(*) from events where lead_id = $1`, l.ID)
		b.mustSubmit(l.ID, "secret-a@example.com")
		b.mustSubmit(id.UUID{}, "secret-a@example.com")
		b.mustSubmit(other.ID, "secret-other@example.com")
		b.mustExec(`insert into kept_submissions select * from submissions where lead_id = $1`, l.ID)

		note := tenant.NewAuditEntry(b.ws, id.New(), tenant.LeadErased, id.Lead.Format(l.ID), nil, time.Now())
		e, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{Note: note})
		if err != nil || e.Submissions != 3 || e.Events != events || e.Deliveries != events-1 || e.Attempts != events || e.Answers != 1 ||
			len(e.Wake) != 1 || (e.ReleasedKey == "") != deletedBefore {
			t.Fatalf("%s: EraseLead = %+v, %v, want %d events, one delivery less, as many attempts, one answer", name, e, err,
				events)
		}
		for _, table := range []string{"leads", "enrichments", "events", "deliveries", "attempts", "idempotency", "audit"} {
			if n := b.count(`select count(*) from `+table+
				` x where x::text like '%secret%' and not x::text like '%other%' and x::text like $1`, "%"+l.ID.String()+
				"%"); n != 0 {
				t.Errorf("%s: %d rows of %s still tell of the lead", name, n, table)
			}
		}
		for _, table := range []string{"submissions", "kept_submissions"} {
			if n := b.count(`select count(*) from ` + table + ` x where x::text like '%secret-a@%'`); n != 0 {
				t.Errorf("%s: %d rows of %s still tell of the lead", name, n, table)
			}
		}
		if n := b.count(`select count(*) from submissions where lead_id = $1`, other.ID); n != 1 {
			t.Errorf("%s: %d submissions of another lead are there, want 1", name, n)
		}
		types, data := b.events(l.ID)
		if want := fmt.Sprintf("deleted [%s %t]", data["id"], true); !strings.HasSuffix(types, "deleted") ||
			fmt.Sprintf("deleted [%s %v]", id.Lead.Format(l.ID), data["erased"]) != want {
			t.Errorf("%s: events %s, the last %v, want deleted with erased", name, types, data)
		}
		if n := b.count(
			`select count(*) from deliveries d join events v on v.workspace_id = d.workspace_id and v.id = d.event_id where v.lead_id = $1 and d.state = 'pending'`,
			l.ID); n != 1 {
			t.Errorf("%s: %d deliveries are pending, want the one that tells of the erasure", name, n)
		}
		if n := b.count(
			`select count(*) from audit where action = 'lead.erased' and target = $1 and details ->> 'events' = $2`,
			id.Lead.Format(l.ID), fmt.Sprint(events)); n != 1 {
			t.Errorf("%s: %d audited, want 1 with the count of events", name, n)
		}
		if _, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: EraseLead again = %v, want NOT_FOUND", name, err)
		}
		if got, err := b.db.GetLead(t.Context(), b.ws, other.ID); err != nil || got.Email != other.Email {
			t.Errorf("%s: another lead = %+v, %v, want it untouched", name, got, err)
		}
		if n := b.count(`select count(*) from events where lead_id = $1 and data ->> 'email' = $2`, other.ID,
			other.Email); n != 1 {
			t.Errorf("%s: another lead's events were changed", name)
		}
		b.mustExec(`delete from attempts`)
	}
}

func TestEraseLeadSuppresses(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l, twin := b.mustLead("a@example.com"), b.mustLead("b@example.com")
	if _, err := b.db.DeleteLead(t.Context(), b.ws, twin.ID, func(*lead.Lead) error { return nil }); err != nil {
		t.Fatal(err)
	}
	b.mustExec(`update leads set email = 'a@example.com', email_key = $2 where id = $1`, twin.ID,
		tenant.FreedKey("a@example.com", twin.ID))
	if _, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{Suppress: true}); err != nil {
		t.Fatal(err)
	}
	again := l
	again.ID = id.New()
	got, err := b.db.InsertLeads(t.Context(), []pg.NewLead{{Lead: again, EventID: id.New()}})
	if err != nil || !got.Leads[0].Suppressed || len(got.Wake) > 0 {
		t.Errorf("InsertLeads of a suppressed email = %+v, %v, want it suppressed", got, err)
	}
	if _, err := b.db.RestoreLead(t.Context(), b.ws, twin.ID, tenant.Settings{},
		func(*lead.Lead) error { return nil }); !fault.Is(err, fault.Suppressed) {
		t.Errorf("RestoreLead of a lead with that email = %v, want EMAIL_SUPPRESSED", err)
	}
	if was, err := b.db.Unsuppress(t.Context(), b.ws, "a@example.com", nil); err != nil || !was {
		t.Errorf("Unsuppress = %v, %v, want true", was, err)
	}
	if was, err := b.db.Unsuppress(t.Context(), b.ws, "a@example.com", nil); err != nil || was {
		t.Errorf("Unsuppress again = %v, %v, want false", was, err)
	}
}

// Whatever happens to a lead while it is erased: in the end nothing tells of it.
func TestEraseLeadAmongChanges(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for range 10 {
		l := b.mustLead("a@example.com")
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				_, err := b.db.UpdateLead(t.Context(), b.ws, l.ID, func(l *lead.Lead) error {
					l.Name = fmt.Sprint("secret",
						i)
					return nil
				})
				if err != nil && !fault.Is(err, fault.NotFound) {
					t.Errorf("UpdateLead = %v", err)
				}
			})
		}
		wg.Go(func() {
			if _, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{}); err != nil {
				t.Errorf("EraseLead = %v", err)
			}
		})
		wg.Wait()
		if n := b.count(`select count(*) from events where lead_id = $1 and data::text like '%example.com%'`, l.ID); n != 0 {
			t.Errorf("%d events still tell of the lead", n)
		}
		if n := b.count(`select count(*) from enrichments where lead_id = $1`, l.ID); n != 0 {
			t.Error("an erased lead is owed enrichment")
		}
	}
}

// The reports of imports tell nothing of an erased lead either, and a round that found it before it was erased does not
// write it down after.
func TestEraseLeadInReports(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it looks for who waits, which is seen on a node")
	d := newDesk(t, pgtest.New(t))
	i := d.mustImport("......")
	first := d.round(i, 0, 1, "secret@example.com", "other@example.com", "secret@example.com", "other@example.com")
	d.mustRound(first)
	of := first.Rows[0].ID
	report := func() (told string) {
		t.Helper()
		all, err := d.db.ImportErrors(t.Context(), d.ws, i.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			told += fmt.Sprintf("%d %s %s; ", m.Row, m.Value, m.Message)
		}
		return told
	}
	exists := "A lead with this email already exists in your workspace: "
	other := "4 other@example.com " + exists + id.Lead.Format(first.Rows[1].ID) + "; "
	if got, want := report(), "3 secret@example.com "+exists+id.Lead.Format(of)+"; "+other; got != want {
		t.Fatalf("report = %s, want %s", got, want)
	}
	e, err := d.db.EraseLead(t.Context(), d.ws, of, pg.Erasure{})
	if err != nil || e.Reports != 1 {
		t.Errorf("EraseLead = %+v, %v, want a row of a report counted", e, err)
	}
	const gone = "  The lead that had this email was erased; "
	if got, want := report(), "3"+gone+other; got != want {
		t.Errorf("report of an erased lead = %s, want %s", got, want)
	}
	if n := d.number(`select count(*) from import_errors e where e::text like '%secret%' or e::text like $1`,
		"%"+of.String()+"%"); n != 0 {
		t.Errorf("%d rows of reports still tell of the lead", n)
	}

	again := d.round(i, 4, 5, "secret@example.com")
	d.mustRound(again)
	tx, err := d.db.BeginTxx(t.Context(), nil) // erases it while the round has found it
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	tx.MustExec(`select 1 from leads where workspace_id = $1 and id = $2 for update`, d.ws, again.Rows[0].ID)
	var locker int
	if err := tx.GetContext(t.Context(), &locker, `select pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := d.db.ImportRows(t.Context(), d.round(i, 5, 6, "secret@example.com"))
		done <- err
	}()
	for d.number(`select count(*) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))`, locker) == 0 {
		if len(done) > 0 {
			t.Fatalf("ImportRows = %v, want it to wait for the lead's lock", <-done)
		}
	}
	tx.MustExec(`delete from leads where id = $1`, again.Rows[0].ID)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := "3" + gone + other + "6" + gone
	if d.number(`select count(*) from leads where workspace_id = $1 and email = 'secret@example.com'`, d.ws) == 1 {
		want = "3" + gone + other // on a busy machine it does not wait that long, and comes again to a free email
	}
	if got := report(); got != want {
		t.Errorf("report of a lead erased meanwhile = %s, want %s", got, want)
	}
}

// What a receiver answers to an attempt that was under way while its lead was erased is not kept; of others it is.
func TestEraseLeadUnderWay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	token := id.New()
	jobs := d.take(token, 0, 10)
	var of id.UUID
	if err := d.db.GetContext(t.Context(), &of, `select lead_id from events where id = $1`, jobs[0].EventID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.EraseLead(t.Context(), d.ws, of, pg.Erasure{}); err != nil {
		t.Fatal(err)
	}
	d.record(token, 0, 0, d.outcome(jobs[0], 200, nil), d.outcome(jobs[1], 200, nil))
	for i, want := range []int{0, 1} {
		if n := d.number(`select count(response_head) from attempts where delivery_id = $1`, jobs[i].DeliveryID); n != want {
			t.Errorf("attempt %d keeps %d answers of its receiver, want %d", i, n, want)
		}
	}
	if n := d.number(`select count(*) from attempts`); n != 2 {
		t.Errorf("there are %d attempts, want both", n)
	}
}

// What former versions wrote into the table goes: emails in clear, which nobody reads any more.
func TestOldReleasesAreDeleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	if _, err := d.db.ExecContext(t.Context(), `insert into releases (workspace_id, email_key, lead_id, created_at)
select $1, 'a@example.com', gen_random_uuid(), now() - n * interval '1 hour' from generate_series(0, 2023) n`, d.ws); err != nil {
		t.Fatal(err)
	}
	if n, err := d.db.DeleteOldReleases(t.Context()); err != nil || n != 2000 {
		t.Errorf("DeleteOldReleases = %d, %v, want 2000", n, err)
	}
	if n := d.number(`select count(*) from releases where created_at > now() - interval '24 hours'`); n != 24 ||
		d.number(`select count(*) from releases`) != n {
		t.Errorf("%d releases of the last day are left, want those and no others", n)
	}
}
