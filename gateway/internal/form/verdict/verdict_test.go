package verdict_test

import (
	"testing"
	"time"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

const browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"

// person returns what a person sends.
func person() *verdict.Input {
	return &verdict.Input{
		Workspace: id.UUID{1}, Form: id.UUID{2}, Now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC),
		Fields: []verdict.Field{
			{Name: "name", Text: "Ada Byron", Role: verdict.Name},
			{Name: "email", Text: "ada@example.com", Role: verdict.Email},
			{Name: "phone", Text: "+1 555 010 0199", Role: verdict.Phone},
			{Name: "message", Text: "Do you have a room for four people on Friday? We would come at eight.", Role: verdict.Message},
		},
		ElapsedMS: 24_000, Address: []byte("0123456789abcdef"), UserAgent: browser, Page: "https://shop.example/contact",
		SuspectAt: tenant.DefaultSuspectAt, HoldAt: tenant.DefaultHoldAt,
	}
}

// points returns what a check gave.
func points(r verdict.Result, check string) int {
	for _, reason := range r.Reasons {
		if reason.Check == check {
			return reason.Points
		}
	}
	return 0
}

func TestHoneypotOfAPersonIsAutofill(t *testing.T) {
	t.Parallel()
	for trap, want := range map[string]lead.Verdict{
		"":                                   lead.Clean,
		"ada@example.com":                    lead.Clean,
		"Ada":                                lead.Clean,
		"15550100199":                        lead.Clean,
		"Byron & Sons Ltd":                   lead.Clean,
		"12 Harbour Street":                  lead.Clean,
		"ada.byron@example.net":              lead.Clean,
		"https://example.com":                lead.Clean,
		"https://cheap.example":              lead.Suspect,
		"buy now at cheap.example":           lead.Held,
		"<a href=http://cheap.example>x</a>": lead.Held,
		"Dear owner of the page, we can help you to sell more of what you have to more of those who want": lead.Held,
	} {
		in := person()
		in.Honeypot = trap
		if got := verdict.New().Check(in); got.Verdict != want {
			t.Errorf("honeypot %q: %+v, want %s", trap, got, want)
		}
		if in.ElapsedMS = 200; trap != "" && verdict.New().Check(in).Verdict != lead.Held {
			t.Errorf("honeypot %q after 200 ms is not held", trap)
		}
	}
}
