package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// mustSubmissions are the workspace's, oldest first.
func (b *bundle) mustSubmissions(t *testing.T, c owner) (all []lead.Submission) {
	t.Helper()
	var ids []id.UUID
	if err := b.db.SelectContext(t.Context(), &ids, "select id from submissions where workspace_id = $1 order by id",
		c.workspace); err != nil {
		t.Fatal(err)
	}
	for _, u := range ids {
		s, err := b.db.GetSubmission(t.Context(), c.workspace, u)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// mustBooks are the counts of the workspace's forms.
func (b *bundle) mustBooks(t *testing.T, c owner) map[string]int {
	t.Helper()
	var rows []struct {
		Outcome string
		N       int
	}
	if err := b.db.SelectContext(t.Context(), &rows, `
select outcome, sum(n) as n from book_entries where workspace_id = $1 and way = 'form' group by 1`, c.workspace); err != nil {
		t.Fatal(err)
	}
	books := map[string]int{}
	for _, r := range rows {
		books[r.Outcome] = r.N
	}
	return books
}

// mustEvents are the data of the workspace's events of a type.
func (b *bundle) mustEvents(t *testing.T, c owner, eventType string) (all []string) {
	t.Helper()
	if err := b.db.SelectContext(t.Context(), &all, `
select cast(data as text) from events where workspace_id = $1 and type = $2 order by id`, c.workspace, eventType); err != nil {
		t.Fatal(err)
	}
	return all
}

// What a visitor sends whose email is there reaches the owner, and changes nothing of the lead but what it had not.
func TestSecondEnquiryIsKept(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	e := b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/","eventTypes":["lead.*"]}`)
	if e.status != 201 {
		t.Fatalf("webhook = %d %s", e.status, e.text)
	}
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
	b.fetch(t, path, `{"email":"ada@example.com","name":"Ada","message":"The first question","city":"London"}`, "User-Agent", agent)
	got := b.fetch(t, path, `{"email":"ADA@example.com","name":"Eve","phone":"+1-555-0100","message":"Another question",`+
		`"size":"10","_page":"https://www.example.com/pricing?utm_source=mail&secret=1","password":"hunter2"}`, "User-Agent", agent)
	if got.text != received {
		t.Fatalf("answer = %d %s", got.status, got.text)
	}
	all, l := b.mustSubmissions(t, b.owner), b.mustLeads(t, b.owner)
	if len(all) != 2 || len(l) != 1 {
		t.Fatalf("%d submissions, %d leads, want 2 and 1", len(all), len(l))
	}
	first, second := all[0], all[1]
	if first.Outcome != lead.OutcomeNew || first.LeadID != l[0].ID || first.Verdict != lead.Clean || first.UserAgent != agent ||
		string(first.Fields) != `{"email":"ada@example.com","name":"Ada","message":"The first question","city":"London"}` {
		t.Errorf("first = %+v %s", first, first.Fields)
	}
	wantFields := `{"email":"ADA@example.com","name":"Eve","phone":"+1-555-0100","message":"Another question","size":"10"}`
	if second.Outcome != lead.OutcomeAppended || second.LeadID != l[0].ID || string(second.Fields) != wantFields ||
		second.Page != "https://www.example.com/pricing" || second.Campaign["utm_source"] != "mail" {
		t.Errorf("second = %+v %s", second, second.Fields)
	}
	var metadata map[string]string
	if err := json.Unmarshal(l[0].Metadata, &metadata); err != nil {
		t.Fatal(err)
	}
	if l[0].Name != "Ada" || l[0].Phone != "+1-555-0100" || metadata["message"] != "The first question" ||
		metadata["city"] != "London" || metadata["size"] != "10" {
		t.Errorf("lead = %+v %s, want nothing overwritten, and what was missing", l[0], l[0].Metadata)
	}
	events := b.mustEvents(t, b.owner, webhook.LeadSubmitted)
	var data struct {
		ID         string
		Name       string
		Submission struct {
			ID, FormID, Verdict string
			Fields              map[string]string
		}
	}
	if len(events) != 1 || json.Unmarshal([]byte(events[0]), &data) != nil || data.ID != id.Lead.Format(l[0].ID) ||
		data.Name != "Ada" || data.Submission.ID != id.Submission.Format(second.ID) ||
		data.Submission.Fields["message"] != "Another question" {
		t.Errorf("lead.submitted = %v, want the lead and what was sent", events)
	}
	if n := len(b.mustEvents(t, b.owner, webhook.LeadUpdated)); n != 1 {
		t.Errorf("%d lead.updated, want 1", n)
	}
	var deliveries int
	if err := b.db.GetContext(t.Context(), &deliveries, "select count(*) from deliveries where workspace_id = $1",
		b.workspace); err != nil || deliveries != 3 {
		t.Errorf("%d deliveries, %v, want those of lead.created, lead.updated and lead.submitted", deliveries, err)
	}
	if got := fmt.Sprint(b.mustBooks(t, b.owner)); got != "map[appended:1 new:1 received:2]" {
		t.Errorf("books = %s", got)
	}
	if text := fmt.Sprint(events, string(l[0].Metadata)); strings.Contains(text, "hunter2") || strings.Contains(text, "secret") {
		t.Errorf("a secret was kept: %s", text)
	}
}

// Forms that are set to update or ignore stay so, and keep what was sent all the same.
func TestOtherOnDuplicatesKeepSubmissions(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	b.mustCreate(t, b.owner, "ada@example.com")
	for _, on := range []string{tenant.UpdateDuplicate, tenant.IgnoreDuplicate} {
		path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, OnDuplicate: on})
		b.fetch(t, path, `{"email":"ada@example.com","name":"`+on+`"}`)
	}
	all, l := b.mustSubmissions(t, b.owner), b.mustLeads(t, b.owner)
	if len(all) != 2 || len(l) != 1 || l[0].Name != "update" || all[0].Outcome != lead.OutcomeUpdated ||
		all[1].Outcome != lead.OutcomeIgnored || all[1].LeadID != l[0].ID || len(all[1].Fields) == 0 {
		t.Errorf("submissions = %+v, leads = %+v", all, l)
	}
	if n := len(b.mustEvents(t, b.owner, webhook.LeadSubmitted)); n != 0 {
		t.Errorf("%d lead.submitted, want none", n)
	}
	if got := fmt.Sprint(b.mustBooks(t, b.owner)); got != "map[received:2 refused:duplicate:1 updated:1]" {
		t.Errorf("books = %s", got)
	}
}

// An erasure that overtakes a submission of its lead finds it all the same.
func TestIgnoredSubmissionDoesNotOutliveItsLead(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	gone := b.mustCreate(t, b.owner, "ada@example.com")
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.IgnoreDuplicate})
	pgtest.Exec(t, b.db, `
create function wait() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return new; end $$;
create trigger wait before insert on submissions for each row execute function wait()`)
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	tx.MustExecContext(t.Context(), `select pg_advisory_xact_lock(1)`)
	var under sync.WaitGroup
	under.Go(func() { b.fetch(t, path, `{"email":"ada@example.com","name":"Ada Byron"}`) })
	b.awaitLocks(t, 1)
	erased := make(chan struct{})
	under.Go(func() {
		defer close(erased)
		b.send(t, b.owner.secret, "DELETE", "/api/v1/leads/"+gone+"?erase=true", "").wantOK(t, "erase")
	})
	b.awaitLocks(t, 2, erased)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	under.Wait()
	if all := b.mustSubmissions(t, b.owner); len(all) != 0 {
		t.Errorf("submissions = %+v, want none of a lead that is erased", all)
	}
}

// awaitLocks waits until n statements wait for a lock, or until one of instead is closed.
func (b *bundle) awaitLocks(t *testing.T, n int, instead ...chan struct{}) {
	t.Helper()
	const q = `select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
	testwait.Until(t, fmt.Sprintf("%d statements wait for a lock", n), func() bool {
		for _, c := range instead {
			select {
			case <-c:
				return true
			default:
			}
		}
		var waiting int
		if err := b.db.GetContext(t.Context(), &waiting, q); err != nil {
			t.Fatal(err)
		}
		return waiting == n
	})
}

// What looks like a robot's is held and not lost, up to a limit.
func TestTrappedIsHeld(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, MaxHeldPerDay: 2, PerMinuteIP: 100})
	for i := range 4 {
		got := b.fetch(t, path, fmt.Sprintf(`{"email":"bot%d@example.com","message":"buy","_gotcha":"https://pills.example.net/"}`, i))
		if got.text != received {
			t.Errorf("answer = %d %s, want that of a person", got.status, got.text)
		}
	}
	all := b.mustSubmissions(t, b.owner)
	if len(all) != 2 || len(b.mustLeads(t, b.owner)) != 0 {
		t.Fatalf("%d submissions, want the 2 that the form may hold, and no lead", len(all))
	}
	if s := all[0]; s.Outcome != lead.OutcomeHeld || s.Verdict != lead.Held || s.Email != "bot0@example.com" || len(s.Reasons) == 0 ||
		!strings.Contains(string(s.Fields), `"_gotcha":"https://pills.example.net/"`) {
		t.Errorf("held = %+v %s", s, s.Fields)
	}
	b.fetch(t, path, `{"message":"buy","_gotcha":"x"}`).wantError(t, "no email", 400, "VALIDATION_ERROR")
	never := 0
	path = b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, HoldAt: &never})
	b.fetch(t, path, `{"email":"ada@example.com","_gotcha":"https://pills.example.net/"}`)
	if all := b.mustSubmissions(t, b.owner); len(all) != 3 || all[2].Verdict != lead.Suspect || all[2].Outcome != lead.OutcomeNew {
		t.Errorf("submissions = %+v, want the last to be delivered and marked", all)
	}
}

// Of an address that may not come back nothing is kept, whatever its submission looks like.
func TestSuppressedKeepsNothing(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	b.mustSuppress(t, b.owner, "gone@example.com")
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	for _, more := range []string{"", "&_gotcha=https://pills.example.net/"} {
		if got := b.submit(t, path, "email=gone@example.com&name=Vanished&_page=https://www.example.com/x"+more,
			"Referer", "https://www.example.com/x"); got.status != 200 {
			t.Fatalf("answer = %d %s", got.status, got.text)
		}
	}
	for _, s := range b.mustSubmissions(t, b.owner) {
		if s.Outcome != lead.OutcomeSuppressed || s.Email+s.EmailKey+s.Name+s.Page+s.Referrer+s.UserAgent != "" ||
			s.Fields != nil || s.AddressHash != nil || s.Campaign != nil {
			t.Errorf("kept of a suppressed address: %+v", s)
		}
	}
	if got := fmt.Sprint(b.mustBooks(t, b.owner)); got != "map[received:2 suppressed:2]" {
		t.Errorf("books = %s", got)
	}
}

// Posts of one new email at the same time make one lead, and each is kept.
func TestOneNewEmailAtOnce(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, PerMinuteIP: 1000})
	const n = 8
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { b.fetch(t, path, fmt.Sprintf(`{"email":"ada@example.com","message":"number %d"}`, i)) })
	}
	all.Wait()
	if l := b.mustLeads(t, b.owner); len(l) != 1 {
		t.Errorf("%d leads, want 1", len(l))
	}
	outcomes := map[lead.Outcome]int{}
	for _, s := range b.mustSubmissions(t, b.owner) {
		outcomes[s.Outcome]++
	}
	if outcomes[lead.OutcomeNew] != 1 || outcomes[lead.OutcomeAppended] != n-1 {
		t.Errorf("outcomes = %v, want one new and the others appended", outcomes)
	}
	if got := fmt.Sprint(b.mustBooks(t, b.owner)); got != fmt.Sprintf("map[appended:%d new:1 received:%d]", n-1, n) {
		t.Errorf("books = %s", got)
	}
}
