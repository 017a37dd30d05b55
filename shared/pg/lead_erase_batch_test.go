package pg_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// mustTell adds n events of a lead, each delivered once and answered, and pending to another endpoint.
func (b *book) mustTell(l lead.Lead, n int) {
	b.Helper()
	b.mustExec(`
with ev as (
    insert into events (workspace_id, id, type, lead_id, data, created_at)
    select $1, delivery_id(uuid_floor(at), gen_random_uuid()), 'lead.updated', $2, '{"email":"secret@example.com"}', at
      from (select now() - interval '1 minute' + n * interval '1 ms' from generate_series(1, $3) n) x (at)
    returning id, created_at
), d as (
    insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
    select $1, delivery_id(ev.id, e), e, ev.id, case when e = $1 then 'delivered' else 'pending' end, case when e <> $1 then now() end, created_at, now()
      from ev cross join unnest(array[$1, $2]::uuid[]) e
    returning id, state, created_at
)
insert into attempts (workspace_id, delivery_id, id, number, response_head, latency_ms, created_at) select $1, id, id, 1, 'secret', 1, created_at from d where state = 'delivered'`, b.ws, l.ID, n)
}

// A lead of which very many events tell is erased part by part: no statement has more than a few hundred of them, and
// all are counted.
func TestEraseLeadOfManyEvents(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it needs a trigger")
	b := newBook(t)
	l := b.mustLead("secret@example.com")
	const many = 1700
	b.mustTell(l, many)
	b.mustExec(`
create function few() returns trigger language plpgsql as $$ begin
    if (select count(*) from was) > 600 then raise exception 'too many at once'; end if;
    return null;
end $$`)
	b.mustExec(
		`create trigger few after update on events referencing old table as was for each statement execute function few()`)
	note := tenant.NewAuditEntry(b.ws, id.New(), tenant.LeadErased, id.Lead.Format(l.ID), nil, time.Now())
	e, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{Note: note})
	if err != nil || e.Events != many+1 || e.Deliveries != many+1 || e.Attempts != many {
		t.Fatalf("EraseLead = %+v, %v, want all of %d counted", e, err, many)
	}
	if n := b.count(
		`select (select count(*) from events where data::text like '%secret%') + (select count(*) from attempts where response_head is not null) + (select count(*) from leads)`); n != 0 {
		t.Errorf("%d rows still tell of the lead", n)
	}
	if n := b.count(`select count(*) from events where type = 'lead.deleted'`); n != 1 {
		t.Errorf("%d events tell of the erasure, want 1", n)
	}
}

// A lead with very many submissions, and as many in quarantine of its email, is erased part by part too.
func TestEraseLeadOfManySubmissions(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it needs a trigger")
	b := newBook(t)
	l := b.mustLead("secret@example.com")
	other := b.mustLead("other@example.com")
	b.mustSubmit(l.ID, "secret@example.com")
	b.mustSubmit(id.UUID{}, "secret@example.com")
	b.mustSubmit(other.ID, "other@example.com")
	const many = 1300
	b.mustExec(`
insert into submissions (workspace_id, id, form_id, lead_id, outcome, verdict, points, reasons, email, email_key, fields, created_at)
select s.workspace_id, delivery_id(s.id, gen_random_uuid()), s.form_id, s.lead_id, s.outcome, s.verdict, s.points, s.reasons,
       s.email, s.email_key, s.fields, s.created_at
  from submissions s, generate_series(2, $1)
 where s.email_key = 'secret@example.com'`, many)
	b.mustExec(`
create function few() returns trigger language plpgsql as $$ begin
    if (select count(*) from was) > 1000 then raise exception 'too many at once'; end if;
    return null;
end $$`)
	b.mustExec(
		`create trigger few after delete on submissions referencing old table as was for each statement execute function few()`)
	note := tenant.NewAuditEntry(b.ws, id.New(), tenant.LeadErased, id.Lead.Format(l.ID), nil, time.Now())
	e, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{Note: note})
	if err != nil || e.Submissions != 2*many {
		t.Fatalf("EraseLead = %+v, %v, want %d submissions counted", e, err, 2*many)
	}
	if n := b.count(`select count(*) from submissions`); n != 1 {
		t.Errorf("%d submissions are left, want that of the other lead", n)
	}
	if n := b.count(`select count(*) from leads`); n != 1 {
		t.Errorf("%d leads are left, want the other", n)
	}
}

// An erasure that broke off between two parts leaves the lead as it is, and the next one erases what is left.
func TestEraseLeadGoesOn(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it needs a trigger")
	b := newBook(t)
	l := b.mustLead("secret@example.com")
	b.mustTell(l, 1700)
	b.mustExec(`
create function refuse() returns trigger language plpgsql as $$ begin
    if (select count(*) from events where data::text not like '%secret%') > 900 then raise exception 'not now'; end if;
    return null;
end $$`)
	b.mustExec(`create trigger refuse after update on events for each statement execute function refuse()`)
	if _, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{}); err == nil {
		t.Fatal("EraseLead = nil, want an error")
	}
	if leads, told := b.count(`select count(*) from leads`),
		b.count(`select count(*) from events where data::text not like '%secret%'`); leads != 1 || told == 0 {
		t.Fatalf("%d leads and %d erased events, want the lead and some", leads, told)
	}
	b.mustExec(`drop trigger refuse on events`)
	if _, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{}); err != nil {
		t.Fatal(err)
	}
	if n := b.count(
		`select (select count(*) from events where data::text like '%secret%') + (select count(*) from deliveries where endpoint_id = $1 and state = 'pending') + (select count(*) from leads)`, l.ID); n != 0 {
		t.Errorf("%d rows still tell of the lead", n)
	}
}

// Only what nobody can restore any more is purged, also where it was due a moment ago.
func TestEraseOldLeads(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	live, fresh, old := b.mustLead("a@example.com"), b.mustLead("b@example.com"), b.mustLead("c@example.com")
	b.mustExec(`update leads set deleted_at = now() - interval '29 days' where id = $1`, fresh.ID)
	b.mustExec(`update leads set deleted_at = now() - interval '31 days' where id = $1`, old.ID)
	for _, l := range []lead.Lead{live, fresh} {
		if _, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{OnlyPurgeable: true}); !fault.Is(err,
			fault.NotFound) {
			t.Errorf("EraseLead(%s) = %v, want NOT_FOUND", l.Email, err)
		}
	}
	if _, err := b.db.EraseLead(t.Context(), b.ws, old.ID, pg.Erasure{OnlyPurgeable: true}); err != nil ||
		b.count(`select count(*) from leads`) != 2 {
		t.Errorf("EraseLead(%s) = %v, want it and no other erased", old.Email, err)
	}
}

func TestDuePurgesPage(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
		b.mustLead(email)
	}
	b.mustExec(
		`update leads set deleted_at = date_trunc('day', now()) - interval '40 days' - case when email < 'c' then interval '1 day' else interval '0' end`)
	seen := map[id.UUID]bool{}
	var after pg.Purge
	for range 4 {
		page, err := b.db.DuePurges(t.Context(), after, 1)
		if err != nil || len(page) != 1 || seen[page[0].Lead] {
			t.Fatalf("DuePurges = %+v, %v, want another lead", page, err)
		}
		after = page[0]
		seen[after.Lead] = true
	}
	if page, err := b.db.DuePurges(t.Context(), after, 1); err != nil || len(page) != 0 {
		t.Errorf("DuePurges after the last = %+v, %v, want none", page, err)
	}
}

// A batch that was made and never answered does not make a lead of it again that was erased since.
func TestEraseLeadOfAnUnansweredBatch(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	batch, other := requestOf(b.ws, "batch", "r"), requestOf(b.ws, "other", "r")
	mustBegin(t, b.db, batch, other)
	l := lead.Lead{WorkspaceID: b.ws, ID: id.Derive(batch.ID, lead.MaxBatch-1), Email: "a@example.com",
		UniqueKey: "a@example.com", Source: "api", Status: "new", Metadata: []byte(`{}`), CreatedAt: time.Now()}
	if _, err := b.db.InsertLeads(t.Context(), []pg.NewLead{{Lead: l, EventID: id.New()}}); err != nil {
		t.Fatal(err)
	}
	if e, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{}); err != nil || e.Answers != 1 {
		t.Fatalf("EraseLead = %+v, %v, want one answer", e, err)
	}
	got := mustBegin(t, b.db, pg.IdempotentRequest{Workspace: b.ws, Key: sha256.Sum256([]byte("batch")),
		Request: batch.Request, ID: id.New()}, requestOf(b.ws, "other", "r"))
	if got[0].Acquired || got[0].Status == 0 || got[0].Body != nil {
		t.Errorf("the batch = %+v, want it answered, and the answer erased", got[0])
	}
	if got[1].Status != 0 {
		t.Errorf("another request = %+v, want it as it was", got[1])
	}
	if types, _ := b.events(l.ID); strings.Count(types, "created") != 1 {
		t.Errorf("events = %s, want one created", types)
	}
}
