package console_test

import (
	"strings"
	"testing"
	"time"

	"leadgate/shared/testbrowser"
	"leadgate/shared/webhook"
)

// wantAsked fails when the page has not asked before it did something, and forgets that it has.
func wantAsked(t *testing.T, p *testbrowser.Page, question string) {
	t.Helper()
	for _, problem := range p.Problems() {
		if !strings.Contains(problem, question) {
			t.Errorf("%s", problem)
		} else {
			question = ""
		}
	}
	if question != "" {
		t.Errorf("it did not ask %q", question)
	}
}

// An owner sets a webhook up, sees why it fails, tests it, sends again and gives it a new secret, without a guide.
func TestOwnerMendsAWebhook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.work(t, webhook.Attempt{Status: 204, Latency: 12 * time.Millisecond, ResponseHead: "thanks"})
	p := b.mustOpen(t)
	p.Open(b.url + "/console/endpoints")
	wantWell(t, p, "endpoints-none")
	p.Click("main a.button")
	p.WaitText("Headers and limits")
	p.Fill("#url", "https://hooks.example.com/leadgate")
	p.Fill("#description", "Our CRM")
	wantWell(t, p, "endpoint-new")
	p.Click("main button")
	p.WaitText("whsec_")
	wantWell(t, p, "endpoint-secret")
	var path string
	p.Eval("location.pathname", &path)
	hook := strings.TrimPrefix(path, "/console/endpoints/")
	if !strings.HasPrefix(hook, "we_") && !strings.HasPrefix(hook, "wh_") && len(hook) < 10 {
		t.Errorf("the address is %s, want the endpoint's: loaded again it must not make another", path)
	}
	b.mustLead(t, `{"email":"ada@example.com","name":"Ada"}`)
	for n := range 3 {
		b.mustAttempt(t, hook, webhook.Attempt{Number: n + 1, Status: 503, Error: webhook.StatusError(503), Latency: 31 * time.Millisecond,
			ResponseHead: "<html><script>alert(1)</script><img src=x onerror=alert(2)><h1>503 Service Unavailable</h1></html>"}, webhook.Pending)
	}
	p.Open(b.url + "/console/endpoints")
	p.WaitText("your server answered 503")
	wantWell(t, p, "endpoints")
	p.Click("#endpoints td a")
	p.WaitText("Why it fails")
	p.Click("#endpoint details summary")
	p.WaitText("503 Service Unavailable")
	wantWell(t, p, "endpoint-fails")
	p.Click(`form[action$="/test"] button`)
	p.WaitText("The test arrived")
	wantWell(t, p, "endpoint-tested")
	p.Click(`#endpoint a[href^="/console/deliveries/"]`)
	p.WaitText("ada@example.com")
	wantWell(t, p, "delivery")
	p.Click(`form[action$="/resend"] button`)
	p.WaitText("It is sent again now")
	p.Open(b.url + "/console/deliveries")
	p.WaitText("Failed, will be tried again")
	wantWell(t, p, "deliveries")
	p.Fill("#state", "Delivered")
	p.WaitText("webhook.test")
	p.Wait(`!document.querySelector("#list").textContent.includes("lead.created")`)
	p.Open(b.url + path + "/edit")
	wantWell(t, p, "endpoint-edit")
	p.Click(`form[action$="/rotate"] button`)
	p.WaitText("shown this once")
	wantAsked(t, p, "Make a new secret?")
	p.Open(b.url + "/console/replays")
	p.Click(`form[action="/console/replays"] button`)
	p.WaitText("The replay has begun")
	wantWell(t, p, "replays")
	p.Click(`form[action$="/cancel"] button`)
	p.WaitText("The replay was cancelled")
	p.Open(b.url + path + "/edit")
	p.Click(`form[action$="/delete"] button`)
	p.WaitText("The endpoint was deleted")
	wantAsked(t, p, "Delete this webhook?")
}

// An owner makes a key, names a chatbot, changes a setting, and sees all that in the audit and what came in the books.
func TestOwnerKeepsTheWorkspace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, email := range []string{"ada@example.com", "grace@example.com"} {
		b.mustLead(t, `{"email":"`+email+`"}`)
	}
	p := b.mustOpen(t)
	p.Open(b.url + "/console/leads/new")
	wantWell(t, p, "lead-new")
	p.Open(b.url + "/console/suppressions")
	wantWell(t, p, "suppressions")
	p.Open(b.url + "/console/keys/new")
	p.Fill("#name", "Our shop")
	wantWell(t, p, "key-new")
	p.Click("main button")
	p.WaitText("shown this once")
	wantWell(t, p, "key-secret")
	p.Eval("location.reload()", nil)
	p.WaitText("Replace")
	wantWell(t, p, "key")
	p.Open(b.url + "/console/keys")
	wantWell(t, p, "keys")
	p.Open(b.url + "/console/sessions")
	wantWell(t, p, "sessions")
	p.Open(b.url + "/console/settings")
	p.Fill("#deliveryTargetMs", "2.5")
	wantWell(t, p, "settings")
	p.Click("main form button")
	p.WaitText("The settings were saved")
	p.Open(b.url + "/console/settings/chatbots")
	p.Fill("#name", "Landing page")
	p.Click("main form button")
	p.WaitText("The chatbot was made")
	wantWell(t, p, "chatbots")
	p.Click(`td a`)
	p.WaitText("Its leads stay")
	wantWell(t, p, "chatbot")
	p.Open(b.url + "/console/books")
	wantWell(t, p, "books")
	p.Open(b.url + "/console/audit")
	p.WaitText("Landing page")
	wantWell(t, p, "audit")
	p.Open(b.url + "/console/sessions")
	p.Click(".head button")
	p.WaitText("Secret key")
	wantAsked(t, p, "Sign everybody out")
}
