package e2e

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"leadgate/shared/testbrowser"
)

// An owner sets a webhook up on a page, sees there that it fails and why, mends the receiver, sends the delivery again,
// and sees it arrive, without loading anything again.
func TestOwnerMendsAWebhookInTheConsole(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	var broken atomic.Bool
	broken.Store(true)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			http.Error(w, "the <b>database</b> is full", http.StatusInsufficientStorage)
		}
	}))
	t.Cleanup(receiver.Close)
	p := testbrowser.New(t)
	p.Open(c.URL + "/console/endpoints/new")
	p.Fill("#key", c.mustOwner(t))
	p.Click("main button")
	p.WaitText("Headers and limits")
	p.Fill("#url", receiver.URL+"/hook")
	p.Click("main button")
	p.WaitText("shown this once")
	p.Open(c.URL + "/console/endpoints")
	p.WaitText("Nothing was sent to it yet")
	if got := request(t, "POST", c.URL+"/api/v1/leads", c.key, body("ada@example.com")); got.status != http.StatusCreated {
		t.Fatal(got)
	}
	p.WaitText("your server answered 507")
	p.Click("#endpoints td a")
	p.WaitText("Why it fails")
	p.Click("#endpoint details summary")
	p.WaitText("the <b>database</b> is full")
	broken.Store(false)
	p.Click(`#endpoint a[href^="/console/deliveries/"]`)
	p.Click(`form[action$="/resend"] button`)
	p.WaitText("It arrived.")
	p.Open(c.URL + "/console/endpoints")
	p.WaitText("It works: the last delivery arrived")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}
