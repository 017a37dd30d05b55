package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"leadgate/shared/tenant"
)

// What comes in is on the page that is open within a moment, and nobody loads it again.
func TestLeadAppearsOnTheOpenPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustLead(t, `{"email":"ada@example.com","name":"Ada"}`)
	p := b.mustOpen(t)
	wantWell(t, p, "overview")
	p.Open(b.url + "/console/leads")
	p.WaitText("ada@example.com")
	wantWell(t, p, "leads")
	p.Open(b.url + "/console/leads")
	b.mustLead(t, `{"email":"grace@example.com","name":"Grace"}`)
	p.WaitText("grace@example.com")
	p.Fill("#q", "ada")
	p.Wait(`!document.querySelector("#list").textContent.includes("grace@example.com")`)
	p.Click(`#list td a`)
	p.WaitText("What happened")
	wantWell(t, p, "lead")
}

// Who is not signed in sees no page, and comes back to the one that was asked for.
func TestPagesAskToSignIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.visitor(t)
	if got := v.get(t, "/console/leads"); got.path != "/console/sign-in" {
		t.Errorf("arrived at %s", got.path)
	}
	for _, page := range []string{"/console", "/console/leads"} {
		if got := b.mustSignIn(t, b.secret).get(t, page); got.status != 200 || got.path != page {
			t.Errorf("%s = %d at %s: %s", page, got.status, got.path, fmt.Sprint(got.text))
		}
	}
}

// Who guesses is soon told to wait, and whoever is signed in stays so, also from the same address.
func TestGuessesAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	signedIn := b.mustSignIn(t, b.secret)
	signedIn.get(t, "/console")
	limited := func(try func(i int) answer) bool {
		for i := range 200 {
			if try(i).status == http.StatusTooManyRequests {
				return true
			}
		}
		return false
	}
	stranger := b.visitor(t)
	if !limited(func(int) answer {
		return stranger.post(t, "/console/open", url.Values{"link": {tenant.NewText(tenant.SecretKey, false)}})
	}) {
		t.Error("200 unknown links were looked up")
	}
	if got := signedIn.get(t, "/console/leads"); got.status != 200 {
		t.Errorf("who is signed in = %d", got.status)
	}
}
