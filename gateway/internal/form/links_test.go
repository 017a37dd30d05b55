package form_test

import (
	"fmt"
	"net/url"
	"testing"

	"leadgate/gateway/internal/form"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// wantVerdict fails the test unless what is sent has that verdict, and at most so many points.
func wantVerdict(t *testing.T, contentType, body string, want lead.Verdict, most int) {
	t.Helper()
	f := tenant.Form{}.WithDefaults()
	got, err := form.Show(contentType, []byte(body), f, tenant.Settings{}.WithDefaults().Rules())
	if err != nil || !got.Accepted || got.Verdict != want || got.Points > most {
		t.Errorf("%s: %s, %d points for %v, %v; want %s with at most %d", body, got.Verdict, got.Points, got.Reasons, err,
			want, most)
	}
}

// A field that asks for an address, or for a name that looks like one, is no text that is nothing but a link.
func TestLinkFieldsAreNotSpam(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"referrer", "https://www.google.com/"}, {"http_referer", "https://www.google.com/search?q=a"},
		{"initial_referrer", "https://news.example.net/"}, {"utm_referrer", "https://www.bing.com/"},
		{"previous", "https://www.google.com/"}, {"first_touch", "https://www.google.com/"}, {"ref", "https://t.co/abc"},
		{"source", "https://www.facebook.com/"}, {"landing_page", "https://lp.example.net/a b"},
		{"company", "monday.com"}, {"company", "Amazon.de"}, {"organization", "Booking.com B.V."},
		{"employer", "Salesforce.com Germany GmbH"}, {"interest", "ASP.net"}, {"skills", "ASP.net, Node.js, Vue.js"},
		{"question_3", "monday.com"},
		{"twitter", "https://x.com/kim"}, {"github", "https://github.com/kimlee"}, {"tiktok", "https://tiktok.com/@k"},
		{"video", "https://youtu.be/abc"}, {"photo", "https://cdn.example.net/a.jpg"},
		{"attachment", "https://files.example.net/a.pdf, https://files.example.net/b.pdf"},
		{"resume", "https://drive.google.com/file/d/1/view"}, {"location", "https://maps.app.goo.gl/abc"},
		{"calendar", "https://cal.example.net/k"}, {"profiles", "https://x.com/k\nhttps://github.com/k"},
		{"more_about_me", "see https://profile.example.net/k"},
	} {
		body := url.Values{"name": {"Kim Lee"}, "email": {"kim@example.com"}, pair[0]: {pair[1]}}.Encode()
		wantVerdict(t, urlencoded, body, lead.Clean, 30)
		body = fmt.Sprintf(`{"name":"Kim Lee","email":"kim@example.com",%q:%q}`, pair[0], pair[1])
		wantVerdict(t, jsonBody, body, lead.Clean, 30)
	}
}

// What services send with links of their own is not what a visitor wrote.
func TestLinksOfServicesAreNotSpam(t *testing.T) {
	t.Parallel()
	multi, jotform := parts("formID", "1", "rawRequest", `{"q3_fullName":{"first":"Kim","last":"Lee"},`+
		`"q4_email":"kim@example.com","upload":["https://www.jotform.com/uploads/k/1/2/cv.pdf"]}`)
	wantVerdict(t, multi, string(jotform), lead.Clean, 30)
	for _, body := range []string{
		`{"event_type":"form_response","form_response":{"answers":[{"type":"text","text":"Kim","field":{"id":"1","type":"short_text",
			"ref":"first_name"}},{"type":"email","email":"kim@example.com","field":{"id":"2","type":"email","ref":"email"}},
			{"type":"file_url","file_url":"https://api.typeform.com/forms/f/cv of mine.pdf","field":{"id":"3","type":"file_upload",
			"ref":"your_comments"}}]}}`,
		`{"eventType":"FORM_RESPONSE","data":{"fields":[{"key":"q1","label":"Email","type":"INPUT_EMAIL","value":"kim@example.com"},
			{"key":"q2","label":"Details","type":"FILE_UPLOAD","value":[{"id":"1","name":"cv.pdf","url":"https://files.example.net/cv.pdf",
			"mimeType":"application/pdf","size":1}]}]}}`,
		`{"event":"invitee.created","payload":{"email":"kim@example.com","name":"Kim Lee",
			"uri":"https://api.calendly.com/scheduled_events/1/invitees/2"}}`,
		`{"type":"contact","email":"kim@example.com","name":"Kim Lee","avatar":{"image_url":"https://static.example.net/k.png"}}`,
		`{"email":"kim@example.com","name":"Kim Lee","record":"https://crm.example.net/leads/1"}`,
	} {
		wantVerdict(t, jsonBody, body, lead.Clean, 30)
	}
}

// A message that is nothing but a link is held, however the form calls the message.
func TestLinkInAMessageIsSpam(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"message", "your-message", "comments", "Nachricht", "mensaje", "сообщение",
		"How can we help? Details", "body", "Your question?"} {
		for _, text := range []string{"https://cheap.example.net/offer", "visit cheap.example.net", "cheap.example.net"} {
			body := url.Values{"name": {"Kim Lee"}, "email": {"kim@example.com"}, name: {text}}.Encode()
			wantVerdict(t, urlencoded, body, lead.Held, 200)
		}
	}
	for name, text := range map[string]string{
		"subject": `<a href="https://cheap.example.net">cheap</a>`, "company": "[url=https://cheap.example.net]cheap[/url]"} {
		body := url.Values{"name": {"Kim Lee"}, "email": {"kim@example.com"}, name: {text}}.Encode()
		wantVerdict(t, urlencoded, body, lead.Held, 200)
	}
}
