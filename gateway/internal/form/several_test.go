package form_test

import (
	"testing"

	"leadgate/shared/tenant"
)

// A list of several people is refused rather than kept in part.
func TestSeveralPeopleAreRefused(t *testing.T) {
	t.Parallel()
	for body, list := range map[string]string{
		`[{"email":"kim@example.com"},{"email":"ann@example.com"}]`:                                            "body",
		`[{"json":{"Email":"kim@example.com"}},{"json":{"Email":"ann@example.com"}}]`:                          "body",
		`[{"name":"Kim"},{"email":"kim@example.com"},{"email":"ann@example.com"}]`:                             "body",
		`{"leads":[{"email":"kim@example.com"},{"email":"ann@example.com"}]}`:                                  "leads",
		`{"data":{"contacts":[{"name":"Kim","email":"kim@example.com"},{"email":"ann@example.com"}]}}`:         "data.contacts",
		`{"records":[{"fields":{"Email":"kim@example.com"}},{"fields":{"Email":"ann@example.com"}}],"n":2}`:    "records",
		`{"payload":"{\"people\":[{\"email\":\"kim@example.com\"},{\"email\":\"ann@example.com\"}]}","n":"2"}`: "payload.people",
	} {
		wantRefused(t, jsonBody, body, list, "POST /api/v1/leads/batch", false)
	}
}

// One person has several addresses, hosts and guests.
func TestOnePersonInAList(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`[{"email":"kim@example.com"}]`,
		`[{"email":"kim@example.com"},{"email":"KIM@example.com"},{"note":"x"}]`,
		`{"leads":[{"email":"kim@example.com"}]}`,
		`{"leads":[{"email":"kim@example.com","owner":{"email":"ann@example.com"}},{"owner":{"email":"pat@example.com"}}]}`,
		`{"contact":{"emails":[{"email":"kim@example.com"},{"email":"kim@example.net"}]}}`,
		`{"email":"kim@example.com","users":[{"email":"ann@example.com"},{"email":"pat@example.com"}]}`,
		`{"attendees":[{"email":"kim@example.com"},{"email":"ann@example.com"}]}`,
		`{"answers":[{"label":"Email","type":"email","email":"kim@example.com"},{"label":"Boss","type":"email","email":"b@example.com"}]}`,
	} {
		if d := mustLead(t, jsonBody, body, tenant.Form{}, ""); d.Email != "kim@example.com" {
			t.Errorf("%s = %q, want kim@example.com", body, d.Email)
		}
	}
}
