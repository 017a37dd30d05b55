package form_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/tenant"
)

// Who sent a form is told apart from the others whose addresses are in it.
func TestTheVisitorAmongOthers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ tool, body, name, phone, metadata string }{
		{"organizer of a booking", `{"booking":{"organizer":{"name":"Pat Ray","email":"pat@example.com"},
			"attendees":[{"name":"Kim Lee","email":"kim@example.com"}]}}`, "Kim Lee", "",
			`{"organizer":{"name":"Pat Ray","email":"pat@example.com"}}`},
		{"a thing that has no known name", `{"kennel":{"name":"Dogs","email":"dogs@example.com","phone":"+15550199"},
			"customer":{"name":"Kim Lee","email":"kim@example.com"}}`, "Kim Lee", "",
			`{"kennel":{"name":"Dogs","email":"dogs@example.com","phone":"+15550199"}}`},
		{"whom a lead is assigned to", `{"assigned_to":{"email":"pat@example.com","name":"Pat"},
			"details":{"email":"kim@example.com","name":"Kim Lee"}}`, "Kim Lee", "",
			`{"assigned_to":{"email":"pat@example.com","name":"Pat"}}`},
		{"a user beside the person", `{"first_name":"Kim","email":"kim@example.com","user":{"firstName":"Pat","lastName":"Ray",
			"email":"pat@example.com","phone":"+15550199"}}`, "Kim", "",
			`{"user":{"firstName":"Pat","lastName":"Ray","email":"pat@example.com","phone":"+15550199"}}`},
		{"a second applicant", `{"applicant":{"firstName":"Kim","email":"kim@example.com"},
			"coApplicant":{"firstName":"Pat","lastName":"Ray","email":"pat@example.com"}}`, "Kim", "",
			`{"coApplicant":{"firstName":"Pat","lastName":"Ray","email":"pat@example.com"}}`},
		{"the first of several people", `{"attendees":[{"name":"Kim Lee","email":"kim@example.com"},
			{"name":"Pat Ray","email":"pat@example.com"}]}`, "Kim Lee", "", `{"1":{"name":"Pat Ray","email":"pat@example.com"}}`},
		{"addresses whose names tell whose they are", `{"notification_email":"ops@example.com","recipient":"pat@example.com",
			"from":"kim@example.com","full_name":"Kim Lee"}`, "Kim Lee", "",
			`{"notification_email":"ops@example.com","recipient":"pat@example.com"}`},
		{"a name that says whose it is, in another place", `{"customer_name":"Kim Lee","customer_phone":"+15550150",
			"form_data":{"email":"kim@example.com"}}`, "Kim Lee", "+15550150", `{}`},
		{"a name among fields", `{"email":"kim@example.com","fields":{"name":"Kim","last_name":"Lee"}}`, "Kim Lee", "", `{}`},
		{"fields in what is called after the form", `{"contact_form":{"name":"Kim Lee","email":"kim@example.com","note":"Hello"}}`,
			"Kim Lee", "", `{"note":"Hello"}`},
		{"only a company's address", `{"company":{"name":"Acme","email":"kim@example.com"}}`, "", "", `{"company.name":"Acme"}`},
		{"lists of attributes", `{"lead":[{"Attribute":"EmailAddress","Value":"kim@example.com"},{"Attribute":"FirstName",
			"Value":"Kim"}]}`, "Kim", "", `{}`},
		{"an email whose question tells whose it is", `{"fields":[{"label":"Manager's email","type":"email",
			"value":"pat@example.com"},{"label":"Where can we reach you?","type":"email","value":"kim@example.com"}]}`, "", "",
			`{"Manager's email":"pat@example.com"}`},
		{"an answer that is a person", `{"answers":[{"type":"contact_info","field":{"id":"a"},"contact_info":{"first_name":"Kim",
			"last_name":"Lee","email":"kim@example.com","phone_number":"+15550150"}}]}`, "Kim Lee", "+15550150", ``},
		{"values beside an id", `{"result":{"id":"r1","values":{"email":"kim@example.com","name":"Kim Lee"}}}`, "Kim Lee", "",
			`{"id":"r1"}`},
		{"texts of questions", `{"responses":[{"question_text":"Your email?","response_text":"kim@example.com"},
			{"question_text":"Your name?","response_text":"Kim Lee"}]}`, "Kim Lee", "", `{}`},
		{"encoded fields in a text", `{"action":"send","form_data":"name=Kim+Lee&email=kim%40example.com&note=a"}`, "Kim Lee", "",
			`{"action":"send","note":"a"}`},
		{"labels of fields", `{"data":[{"field_label":"Name","field_value":"Kim Lee","field_key":"f-0"},{"field_label":"Email",
			"field_value":"kim@example.com","field_key":"f-1"}]}`, "Kim Lee", "", `{}`},
	} {
		t.Run(tc.tool, func(t *testing.T) {
			d := mustLead(t, jsonBody, tc.body, tenant.Form{}, "")
			if d.Email != email || d.Name != tc.name || d.Phone != tc.phone {
				t.Errorf("the lead is %q, %q, %q; want %q, %q, %q", d.Name, d.Email, d.Phone, tc.name, email, tc.phone)
			}
			if tc.metadata == "" {
				return
			}
			var got, want any
			if json.Unmarshal(d.Metadata, &got) != nil || json.Unmarshal([]byte(tc.metadata), &want) != nil {
				t.Fatalf("metadata = %s, want %s", d.Metadata, tc.metadata)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

// Frameworks put where a field is into its name.
func TestNamesWithAPlace(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"ctl00$Main$txt", "ctl00$ContentPlaceHolder1$FormView1$txt", "form:",
		"j_idt12:contactForm:", "data__", "form__", "contact__", "form-data:"} {
		d := mustLead(t, urlencoded, encoded(place+"Name", "Kim Lee", place+"Email", email, place+"Phone", "+1-555-0150"),
			tenant.Form{}, "")
		if d.Name != "Kim Lee" || d.Email != email || d.Phone != "+1-555-0150" {
			t.Errorf("fields of %s: %q, %q, %q, want all three", place, d.Name, d.Email, d.Phone)
		}
	}
	for _, name := range []string{"company__name", "company:name", "ctl00$Product$name", "plan__name", "event__name",
		"Company: name"} {
		if d := mustLead(t, urlencoded, encoded("email", email, name, "Acme"), tenant.Form{}, ""); d.Name != "" {
			t.Errorf("%s = %q as the person's name, want none", name, d.Name)
		}
	}
}
