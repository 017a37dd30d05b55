package console_test

import (
	"testing"

	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// The overview says what needs somebody, and where to see it.
func TestOverviewTellsWhatNeedsAttention(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	v.get(t, "/console").wantPage(t, 200, "No lead has come yet", b.url+"/api/v1/leads", "!Needs you")
	b.mustLead(t, `{"email":"ada@example.com"}`)
	v.get(t, "/console").wantPage(t, 200, "ada@example.com", "!No lead has come yet", "!Needs you")
	form := b.mustForm(t, "Contact")
	b.mustHeld(t, form, "grace@example.com", nil)
	v.get(t, "/console").wantPage(t, 200, "Needs you", "1 submission of a form is held", `<span class="badge">1</span>`)
	for range 100 {
		b.mustHeld(t, form, "grace@example.com", nil)
	}
	v.get(t, "/console").wantPage(t, 200, "More than 99 submissions", `<span class="badge">99+</span>`)
	b.mustSignIn(t, b.mustKey(t, b.workspace, tenant.KeysManage)).get(t, "/console").wantPage(t, 200, "!Needs you",
		"!ada@example.com", `!class="badge"`)
}

// Webhooks that fail are told of one by one, with what waits, and beyond five of them counted.
func TestOverviewTellsOfFailingWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 6 {
		hook := b.mustEndpoint(t, `,"eventTypes":["lead.created"]`)
		b.mustLead(t, `{"email":"`+hook+`@example.com"}`)
		for n := range 3 {
			b.mustAttempt(t, hook, webhook.Attempt{Number: n + 1, Status: 503, Error: webhook.StatusError(503)}, webhook.Pending)
		}
		b.call(t, "PATCH", "/webhooks/"+hook, `{"eventTypes":["lead.deleted"]}`, nil)
	}
	b.mustSignIn(t, b.secret).get(t, "/console").wantPage(t, 200, "1 more webhook fails.", "503; 1 delivery waits.")
}

// What was received is all that became of it, on the overview too: what was suppressed is named where there is some.
func TestOverviewTellsAllThatBecameOfIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	b.mustLead(t, `{"email":"ada@example.com"}`)
	v.get(t, "/console").wantPage(t, 200, "<b>1</b><span>received", "!<span>suppressed", "!too many for the rate")
	b.call(t, "POST", "/suppressions", `{"email":"grace@example.com"}`, nil)
	b.call(t, "POST", "/leads/batch", `{"leads":[{"email":"grace@example.com"}]}`, nil)
	if err := b.books.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.get(t, "/console").wantPage(t, 200, "<b>2</b><span>received", "<b>1</b><span>suppressed", "!too many for the rate")
}
