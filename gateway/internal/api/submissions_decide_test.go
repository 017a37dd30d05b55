package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// mustHold sends a form that is held, and returns the path of its submission.
func (b *bundle) mustHold(t *testing.T, form, email string) string {
	t.Helper()
	before := len(b.mustSubmissions(t, b.owner))
	b.fetch(t, form, fmt.Sprintf(`{"email":%q,"name":"Ada","message":"Do you ship?","_gotcha":"https://pills.example.net/",`+
		`"_page":"https://www.example.com/pricing?utm_source=mail"}`, email))
	all := b.mustSubmissions(t, b.owner)
	if len(all) != before+1 || all[before].Verdict != lead.Held {
		t.Fatalf("submissions = %+v, want one more, held", all)
	}
	return "/api/v1/submissions/" + id.Submission.Format(all[before].ID)
}

func (b *bundle) mustHook(t *testing.T) {
	t.Helper()
	e := b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/","eventTypes":["lead.*"]}`)
	if e.status != 201 {
		t.Fatalf("webhook = %d %s", e.status, e.text)
	}
}

// mustDeliveries are how many deliveries wait of the workspace's events of a type.
func (b *bundle) mustDeliveries(t *testing.T, eventType string) (n int) {
	t.Helper()
	if err := b.db.GetContext(t.Context(), &n, `
select count(*) from deliveries d join events e on e.workspace_id = d.workspace_id and e.id = d.event_id
 where d.workspace_id = $1 and e.type = $2 and d.state = 'pending'`, b.workspace, eventType); err != nil {
		t.Fatal(err)
	}
	return n
}

// decide sends a decision, and returns the submission that is answered.
func (b *bundle) decide(t *testing.T, path, what string) (s shownSubmission) {
	t.Helper()
	got := b.send(t, b.secret, "POST", path+"/"+what, "")
	var body struct{ Data shownSubmission }
	if err := json.Unmarshal([]byte(got.text), &body); got.status != 200 || err != nil {
		t.Fatalf("%s = %d %s, want the submission", what, got.status, got.text)
	}
	if shown := b.send(t, b.secret, "GET", path, ""); shown.text != got.text {
		t.Errorf("%s answers %s, GET %s", what, got.text, shown.text)
	}
	return body.Data
}

// A release makes the lead that the form would make now, once, also when it comes again or twice at a time.
func TestReleaseMakesTheLead(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	b.mustHook(t)
	path := b.mustHold(t, b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}}), "ada@example.com")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if s := b.decide(t, path, "release"); s.Verdict != "released" || s.Outcome != "new" || s.DecidedAt == nil {
				t.Errorf("released = %+v", s)
			}
		})
	}
	all.Wait()
	l := b.mustLeads(t, b.owner)
	if len(l) != 1 || l[0].Name != "Ada" {
		t.Fatalf("leads = %+v, want Ada's", l)
	}
	if s := b.decide(t, path, "release"); s.LeadID == nil || *s.LeadID != id.Lead.Format(l[0].ID) {
		t.Errorf("released again = %+v, want the same lead", s)
	}
	for _, want := range []string{`"message":"Do you ship?"`, `"utm_source":"mail"`, `"page_url":"https://www.example.com/pricing"`} {
		if !strings.Contains(strings.ReplaceAll(string(l[0].Metadata), `": "`, `":"`), want) {
			t.Errorf("metadata = %s, want %s", l[0].Metadata, want)
		}
	}
	if strings.Contains(string(l[0].Metadata), "pills") {
		t.Errorf("metadata = %s, which has the honeypot", l[0].Metadata)
	}
	if n, m := b.mustDeliveries(t, webhook.LeadCreated), b.mustDeliveries(t, webhook.LeadSubmitted); n != 1 || m != 0 {
		t.Errorf("%d deliveries of lead.created, %d of lead.submitted, want 1 and 0", n, m)
	}
	if got := fmt.Sprint(b.mustBooks(t, b.owner)); got != "map[held:1 received:1]" {
		t.Errorf("books = %s, want what was held when it came", got)
	}
}

// A release does what the form is set to where a lead has the email.
func TestReleaseOfAKnownEmail(t *testing.T) {
	t.Parallel()
	for on, want := range map[string]struct {
		outcome, name string
		submitted     int
	}{
		"append":               {"appended", "Eve", 1},
		tenant.UpdateDuplicate: {"updated", "Ada", 0},
		tenant.IgnoreDuplicate: {"ignored", "Eve", 0},
	} {
		b := setupForms(t)
		b.mustHook(t)
		path := b.mustHold(t, b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, OnDuplicate: on}), "ada@example.com")
		if got := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"ada@example.com","name":"Eve"}`); got.status != 201 {
			t.Fatalf("lead = %d %s", got.status, got.text)
		}
		for range 2 {
			if s := b.decide(t, path, "release"); s.Outcome != want.outcome || s.Verdict != "released" || s.LeadID == nil {
				t.Errorf("%s: released = %+v, want %s", on, s, want.outcome)
			}
		}
		if l := b.mustLeads(t, b.owner); len(l) != 1 || l[0].Name != want.name {
			t.Errorf("%s: leads = %+v, want one called %s", on, l, want.name)
		}
		if n := b.mustDeliveries(t, webhook.LeadSubmitted); n != want.submitted {
			t.Errorf("%s: %d deliveries of lead.submitted, want %d", on, n, want.submitted)
		}
	}
}

// A suppressed address stays held, and what was erased is gone.
func TestReleaseRefused(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	form := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	path := b.mustHold(t, form, "gone@example.com")
	b.mustSuppress(t, b.owner, "gone@example.com")
	b.send(t, b.secret, "POST", path+"/release", "").wantError(t, "suppressed", 409, "EMAIL_SUPPRESSED")
	if s := b.mustSubmissions(t, b.owner)[0]; s.Verdict != lead.Held || !s.DecidedAt.IsZero() || len(b.mustLeads(t, b.owner)) != 0 {
		t.Errorf("submission = %+v, want it held, and no lead", s)
	}
	b.fetch(t, form, `{"email":"ann@example.com"}`)
	delivered := "/api/v1/submissions/" + id.Submission.Format(b.mustSubmissions(t, b.owner)[1].ID)
	b.send(t, b.secret, "POST", delivered+"/release", "").wantError(t, "delivered", 409, "CONFLICT")
	b.decide(t, delivered, "spam")
	b.send(t, b.secret, "POST", delivered+"/release", "").wantError(t, "spam that has a lead", 409, "CONFLICT")
}

// What is spam makes no lead until it is released after all; for one that has a lead webhooks get one event.
func TestMarkSpam(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	b.mustHook(t)
	path := b.mustHold(t, b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}}), "ada@example.com")
	for range 2 {
		if s := b.decide(t, path, "spam"); s.Verdict != "spam" || s.Outcome != "held" || s.LeadID != nil || s.DecidedAt == nil {
			t.Errorf("spam = %+v", s)
		}
	}
	if n := len(b.mustEvents(t, b.owner, webhook.LeadMarkedSpam)) + len(b.mustLeads(t, b.owner)); n != 0 {
		t.Errorf("%d events and leads of what is spam, want none", n)
	}
	if s := b.decide(t, path, "release"); s.Verdict != "released" || s.LeadID == nil {
		t.Errorf("spam that was released = %+v", s)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { b.decide(t, path, "spam") })
	}
	all.Wait()
	events := b.mustEvents(t, b.owner, webhook.LeadMarkedSpam)
	var data struct {
		ID         string
		Submission struct{ ID, Verdict string }
	}
	if l := b.mustLeads(t, b.owner); len(events) != 1 || len(l) != 1 || json.Unmarshal([]byte(events[0]), &data) != nil ||
		data.ID != id.Lead.Format(l[0].ID) || data.Submission.Verdict != "spam" ||
		"/api/v1/submissions/"+data.Submission.ID != path {
		t.Errorf("lead.marked_spam = %v, leads = %+v, want one event with the lead and the submission", events, l)
	}
	if n := b.mustDeliveries(t, webhook.LeadMarkedSpam); n != 1 {
		t.Errorf("%d deliveries of lead.marked_spam, want 1", n)
	}
}

// Each decision is in the audit once, with the key that made it and nothing of the person; what changes nothing is not,
// and a quarantine of any size can be worked off within an hour.
func TestDecisionsAreAudited(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustHold(t, b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}}), "ada@example.com")
	b.db.MustExecContext(t.Context(), `
insert into audit (workspace_id, id, key_id, action, target, details, created_at)
select $1, overlay(uuid_floor(now())::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, $2, 'key.created', '', '{}', now()
  from generate_series(1, 1000) n`, b.workspace, b.key)
	for _, what := range []string{"spam", "spam", "release", "release", "spam"} {
		b.decide(t, path, what)
	}
	b.send(t, b.secret, "POST", path+"/release", "").wantError(t, "spam that has a lead", 409, "CONFLICT")
	type entry struct {
		Action, Target, KeyID string
		Details               map[string]string
	}
	got, _ := page[entry](t, b, "/api/v1/audit?limit=4")
	leadID, sub := id.Lead.Format(b.mustLeads(t, b.owner)[0].ID), strings.TrimPrefix(path, "/api/v1/submissions/")
	key := id.Key.Format(b.key)
	want := []entry{
		{"submission.marked_spam", sub, key, map[string]string{"formerVerdict": "released", "outcome": "new", "leadId": leadID}},
		{"submission.released", sub, key, map[string]string{"formerVerdict": "spam", "outcome": "new", "leadId": leadID}},
		{"submission.marked_spam", sub, key, map[string]string{"formerVerdict": "held", "outcome": "held"}},
		{"key.created", "", key, map[string]string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}
