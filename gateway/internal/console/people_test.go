package console_test

import (
	"strings"
	"testing"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/webhook"
)

// mustPeople makes leads as a shop has them, of which a webhook failed to tell, and returns the id of the last.
func (b *bundle) mustPeople(t testing.TB) (last string) {
	t.Helper()
	var hook string
	bodies := []string{
		`{"email":"maryam@example.com","name":"مريم عبد الله (المبيعات) 24","source":"معرض 2026","metadata":{"company":"شركة البناء 2000"}}`,
		`{"email":"noa@example.com","name":"נועה לוי","metadata":{"company":"חברת 3M בע\"מ","note":"להתקשר ב-10:30"}}`,
		`{"email":"taro@example.com","name":"山田 太郎 🌸👩🏽‍💻","metadata":{"company":"株式会社青空"}}`,
		`{"email":"grace.hopper@example.com","name":"Grace Hopper","source":"website","metadata":{"company":"Navy Yard","seats":12}}`,
		`{"email":"jean@bartik.example","name":"Jean Bartik","phone":"+1-555-010-0199","source":"fair","status":"contacted"}`,
		`{"email":"info@lovelace.example","name":"Ada Lovelace","phone":"+44 20 7946 0958","source":"website","metadata":{
			"company":"Analytical Engines","utm_source":"newsletter","utm_campaign":"spring","budget":{"from":1000,"to":5000}}}`,
	}
	for i, body := range bodies {
		if i == len(bodies)-1 { // it hears of the last one alone
			hook = b.mustEndpoint(t, `,"eventTypes":["lead.created"]`)
		}
		last = b.mustLead(t, body)
	}
	for n, state := range []webhook.State{webhook.Pending, webhook.Exhausted} {
		b.mustAttempt(t, hook, webhook.Attempt{Number: n + 1, Status: 503, Error: webhook.StatusError(503),
			Latency: 31 * time.Millisecond, ResponseHead: "<h1>Out of order</h1>"}, state)
	}
	return last
}

// A person finds leads, keeps the view, changes some at once and one alone, and deletes it.
func TestOwnerWorksWithLeads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.mustOpen(t)
	p.Open(b.url + "/console/leads")
	wantWell(t, p, "leads-none")
	made := b.mustPeople(t)
	p.Open(b.url + "/console")
	wantWell(t, p, "overview")
	p.Open(b.url + "/console/leads")
	p.Fill("#status", "contacted")
	p.Wait(`document.querySelectorAll("#list tbody tr").length == 1 && location.search == "?status=contacted"`)
	p.Click(".views summary")
	p.Fill("#view", "To call")
	p.Click(".views form button")
	p.Open(b.url + "/console/leads")
	if got := p.Text(".views ul"); !strings.Contains(got, "To call") {
		t.Errorf("views = %q", got)
	}
	p.Click(".folds details:last-child summary")
	p.Click(`input[value="meta.company"]`)
	p.WaitText("Analytical Engines")
	wantWell(t, p, "leads")
	p.Click(".views ul a")
	p.WaitText("jean@bartik.example")
	p.Wait(`!document.body.innerText.includes("info@lovelace.example")`)
	p.Open(b.url + "/console/leads")
	p.Click("input[data-all]")
	p.Fill("#to", "qualified")
	p.Click(".tools button")
	p.WaitText("6 leads were given the status qualified")
	p.Click(`a[href="/console/leads/` + made + `"]`)
	p.WaitText("What happened")
	wantWell(t, p, "lead")
	p.Click(".timeline summary")
	p.Click(".answers summary")
	p.WaitText("Out of order")
	wantWell(t, p, "lead-attempts")
	p.Click("#change ~ form summary")
	p.Fill("#name", "Ada King")
	p.Fill("#value0", "Engines Ltd.")
	wantWell(t, p, "lead-edit")
	p.Click("#change ~ form p > button")
	p.WaitText("The lead was changed")
	if got := b.lead(t, made); got.Name != "Ada King" || got.Metadata["company"] != "Engines Ltd." {
		t.Errorf("lead = %+v", got)
	}
	p.Click("button.danger")
	p.WaitText("The lead was deleted")
	wantDialog(t, p.Problems())
	wantWell(t, p, "leads-deleted")
	p.Click("input[data-all]")
	p.Click(".tools button")
	p.WaitText("1 lead was restored")
	p.Open(b.url + "/console/leads/" + made + "/erase")
	p.Fill("#confirm", "nobody@example.com")
	p.Click("main form button.danger")
	p.WaitText("Must be the email or the id")
	p.Problems() // the refusal, which the browser tells of
	wantWell(t, p, "erase")
	p.Fill("#confirm", "info@lovelace.example")
	p.Click("input[name=suppress]")
	p.Click("main form button.danger")
	p.WaitText("The lead is erased for good")
	wantWell(t, p, "erasure")
}

// wantDialog fails unless the page asked one question, and nothing else was wrong.
func wantDialog(t *testing.T, problems []string) {
	t.Helper()
	if len(problems) != 1 || !strings.HasPrefix(problems[0], "dialog") {
		t.Errorf("problems = %q, want one dialog", problems)
	}
}

// A person reads the quarantine, releases one submission and marks others as spam.
func TestOwnerReadsTheQuarantine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	form := b.mustForm(t, "Contact page")
	p := b.mustOpen(t)
	p.Open(b.url + "/console/submissions")
	wantWell(t, p, "quarantine-empty")
	for _, email := range []string{"ada@example.com", "grace@example.com", "jean@example.com"} {
		b.mustHeld(t, form, email, func(s *lead.Submission) {
			s.Referrer, s.Campaign = "https://search.example.com/", map[string]string{"utm_source": "newsletter"}
			s.Reasons = append(s.Reasons, lead.Reason{Check: "haste", Points: 20,
				Note: "it was sent 0.4 s after the page was shown"})
		})
	}
	p.WaitText("grace@example.com")
	wantWell(t, p, "quarantine")
	p.Click("article h2 a")
	p.WaitText("Where it came from")
	wantWell(t, p, "submission")
	p.Click(`button[value="release"]`)
	p.WaitText("there is a lead of it now")
	p.Open(b.url + "/console/submissions")
	p.Click("input[data-all]")
	p.Click(`#decide button[value="spam"]`)
	p.WaitText("2 submissions were marked as spam")
	if got := p.Problems(); len(got) > 0 {
		t.Errorf("problems = %q", got)
	}
}
