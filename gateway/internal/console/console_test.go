package console_test

import (
	"fmt"
	"testing"
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
	p.Click(`#list a[href^="/console/leads/"]`)
	p.WaitText("Timeline")
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
