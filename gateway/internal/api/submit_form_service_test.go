package api_test

import (
	"fmt"
	"testing"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// A service sends all its leads from one address, is no browser and shows no page: with the settings that the guide
// names, none of that is held against the people who filled its forms in.
func TestServicesAreBelieved(t *testing.T) {
	t.Parallel()
	first := []string{"Kim", "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Radia"}
	last := []string{"Lee", "Byron", "Hopper", "Mathison", "Jansen", "Liskov", "Miller", "Allen", "Backus", "Perlman"}
	about := []string{"I would like an offer for two machines.", "When can somebody call me back?", "Do you ship to Norway?",
		"Please send me the brochure.", "We need help with our old installation.", ""}
	for agent, body := range map[string]string{
		"Typeform Webhooks": `{"event_type":"form_response","form_response":{"form_id":"f","answers":[
			{"type":"text","text":"%[2]s","field":{"id":"1","type":"short_text","ref":"first_name"}},
			{"type":"email","email":"%[1]s","field":{"id":"2","type":"email","ref":"email"}},
			{"type":"text","text":"%[4]s","field":{"id":"3","type":"long_text","ref":"message"}}]}}`,
		"": `{"lead_id":"l%[1]s","google_key":"secret","campaign_id":2,"user_column_data":[
			{"column_name":"Full Name","string_value":"%[2]s %[3]s","column_id":"FULL_NAME"},
			{"column_name":"User Email","string_value":"%[1]s","column_id":"EMAIL"}]}`,
		"WordPress/6.8; https://www.example.com": `{"form_id":"1","1.3":"%[2]s","1.6":"%[3]s","2":"%[1]s","4":"%[4]s"}`,
		"Zapier":                                 `{"name":"%[2]s %[3]s","email":"%[1]s","phone":"+1-555-0100","message":"%[4]s"}`,
	} {
		t.Run(agent, func(t *testing.T) {
			t.Parallel()
			b := setupForms(t)
			c := b.mustWorkspace(t, tenant.Settings{})
			path := b.mustForm(t, c, tenant.Form{Origins: []string{"*"}, PerMinuteIP: 600})
			for i := range 100 {
				given, family := first[i%10], last[i/10]
				text := fmt.Sprintf(body, fmt.Sprintf("%s.%s@example.com", given, family), given, family, about[i%len(about)])
				if got := b.fetch(t, path, text, "Origin", "", "User-Agent", agent); got.text != received {
					t.Fatalf("submission = %d %s, want it taken", got.status, got.text)
				}
			}
			all := b.mustSubmissions(t, c)
			for _, s := range all {
				if s.Verdict != lead.Clean || s.Outcome != lead.OutcomeNew {
					t.Fatalf("%s is %s, %s because of %+v; want a person's", s.Email, s.Outcome, s.Verdict, s.Reasons)
				}
			}
			if len(all) != 100 {
				t.Errorf("%d submissions, want 100", len(all))
			}
		})
	}
}
