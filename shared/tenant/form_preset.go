package tenant

import (
	"maps"
	"slices"
)

// preset is what is known of a tool that sends forms: where it has a lead's fields, and what is of no use.
type preset struct {
	fields map[string][]string
	ignore []string
}

// Presets returns the names of all presets.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// presets are known tools. They say only what cannot be guessed, or would be guessed wrong.
var presets = map[string]preset{
	"contact-form-7": {
		fields: map[string][]string{"email": {"your-email"}, "name": {"your-name"}, "phone": {"your-tel", "your-phone"}},
		ignore: []string{"_wpcf7*", "_wpnonce"},
	},
	"elementor": {
		fields: map[string][]string{
			"email": {"fields[email][value]", "form_fields[email]", "No Label email"},
			"name":  {"fields[name][value]", "form_fields[name]", "No Label name"},
		},
		ignore: []string{"post_id", "queried_id", "referer_title", "Remote IP", "User Agent", "Powered by", "Date", "Time",
			"meta[remote_ip]", "meta[user_agent]", "meta[credit]", "meta[date]", "meta[time]"},
	},
	"erpnext": {
		fields: map[string][]string{"email": {"email_id", "email"}, "name": {"lead_name"}, "phone": {"mobile_no", "phone"}},
		ignore: []string{"doctype", "docstatus", "owner", "modified_by", "naming_series", "cmd"},
	},
	"google-ads": {
		fields: map[string][]string{
			"email":            {"user_column_data[column_id=EMAIL].string_value", "user_column_data[column_id=WORK_EMAIL].string_value"},
			"name":             {"user_column_data[column_id=FULL_NAME].string_value"},
			"firstName":        {"user_column_data[column_id=FIRST_NAME].string_value"},
			"lastName":         {"user_column_data[column_id=LAST_NAME].string_value"},
			"phone":            {"user_column_data[column_id=PHONE_NUMBER].string_value", "user_column_data[column_id=WORK_PHONE].string_value"},
			"metadata.company": {"user_column_data[column_id=COMPANY_NAME].string_value"},
		},
		ignore: []string{"google_key", "api_version"},
	},
	"gravity-forms": {
		fields: map[string][]string{"firstName": {"1.3"}, "lastName": {"1.6"}},
		ignore: []string{"ip", "user_agent", "is_starred", "is_read", "is_approved", "payment_*", "transaction_*", "currency",
			"created_by", "post_id", "is_fulfilled", "date_updated", "source_id"},
	},
	"hubspot": {
		fields: map[string][]string{"email": {"properties.email"}, "firstName": {"properties.firstname"},
			"lastName": {"properties.lastname"}, "phone": {"properties.mobilephone", "properties.phone"}},
		ignore: []string{"hs_context", "context.hutk", "context.ipAddress", "hutk", "portalId", "portal-id", "is-contact",
			"identity-profiles", "merge-audits", "form-submissions", "list-memberships", "profile-token"},
	},
	"jotform": {
		ignore: []string{"pretty", "webhookURL", "username", "type", "action", "customParams", "appID", "unread", "parent",
			"product", "documentID", "teamID", "isSilent", "fromTable", "customTitle", "customBody", "subject", "rawRequest.slug",
			"rawRequest.jsExecutionTracker", "rawRequest.submitSource", "rawRequest.submitDate", "rawRequest.buildDate",
			"rawRequest.uploadServerUrl", "rawRequest.eventObserver", "rawRequest.event_id", "rawRequest.timeToSubmit",
			"rawRequest.validatedNewRequiredFieldIDs", "rawRequest.path", "rawRequest.preview"},
	},
	"mailchimp": {
		fields: map[string][]string{"email": {"EMAIL", "data[email]", "MERGE0"},
			"firstName": {"FNAME", "data[merges][FNAME]", "MERGE1"}, "lastName": {"LNAME", "data[merges][LNAME]", "MERGE2"}, "phone": {"PHONE", "data[merges][PHONE]"}},
		ignore: []string{"u", "id", "f_id", "subscribe", "b_*", "ht", "mc_signupsource", "data[ip_opt]", "data[ip_signup]",
			"data[merges][EMAIL]"},
	},
	"mautic": {
		fields: map[string][]string{"email": {"mauticform[email]"}, "name": {"mauticform[name]"},
			"firstName": {"mauticform[f_name]", "mauticform[firstname]", "mauticform[first_name]"},
			"lastName":  {"mauticform[l_name]", "mauticform[lastname]", "mauticform[last_name]"}, "phone": {"mauticform[phone]"}},
		ignore: []string{"mauticform[return]", "mauticform[messenger]", "mauticform[submit]", "mauticform[formId]"},
	},
	"meta-leadgen": {
		fields: map[string][]string{
			"email":     {"field_data[name=email].values", "field_data[name=work_email].values"},
			"name":      {"field_data[name=full_name].values"},
			"firstName": {"field_data[name=first_name].values"}, "lastName": {"field_data[name=last_name].values"},
			"phone": {"field_data[name=phone_number].values", "field_data[name=work_phone_number].values"},
		},
	},
	"odoo": {
		fields: map[string][]string{"email": {"email_from"}, "name": {"contact_name"}, "phone": {"phone", "mobile"},
			"metadata.company": {"partner_name"}, "metadata.subject": {"name"}, "metadata.message": {"description"}},
		ignore: []string{"csrf_token", "model_name", "website_form_signature"},
	},
	"salesforce-web-to-lead": {
		fields: map[string][]string{"email": {"email"}, "firstName": {"first_name"}, "lastName": {"last_name"},
			"phone": {"phone", "mobile"}},
		ignore: []string{"oid", "retURL", "debug", "debugEmail", "encoding", "captcha_settings", "submit"},
	},
	"shopify": {
		fields: map[string][]string{
			"email":     {"contact[email]", "customer[email]", "email", "contact_email"},
			"name":      {"contact[name]"},
			"firstName": {"contact[first_name]", "customer[first_name]", "first_name"},
			"lastName":  {"contact[last_name]", "customer[last_name]", "last_name"},
			"phone":     {"contact[phone]", "customer[phone]", "phone", "default_address.phone", "billing_address.phone"},
		},
		ignore: []string{"form_type", "utf8", "return_to", "admin_graphql_api_id", "client_details", "browser_ip", "token",
			"cart_token", "checkout_token", "line_items", "addresses", "billing_address", "shipping_address", "default_address",
			"customer", "fulfillments", "refunds", "shipping_lines", "tax_lines", "payment_terms"},
	},
	"squarespace": {
		fields: map[string][]string{"email": {"email", "Email"}, "name": {"name", "Name"}},
		ignore: []string{"formId", "websiteId", "crumb", "objectId", "captchaKey"},
	},
	"suitecrm": {
		fields: map[string][]string{"email": {"webtolead_email1", "email1"}, "firstName": {"first_name"},
			"lastName": {"last_name"}, "phone": {"phone_mobile", "phone_work", "phone_home"}},
		ignore: []string{"moduleDir", "assigned_user_id", "req_id", "redirect_url", "team_id"},
	},
	"tally": {
		fields: map[string][]string{"email": {"data.fields[type=INPUT_EMAIL].value"},
			"phone": {"data.fields[type=INPUT_PHONE_NUMBER].value"}},
		ignore: []string{"eventId", "eventType", "data.respondentId", "data.responseId"},
	},
	"typeform": {
		fields: map[string][]string{"email": {"form_response.answers[type=email].email"},
			"phone": {"form_response.answers[type=phone_number].phone_number"}},
		ignore: []string{"event_id", "event_type", "form_response.token", "form_response.definition", "form_response.ending"},
	},
	"unbounce": {
		fields: map[string][]string{"email": {"data.json.email"}, "name": {"data.json.name"}},
		ignore: []string{"data.xml", "data.json.ip_address", "data.json.page_uuid", "page_id", "data.json.variant"},
	},
	"webflow": {
		fields: map[string][]string{"email": {"payload.data.email"}, "name": {"payload.data.name"}, "metadata.form": {"payload.name"}},
		ignore: []string{"triggerType", "payload.siteId", "payload.schema", "payload.formElementId", "payload.pageId",
			"payload.publishedPath"},
	},
	"wpforms": {
		fields: map[string][]string{"email": {"wpforms[fields][1]"}, "name": {"wpforms[fields][0]"}},
		ignore: []string{"wpforms[id]", "wpforms[author]", "wpforms[post_id]", "wpforms[submit]", "wpforms[token]",
			"wpforms[nonce]", "page_title", "page_id", "action"},
	},
	"wufoo": {
		ignore: []string{"HandshakeKey", "CreatedBy", "FormStructure", "FieldStructure", "IP"},
	},
}
