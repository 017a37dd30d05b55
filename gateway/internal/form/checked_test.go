package form_test

import (
	"slices"
	"testing"

	"leadgate/gateway/internal/form"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// What a service says of a form and its questions is not what a visitor wrote.
func TestWhatServicesSendIsClean(t *testing.T) {
	t.Parallel()
	f := tenant.Form{}.WithDefaults()
	more := []shape{
		{tool: "Calendly", contentType: jsonBody, body: `{"event":"invitee.created","payload":{"email":"kim@example.com","name":"Kim Lee",
			"questions_and_answers":[{"answer":"A demo","position":0,"question":"What would you like to talk about?"}],
			"scheduled_event":{"name":"30 minute call","event_memberships":[{"user_email":"host@example.com","user_name":"Host Name"}]}}}`},
		{tool: "Netlify", contentType: jsonBody, body: `{"email":"kim@example.com","name":"Kim Lee","summary":"Hi","body":"Hi there",
			"data":{"name":"Kim Lee","email":"kim@example.com","message":"Hi there"},"human_fields":{"Name":"Kim Lee",
			"Email":"kim@example.com","Message":"Hi there"},"form_name":"contact"}`},
		{tool: "Wix", contentType: jsonBody, body: `{"data":{"formName":"Contact","submissions":[{"label":"First name","value":"Kim"},
			{"label":"Last name","value":"Lee"},{"label":"Email","value":"kim@example.com"},{"label":"Message","value":"Hello"}],
			"contact":{"name":{"first":"Kim","last":"Lee"},"email":"kim@example.com"}}}`},
	}
	for _, tc := range slices.Concat(builderShapes(), serviceShapes(), more) {
		got, err := form.Show(tc.contentType, []byte(tc.body), f, tenant.Settings{}.WithDefaults().Rules())
		if err != nil || got.Verdict != lead.Clean {
			t.Errorf("%s: %s, %d points for %v, %v; want clean", tc.tool, got.Verdict, got.Points, got.Reasons, err)
		}
	}
}

// A page may put its fields into objects as it likes: what is long or has a link is judged wherever it is.
func TestMassMailIsJudgedInEachObject(t *testing.T) {
	t.Parallel()
	f := tenant.Form{}.WithDefaults()
	const pitch = "Dear owner, we offer cheap search engine optimization and will bring your site to page one of Google " +
		"within 30 days, guaranteed. Reply for our price list and a free audit: https://seo.example.net/offer"
	for _, body := range []string{
		`{"email":"kim@example.com","name":"Kim Lee","message":"` + pitch + `"}`,
		`{"lead":{"email":"kim@example.com","name":"Kim Lee"},"message":"` + pitch + `"}`,
		`{"email":"kim@example.com","name":"Kim Lee","data":{"more":{"text":"` + pitch + `"}}}`,
		`{"fields":[{"label":"Email","value":"kim@example.com"},{"label":"Message","value":"` + pitch + `"}]}`,
	} {
		got, err := form.Show(jsonBody, []byte(body), f, tenant.Settings{}.WithDefaults().Rules())
		if err != nil || got.Verdict != lead.Held {
			t.Errorf("%s: %s, %d points for %v, %v; want held", body, got.Verdict, got.Points, got.Reasons, err)
		}
	}
}
