package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/form"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// A preview tells what a submission would become, and makes nothing.
func TestPreviewForm(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	key := b.mustMakeKey(t, b.secret, `{"name":"page","kind":"publishable","form":{"preset":"typeform","fields":`+
		`{"name":["Who are you?","your_name"],"metadata.company":"q_company"},"ignore":["token","tracking*"]}}`)
	preview := func(mediaType, body string) (p form.Preview) {
		got := b.do(t, b.submission(t, "POST", "/api/v1/keys/"+key.ID+"/preview", mediaType, body,
			"Authorization", "Bearer "+b.secret))
		if got.status != 200 {
			t.Fatalf("preview of %s = %d %s", body, got.status, got.text)
		}
		got.data(t, &p)
		return p
	}
	ann, address := "Ann", "a@example.com"
	want := form.Preview{Accepted: true, Lead: &lead.Preview{Name: &ann, Email: &address, Source: "form",
		Status: "new", Metadata: json.RawMessage(`{"company":"Acme","topic":["x","y"]}`)},
		Fields:  []form.PreviewField{{From: "q_company", To: "metadata.company"}, {From: "your_name", To: "name"}, {From: "mail", To: "email"}},
		Ignored: []string{"_next", "token", "tracking_id"}, Warnings: []lead.Warning{}, Errors: []lead.Warning{},
		Verdict: lead.Clean, Reasons: []lead.Reason{}}
	got := preview(plainForm, "mail=a@example.com&your_name=Ann&q_company=Acme&topic=x&topic=y&_next=/x&token=1&tracking_id=2")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	if got := preview(plainForm, "who=secret"); got.Accepted || got.Lead != nil || len(got.Errors) != 1 ||
		!strings.Contains(got.Errors[0].Message, "The form has who") || strings.Contains(got.Errors[0].Message, "secret") {
		t.Errorf("preview without an email = %+v, want what is missing and the names that came", got)
	}
	if got := preview(plainForm, "email=a@example.com&message=[url=https://pills.example.net/]&_gotcha=https://pills.example.net/"); got.Verdict != lead.Held {
		t.Errorf("preview of a robot = %+v", got)
	}
	if got := preview("application/json", `{"email":`); got.Accepted || len(got.Errors) != 1 || got.Errors[0].Field != "body" {
		t.Errorf("preview of broken JSON = %+v, want an error", got)
	}
	if n := len(b.mustLeads(t, b.owner)); n != 0 {
		t.Errorf("%d leads, want none", n)
	}
	secret := b.mustMakeKey(t, b.secret, `{"name":"api","scopes":["leads:read"]}`)
	b.send(t, b.secret, "POST", "/api/v1/keys/"+secret.ID+"/preview", "{}").wantError(t, "a secret key", 409, "CONFLICT")
}

// The guide says of every preset what to set in the tool.
func TestGuideHasEveryPreset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	page := b.send(t, "", "GET", "/docs/forms", "")
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("GET /docs/forms = %d, headers %v", page.status, page.header)
	}
	for _, preset := range tenant.Presets() {
		if !strings.Contains(page.text, `<h3 id="`+preset+`">`) {
			t.Errorf("/docs/forms says nothing about %s", preset)
		}
	}
}
