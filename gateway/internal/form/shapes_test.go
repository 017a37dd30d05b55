package form_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/form"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// shape is what a tool sends, and the lead that it is.
type shape struct {
	tool, preset string
	contentType  string
	body         string
	name, phone  string
	has          string // members of metadata, as JSON, which it has among others
	lacks        string // names that are not in the metadata, with commas
}

// encoded is a form's fields, name and text in turn.
func encoded(fields ...string) string {
	var pairs []string
	for i := 0; i < len(fields); i += 2 {
		pairs = append(pairs, url.QueryEscape(fields[i])+"="+url.QueryEscape(fields[i+1]))
	}
	return strings.Join(pairs, "&")
}

const email = "kim@example.com"

// builderShapes are what plug-ins and builders of forms send without being told how.
func builderShapes() []shape {
	multi, parted := parts("action", "", "formID", "1", "pretty", "Name:Kim Lee", "rawRequest",
		`{"slug":"submit/1","q3_fullName":{"first":"Kim","last":"Lee"},"q4_emailAddress":"kim@example.com",`+
			`"q5_phoneNumber":{"area":"555","phone":"010-0150"},"q7_howMany":"3"}`)
	return []shape{
		{"Elementor", "elementor", urlencoded, encoded("form_fields[name]", "Kim Lee", "form_fields[email]", email,
			"form_fields[field_1]", "Hello", "post_id", "7"), "Kim Lee", "", `{"field_1":"Hello"}`, ""},
		{"Elementor webhook", "elementor", urlencoded, encoded("No Label name", "Kim Lee", "No Label email", email,
			"No Label tel", "+1-555-0150", "Page URL", "https://www.example.com/?utm_source=ads", "form_name", "New Form"),
			"Kim Lee", "+1-555-0150", `{"form_name":"New Form","utm_source":"ads"}`, ""},
		{"Elementor webhook, advanced", "elementor", urlencoded, encoded("form[id]", "1", "form[name]", "Contact",
			"fields[email][id]", "email", "fields[email][type]", "email", "fields[email][title]", "Mail",
			"fields[email][value]", email, "fields[name][id]", "name", "fields[name][value]", "Kim Lee",
			"fields[f1][id]", "f1", "fields[f1][title]", "Budget", "fields[f1][value]", "5000", "meta[credit][value]", "x"),
			"Kim Lee", "", `{"Budget":"5000","form":{"id":"1","name":"Contact"}}`, "name,Mail"},
		{"Contact Form 7", "contact-form-7", urlencoded, encoded("_wpcf7", "1", "_wpcf7_unit_tag", "x", "your-name", "Kim Lee",
			"your-email", email, "your-subject", "Hi", "your-message", "Hello"), "Kim Lee", "",
			`{"your-subject":"Hi","your-message":"Hello"}`, "_wpcf7"},
		{"Gravity Forms", "gravity-forms", jsonBody, `{"id":"9","form_id":"1","ip":"192.0.2.1","1.2":"","1.3":"Kim","1.6":"Lee",
			"2":"kim@example.com","3":"+1 555 010 0150","5.1":"Main St 1","5.3":"Springfield","5.6":"US","payment_amount":null}`,
			"Kim Lee", "+1 555 010 0150", `{"5.3":"Springfield","form_id":"1"}`, "1.3,1.6,2,3"},
		{"WPForms", "wpforms", urlencoded, encoded("wpforms[fields][0][first]", "Kim", "wpforms[fields][0][last]", "Lee",
			"wpforms[fields][1]", email, "wpforms[fields][2]", "Hello", "wpforms[id]", "5", "wpforms[author]", "1"), "Kim Lee", "",
			`{"2":"Hello"}`, ""},
		{"Webflow", "webflow", jsonBody, `{"triggerType":"form_submission","payload":{"name":"Contact form","siteId":"1",
			"data":{"Full Name":"Kim Lee","Email Address":"kim@example.com","Message":"Hello"},"id":"2",
			"schema":[{"fieldName":"Full Name","fieldType":"FormTextInput"}]}}`, "Kim Lee", "", `{"Message":"Hello"}`, ""},
		{"Typeform", "typeform", jsonBody, `{"event_type":"form_response","form_response":{"form_id":"f","token":"t",
			"hidden":{"utm_source":"ads"},"definition":{"title":"Survey","fields":[{"id":"1","ref":"r1","type":"short_text",
			"title":"What's your first name?"},{"id":"2","ref":"r2","type":"email","title":"Where can we write you?"},
			{"id":"3","ref":"r3","type":"multiple_choice","title":"Which plan?"}]},
			"answers":[{"type":"text","text":"Kim","field":{"id":"1","type":"short_text","ref":"r1"}},
			{"type":"email","email":"kim@example.com","field":{"id":"2","type":"email","ref":"r2"}},
			{"type":"phone_number","phone_number":"+15550150","field":{"id":"4","type":"phone_number","ref":"r4"}},
			{"type":"choice","choice":{"id":"c","label":"Pro"},"field":{"id":"3","type":"multiple_choice","ref":"r3"}}]}}`,
			"Kim", "+15550150", `{"Which plan?":"Pro","utm_source":"ads"}`, "definition"},
		{"Tally", "tally", jsonBody, `{"eventType":"FORM_RESPONSE","data":{"formName":"Contact","fields":[
			{"key":"q1","label":"First name","type":"INPUT_TEXT","value":"Kim"},{"key":"q2","label":null,"type":"INPUT_EMAIL",
			"value":"kim@example.com"},{"key":"q3","label":"Mobile","type":"INPUT_PHONE_NUMBER","value":"+15550150"},
			{"key":"q4","label":"Colours","type":"CHECKBOXES","value":["a","b"],"options":[{"id":"a","text":"Red"},
			{"id":"b","text":"Blue"},{"id":"c","text":"Green"}]},{"key":"q5","label":"Empty","type":"INPUT_TEXT","value":null}]}}`,
			"Kim", "+15550150", `{"Colours":["Red","Blue"],"formName":"Contact"}`, "Empty"},
		{"Jotform", "jotform", multi, string(parted), "Kim Lee", "555 010-0150", `{"q7_howMany":"3"}`, "rawRequest"},
		{"Wufoo", "wufoo", urlencoded, encoded("Field1", "Kim", "Field2", "Lee", "Field3", email, "Field5", "Hello",
			"HandshakeKey", "secret", "FieldStructure", `{"Fields":[{"Title":"Name","Type":"shortname","SubFields":[{"ID":"Field1",
			"Label":"First"},{"ID":"Field2","Label":"Last"}],"ID":"Field1"},{"Title":"Where to?","Type":"email","ID":"Field3"},
			{"Title":"Your message","Type":"textarea","ID":"Field5"}]}`), "Kim Lee", "", `{"Your message":"Hello"}`,
			"HandshakeKey,FieldStructure"},
	}
}

// serviceShapes are what advertising networks, shops, CRMs and automations send, and pages made for them.
func serviceShapes() []shape {
	return []shape{
		{"Google Ads", "google-ads", jsonBody, `{"lead_id":"l1","google_key":"secret","is_test":true,"gcl_id":"g1",
			"campaign_id":2,"user_column_data":[{"column_name":"First Name","string_value":"Kim","column_id":"FIRST_NAME"},
			{"column_name":"Last Name","string_value":"Lee","column_id":"LAST_NAME"},{"column_name":"User Email",
			"string_value":"kim@example.com","column_id":"EMAIL"},{"column_name":"User Phone","string_value":"+15550150",
			"column_id":"PHONE_NUMBER"},{"column_name":"City","string_value":"Springfield","column_id":"CITY"}]}`, "Kim Lee",
			"+15550150", `{"is_test":true,"gclid":"g1","campaign_id":2,"City":"Springfield"}`, "google_key,gcl_id"},
		{"Meta lead", "meta-leadgen", jsonBody, `{"id":"1","created_time":"2026-01-15T10:30:00+0000","ad_id":"2","field_data":[
			{"name":"email","values":["kim@example.com"]},{"name":"full_name","values":["Kim Lee"]},{"name":"phone_number",
			"values":["+15550150"]},{"name":"what_is_your_budget?","values":["5000"]}]}`, "Kim Lee", "+15550150",
			`{"what_is_your_budget?":["5000"],"ad_id":"2"}`, "field_data"},
		{"Shopify", "shopify", urlencoded, encoded("form_type", "contact", "utf8", "✓", "contact[Name]", "Kim Lee",
			"contact[email]", email, "contact[Phone number]", "+1 555 0150", "contact[body]", "Hello"), "Kim Lee", "+1 555 0150",
			`{"body":"Hello"}`, ""},
		{"Shopify customer", "shopify", jsonBody, `{"id":1,"email":"kim@example.com","first_name":"Kim","last_name":"Lee",
			"orders_count":0,"phone":"+15550150","tags":"","addresses":[],"default_address":{"name":"Other","phone":"1"}}`,
			"Kim Lee", "+15550150", `{"orders_count":0}`, ""},
		{"Mautic", "mautic", urlencoded, encoded("mauticform[f_name]", "Kim", "mauticform[last_name]", "Lee",
			"mauticform[email]", email, "mauticform[formId]", "3", "mauticform[return]", "", "mauticform[formName]", "contact"),
			"Kim Lee", "", `{"formName":"contact"}`, ""},
		{"Mautic webhook", "mautic", jsonBody, `{"mautic.lead_post_save_new":[{"lead":{"id":7,"points":0,"fields":{"core":{
			"firstname":{"id":"2","label":"First Name","alias":"firstname","type":"text","value":"Kim"},
			"email":{"id":"6","label":"Email","alias":"email","type":"email","value":"kim@example.com"},
			"city":{"id":"9","label":"City","alias":"city","type":"text","value":null}}}},"timestamp":"2026-01-15T10:30:00+00:00"}]}`,
			"Kim", "", `{"points":0}`, "City"},
		{"SuiteCRM", "suitecrm", urlencoded, encoded("first_name", "Kim", "last_name", "Lee", "webtolead_email1", email,
			"phone_work", "+1 555 0151", "phone_mobile", "+1 555 0150", "campaign_id", "c1", "moduleDir", "Leads"), "Kim Lee",
			"+1 555 0150", `{"campaign_id":"c1","phone_work":"+1 555 0151"}`, ""},
		{"Salesforce", "salesforce-web-to-lead", urlencoded, encoded("oid", "00D", "retURL", "https://www.example.com/",
			"first_name", "Kim", "last_name", "Lee", "email", email, "company", "Acme", "debugEmail", "dev@example.com"),
			"Kim Lee", "", `{"company":"Acme"}`, ""},
		{"Odoo", "odoo", urlencoded, encoded("contact_name", "Kim Lee", "email_from", email, "phone", "+1 555 0150",
			"partner_name", "Acme", "name", "A question", "description", "Hello"), "Kim Lee", "+1 555 0150", `{}`, ""},
		{"ERPNext", "erpnext", urlencoded, encoded("lead_name", "Kim Lee", "email_id", email, "mobile_no", "+1 555 0150",
			"company_name", "Acme"), "Kim Lee", "+1 555 0150", `{"company_name":"Acme"}`, ""},
		{"HubSpot form", "hubspot", urlencoded, encoded("firstname", "Kim", "lastname", "Lee", "email", email, "mobilephone",
			"+1 555 0150", "hs_context", `{"pageUri":"https://www.example.com","ipAddress":"192.0.2.1"}`), "Kim Lee",
			"+1 555 0150", `{}`, ""},
		{"HubSpot contact", "hubspot", jsonBody, `{"vid":7,"portal-id":1,"properties":{"email":{"value":"kim@example.com",
			"versions":[]},"firstname":{"value":"Kim"},"lastname":{"value":"Lee"},"company":{"value":"Acme"}}}`, "Kim Lee", "",
			`{"vid":7,"company":{"value":"Acme"}}`, ""},
		{"HubSpot submission", "hubspot", jsonBody, `{"submittedAt":1,"fields":[{"objectTypeId":"0-1","name":"email",
			"value":"kim@example.com"},{"objectTypeId":"0-1","name":"firstname","value":"Kim"}],
			"context":{"pageUri":"https://www.example.com/","pageName":"Home"}}`, "Kim", "", `{"submittedAt":1}`, ""},
		{"Mailchimp form", "mailchimp", urlencoded, encoded("EMAIL", email, "FNAME", "Kim", "LNAME", "Lee", "b_0_1", "",
			"subscribe", "Subscribe", "MMERGE6", "Red"), "Kim Lee", "", `{"MMERGE6":"Red"}`, "b_0_1"},
		{"Mailchimp webhook", "mailchimp", urlencoded, encoded("type", "subscribe", "data[email]", email, "data[merges][EMAIL]",
			email, "data[merges][FNAME]", "Kim", "data[merges][LNAME]", "Lee", "data[list_id]", "l1"), "Kim Lee", "",
			`{"list_id":"l1","type":"subscribe"}`, ""},
		{"Unbounce", "unbounce", urlencoded, encoded("page_id", "1", "page_url", "https://www.example.com/lp?gclid=g1", "data.json",
			`{"first_name":["Kim"],"last_name":["Lee"],"email":["kim@example.com"],"time_submitted":["10:30 AM UTC"]}`,
			"data.xml", "<form/>"), "Kim Lee", "", `{"gclid":"g1"}`, ""},
		{"Squarespace", "squarespace", jsonBody, `{"formName":"Contact","data":{"Name":{"First Name":"Kim","Last Name":"Lee"},
			"Email":"kim@example.com","Message":"Hello"}}`, "Kim Lee", "", `{"Message":"Hello","formName":"Contact"}`, ""},
		{"Zapier", "", jsonBody, `{"email":"kim@example.com","name":"Kim Lee","phone":"","company":"","utm_source":"ads"}`, "Kim Lee",
			"", `{"utm_source":"ads"}`, "company"},
		{"Make", "", jsonBody, `{"lead":{"emailAddress":"kim@example.com","fullName":"Kim Lee","phones":[{"type":"mobile",
			"value":"+15550150"}]},"scenario":"s"}`, "Kim Lee", "+15550150", `{"scenario":"s"}`, ""},
		{"n8n", "", jsonBody, `[{"json":{"Email":"kim@example.com","First Name":"Kim","Last Name":"Lee"},"pairedItem":{"item":0}}]`,
			"Kim Lee", "", `{"pairedItem":{"item":0}}`, ""},
		{"jQuery serializeArray", "", jsonBody, `[{"name":"email","value":"kim@example.com"},{"name":"name","value":"Kim Lee"},
			{"name":"note","value":"Hello"}]`, "Kim Lee", "", `{"note":"Hello"}`, ""},
		{"Rails", "", urlencoded, encoded("utf8", "✓", "authenticity_token", "t", "lead[first_name]", "Kim", "lead[last_name]",
			"Lee", "lead[email]", email, "lead[tags][]", "a", "lead[tags][]", "b", "commit", "Send"), "Kim Lee", "",
			`{"tags":["a","b"]}`, ""},
		{"Cognito Forms", "", jsonBody, `{"Form":{"Id":"1","Name":"Contact","InternalName":"Contact"},"Name":{"First":"Kim","Last":"Lee",
			"FirstAndLast":"Kim Lee"},"Email":"kim@example.com","Phone":"555-0150","Entry":{"Number":1}}`, "Kim Lee", "555-0150",
			`{"Form":{"Id":"1","Name":"Contact","InternalName":"Contact"}}`, ""},
		{"Botpress", "", jsonBody, `{"event":{"name":"Lead found","payload":{"fullName":"Kim Lee","emailAddress":"kim@example.com",
			"phoneNumber":"+15550150","topic":"chairs"}}}`, "Kim Lee", "+15550150", `{"topic":"chairs"}`, ""},
		{"company that is told of", "", jsonBody, `{"company":{"name":"Acme","email":"kim@example.com","phone":"+15550150"}}`, "", "",
			`{"company.name":"Acme","company.phone":"+15550150"}`, ""},
		{"systeme.io", "", jsonBody, `{"data":{"contact":{"email":"kim@example.com","fields":[{"slug":"first_name","value":"Kim"},
			{"slug":"surname","value":"Lee"},{"slug":"phone_number","value":"+15550150"}]}}}`, "Kim Lee", "+15550150", `{}`, ""},
		{"Notion", "", jsonBody, `{"data":{"properties":{"Name":{"type":"title","title":[{"plain_text":"Kim Lee"}]},
			"Phone":{"type":"phone_number","phone_number":"+15550150"},"E-mail address":"kim@example.com"}}}`, "Kim Lee", "+15550150",
			`{}`, ""},
		{"German page", "", urlencoded, encoded("Vorname", "Kim", "Name", "Lee", "E-Mail-Adresse", email, "Telefonnummer",
			"+49 30 555", "Nachricht", "Hallo"), "Kim Lee", "+49 30 555", `{"Nachricht":"Hallo"}`, ""},
		{"Turkish page", "", urlencoded, encoded("ad", "Kim", "soyad", "Lee", "eposta", email), "Kim Lee", "", `{}`, ""},
		{"Japanese page", "", urlencoded, encoded("姓", "Lee", "名", "Kim", "メールアドレス", email, "電話番号", "+81 3 555"), "Kim Lee",
			"+81 3 555", `{}`, ""},
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, tc := range append(builderShapes(), serviceShapes()...) {
		for _, preset := range []string{"", tc.preset} {
			t.Run(tc.tool+" "+preset, func(t *testing.T) {
				f := tenant.Form{Preset: preset}.WithDefaults()
				if wrong := f.Check(); wrong != nil {
					t.Fatalf("Check() = %+v", wrong)
				}
				s, err := form.Read(tc.contentType, []byte(tc.body), f)
				if err != nil {
					t.Fatalf("Read() = %+v", fault.From(err).Fields())
				}
				d, err := s.Lead(f, tenant.Settings{}.WithDefaults().Rules(), "", false)
				if err != nil {
					t.Fatalf("Lead() = %+v", fault.From(err).Fields())
				}
				if d.Email != email || d.Name != tc.name || d.Phone != tc.phone {
					t.Errorf("%s %s = %q, %q, %q, metadata %s; want %q, %q", tc.tool, preset, d.Name, d.Email, d.Phone, d.Metadata,
						tc.name, tc.phone)
				}
				var got, want map[string]any
				if json.Unmarshal(d.Metadata, &got) != nil || json.Unmarshal([]byte(tc.has), &want) != nil {
					t.Fatalf("metadata = %s, want %s", d.Metadata, tc.has)
				}
				for name, value := range want {
					if diff := cmp.Diff(value, got[name]); diff != "" && !(preset != "" && got[name] == nil) {
						t.Errorf("%s %s: metadata.%s (-want +got):\n%sof %s", tc.tool, preset, name, diff, d.Metadata)
					}
				}
				for name := range strings.SplitSeq(tc.lacks, ",") {
					if _, has := got[name]; has {
						t.Errorf("%s %s: metadata = %s, want no %s", tc.tool, preset, d.Metadata, name)
					}
				}
				if strings.Contains(string(d.Metadata), "secret") || strings.Contains(string(d.Metadata), email) && tc.tool != "Jotform" {
					t.Errorf("%s %s: metadata = %s, want nothing of the email or a secret in it", tc.tool, preset, d.Metadata)
				}
			})
		}
	}
}

func TestEveryPresetHasAShape(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, s := range append(builderShapes(), serviceShapes()...) {
		shown[s.preset] = true
	}
	for _, preset := range tenant.Presets() {
		if !shown[preset] {
			t.Errorf("no shape of %s is tested", preset)
		}
	}
}
