package console_test

import (
	"strings"
	"testing"

	"leadgate/shared/testbrowser"
	"leadgate/shared/webhook"
)

// Somebody who has never seen the console sees the first lead come, learns why its webhook fails and sends it again, by
// links alone.
func TestNewcomerFindsTheWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hook := b.mustEndpoint(t, `,"eventTypes":["lead.created"]`)
	p := b.mustOpen(t)
	p.WaitText("No lead has come yet")
	made := b.mustLead(t, `{"email":"ada@example.com","name":"Ada"}`)
	p.WaitText("ada@example.com") // by itself
	for n := range 3 {
		b.mustAttempt(t, hook, webhook.Attempt{Number: n + 1, Status: 401, Error: webhook.StatusError(401),
			ResponseHead: "the token is wrong"}, webhook.Pending)
	}
	p.WaitText("your server answered 401")
	p.Click(".concerns a")
	p.WaitText("Why it fails")
	p.Click("#endpoint .timeline summary")
	p.WaitText("the token is wrong")
	p.Click(`#endpoint p a[href^="/console/deliveries/"]`)
	p.WaitText("The last attempt failed")
	p.Click("#again")
	p.WaitText("It is sent again now")
	p.Click(`#delivery a[href="/console/leads/` + made + `"]`)
	p.WaitText("0 of 1 webhook about it arrived")
	p.Wait(`document.querySelector(".timeline a[id]")`)
	p.Eval(`document.querySelector(".timeline a[id]").focus()`, nil)
	b.mustAttempt(t, hook, webhook.Attempt{Number: 4, Status: 204}, webhook.Delivered)
	p.WaitText("The webhook about it arrived") // by itself, and the keyboard is where it was
	wantFocus(t, p, "see-")
	if got := p.Problems(); len(got) > 0 {
		t.Errorf("problems = %q", got)
	}
}

// News in a list keep the keyboard where it was, and wait while somebody has ticked something.
func TestNewsKeepTheKeyboard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.mustLead(t, `{"email":"ada@example.com"}`)
	p := b.mustOpen(t)
	p.Open(b.url + "/console/leads")
	p.Eval(`document.getElementById("to-`+made+`").focus()`, nil)
	b.mustLead(t, `{"email":"grace@example.com"}`)
	p.WaitText("grace@example.com")
	wantFocus(t, p, "to-"+made)
	p.Click("#tick-" + made)
	seen := strings.Count(p.Text("#list"), "@example.com")
	p.Eval(`document.addEventListener("htmx:beforeRequest", () => window.told = true)`, nil)
	b.mustLead(t, `{"email":"jean@example.com"}`)
	p.Wait("window.told")
	if got := strings.Count(p.Text("#list"), "@example.com"); got != seen {
		t.Errorf("the list has %d leads while one is ticked, want the %d of before", got, seen)
	}
	p.Click("#tick-" + made)
	p.WaitText("jean@example.com")
}

// wantFocus fails unless the element that has the focus has an id that begins so.
func wantFocus(t *testing.T, p *testbrowser.Page, id string) {
	t.Helper()
	var focused string
	if p.Eval(`document.activeElement.id`, &focused); !strings.HasPrefix(focused, id) {
		t.Errorf("the focus is on %q, want %s", focused, id)
	}
}

// What has just come has just come, however wrong the clock of the computer is that shows it.
func TestTimesAreByTheServersClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.mustOpen(t)
	p.Before("{ const right = Date.now; Date.now = () => right() - 7_200_000 }")
	b.mustLead(t, `{"email":"ada@example.com"}`)
	p.Open(b.url + "/console/leads")
	p.Wait(`document.querySelector("#list time[data-done]")`)
	if got := p.Text("#list time"); !strings.Contains(got, "now") && !strings.Contains(got, "ago") {
		t.Errorf("a lead of this moment came %q", got)
	}
}
