package console_test

import (
	"net/url"
	"strings"
	"testing"
)

// A lead that somebody adds is one of the API; who is there already is shown instead of a second one.
func TestLeadIsAddedByHand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	v.post(t, "/console/leads/new", url.Values{"email": {"none"}, "name": {"Ada"}}).want(t, "<b>email</b>", `value="Ada"`)
	made := v.post(t, "/console/leads/new", url.Values{"email": {"ada@example.com"}, "name": {"Ada"}, "status": {"contacted"}})
	made.want(t, "The lead was made", "ada@example.com")
	var all []struct{ ID, Name, Source, Status string }
	if b.call(t, "GET", "/leads", "", &all); len(all) != 1 || all[0].Source != "console" || all[0].Status != "contacted" {
		t.Fatalf("leads = %+v", all)
	}
	again := v.post(t, "/console/leads/new", url.Values{"email": {"ADA@example.com"}})
	if again.want(t, "There is a lead of this address already"); again.path != "/console/leads/"+all[0].ID {
		t.Errorf("arrived at %s", again.path)
	}
}

// An address that is blocked becomes no lead until it is let in again.
func TestAddressIsBlocked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	const page = "/console/suppressions"
	v.post(t, page, url.Values{"address": {"ada@"}}).want(t, "<b>email</b>", `value="ada@"`)
	v.post(t, page, url.Values{"address": {"12"}}).want(t, "<b>phone</b>")
	v.post(t, page, url.Values{"address": {"+46701234567"}}).want(t, "The address is blocked")
	v.post(t, page, url.Values{"address": {"ada@example.com"}}).want(t, "The address is blocked")
	if got := v.post(t, "/console/leads/new", url.Values{"email": {"ada@example.com"}}); !strings.Contains(got.text, "suppressed") {
		t.Errorf("a blocked address = %d %s", got.status, got.text)
	}
	v.post(t, page+"/end", url.Values{"address": {"ada@example.com"}}).want(t, "may become a lead again")
	b.mustLead(t, `{"email":"ada@example.com"}`)
	if got := v.post(t, page+"/end", url.Values{"address": {"ada@example.com"}}); got.status != 404 {
		t.Errorf("one that is not blocked = %d", got.status)
	}
}
