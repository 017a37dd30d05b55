package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/console"
	"leadgate/shared/tenant"
)

// shownLead is what the tests look at of a lead.
type shownLead struct {
	Name, Email, Phone, Status string
	Metadata                   map[string]any
}

func (b *bundle) lead(t *testing.T, id string) (l shownLead) {
	t.Helper()
	b.call(t, "GET", "/leads/"+id, "", &l)
	return l
}

// An edit changes what was entered, keeps what was not, and keeps the kinds of values of metadata.
func TestEditLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.mustLead(t, `{"email":"ada@example.com","name":"Ada","metadata":{"company":"Acme","seats":3,"vip":true,
		"tags":["a"],"size":{"x":1,"y":{"z":2,"w":3}},"note":"two\nlines","gone":"x","old":"y"}}`)
	v := b.mustSignIn(t, b.secret)
	page := v.get(t, "/console/leads/"+made)
	page.wantPage(t, 200, "Ada", "Acme", `value="Ada"`)
	form := url.Values{"version": {version(page)}, "name": {"Ada Lovelace"}, "email": {"ada@example.com"}, "phone": {""},
		"status": {"contacted"}}
	for _, row := range [][3]string{{"company", "company", "Acme & Sons"}, {"seats", "seats", "4"}, {"vip", "vip", "true"},
		{"tags", "tags", `["a", "b"]`}, {"size", "size", `{"x": 2, "y": {"z": 2}}`}, {"note", "note", "two\r\nlines"},
		{"gone", "gone", ""}, {"old", "new", "y"}, {"", "added", "007"}, {"", "", ""}} {
		form.Add("metaWas", row[0])
		form.Add("metaKey", row[1])
		form.Add("metaValue", row[2])
	}
	v.post(t, "/console/leads/"+made, form).wantPage(t, 200, "The lead was changed", "Ada Lovelace")
	want := shownLead{"Ada Lovelace", "ada@example.com", "", "contacted", map[string]any{
		"company": "Acme & Sons", "seats": 4.0, "vip": true, "tags": []any{"a", "b"},
		"size": map[string]any{"x": 2.0, "y": map[string]any{"z": 2.0}},
		"note": "two\nlines", "new": "y", "added": "007"}}
	if diff := cmp.Diff(want, b.lead(t, made)); diff != "" {
		t.Errorf("lead (-want +got):\n%s", diff)
	}
}

func version(page answer) string {
	return strings.ReplaceAll(between(page.text, `name="version" value="`, `">`), "&#34;", `"`)
}

// What was refused is said, and what was entered is still in the form.
func TestEditLeadIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustLead(t, `{"email":"grace@example.com"}`)
	made := b.mustLead(t, `{"email":"ada@example.com","name":"Ada","metadata":{"seats":3}}`)
	v := b.mustSignIn(t, b.secret)
	now := version(v.get(t, "/console/leads/"+made))
	edit := func(of, email, seats string) answer {
		return v.post(t, "/console/leads/"+made, url.Values{"version": {of}, "name": {"Ada L."}, "email": {email},
			"status": {"new"}, "metaWas": {"seats"}, "metaKey": {"seats"}, "metaValue": {seats}})
	}
	edit(now, "nobody", "3").wantPage(t, 400, "<b>email</b>", `value="nobody"`, `value="Ada L."`)
	edit(now, "grace@example.com", "3").wantPage(t, 409, `value="grace@example.com"`)
	edit(now, "ada@example.com", "many").wantPage(t, 400, "metadata.seats", "Must be JSON", "\nmany</textarea>")
	b.call(t, "PATCH", "/leads/"+made, `{"name":"Somebody else's"}`, nil)
	refused := edit(now, "ada@example.com", "4")
	refused.wantPage(t, 412, "Somebody else changed this lead", "<dd>Somebody else&#39;s</dd>", `value="Ada L."`)
	if got := b.lead(t, made).Name; got != "Somebody else's" {
		t.Errorf("name = %q: the other's change is lost", got)
	}
	edit(version(refused), "ada@example.com", "4").wantPage(t, 200, "The lead was changed")
	if got := b.lead(t, made); got.Name != "Ada L." || got.Metadata["seats"] != 4.0 {
		t.Errorf("after saving again it is %v", got)
	}
}

// A lead is deleted and comes back.
func TestDeleteAndRestoreLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.mustLead(t, `{"email":"ada@example.com"}`)
	v := b.mustSignIn(t, b.secret)
	v.post(t, "/console/leads/"+made+"/delete", nil).wantPage(t, 200, "The lead was deleted", "ada@example.com", "Restore")
	deleted := v.get(t, "/console/leads/"+made)
	deleted.wantPage(t, 200, "This lead was deleted", "goes for good", "ada@example.com", "Webhooks could have been told",
		"!Save")
	gone, err := time.Parse(time.RFC3339, between(deleted.text, `goes for good <time datetime="`, `"`))
	if left := time.Until(gone); err != nil || left < 29*24*time.Hour || left > 30*24*time.Hour {
		t.Errorf("it goes for good in %v, %v, want 30 days", left, err)
	}
	few := b.mustSignIn(t, b.mustKey(t, b.workspace, tenant.LeadsRead))
	few.get(t, "/console/leads/"+made).wantPage(t, 200, "This lead was deleted", "!Restore")
	other := b.mustLead(t, `{"email":"ada@example.com"}`)
	v.post(t, "/console/leads/"+made+"/restore", nil).wantPage(t, 409, "This lead was deleted", "already")
	b.call(t, "DELETE", "/leads/"+other, "", nil)
	v.post(t, "/console/leads/"+made+"/restore", nil).wantPage(t, 200, "The lead is back", "ada@example.com")
}

// Only what was typed is erased, and the receipt is shown.
func TestEraseLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	for _, typed := range []string{"", "ADA@example.com "} {
		made := b.mustLead(t, `{"email":"ada@example.com"}`)
		path := "/console/leads/" + made + "/erase"
		v.get(t, path).wantPage(t, 200, "ada@example.com", "Nothing of it comes back")
		v.post(t, path, url.Values{"confirm": {"yes"}}).wantPage(t, 400, "Must be the email or the id of this lead")
		v.post(t, path, url.Values{"confirm": {""}}).wantPage(t, 400)
		b.lead(t, made)
		form := url.Values{"confirm": {typed}}
		if typed == "" {
			form.Set("confirm", made)
		} else {
			form.Set("suppress", "true")
		}
		got := v.post(t, path, form)
		got.wantPage(t, 200, "The lead is erased for good", made, "Receipt")
		if suppressed := strings.Contains(got.text, "No, it is suppressed"); suppressed != (typed != "") {
			t.Errorf("suppressed = %v of %q", suppressed, typed)
		}
		v.get(t, "/console/leads/"+made).wantPage(t, 404)
	}
}

// The timeline has each delivery with its attempts, what the endpoint answered, and a button that sends it again.
func TestLeadTimeline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, "POST", "/webhooks", `{"url":"https://hooks.example.com/x","eventTypes":["lead.created"]}`, nil)
	made := b.mustLead(t, `{"email":"ada@example.com","metadata":{"utm_source":"news"}}`)
	v := b.mustSignIn(t, b.secret)
	page := v.get(t, "/console/leads/"+made)
	page.wantPage(t, 200, "Webhooks are told of the new lead", "hooks.example.com", "On its way to")
	page.wantPage(t, 200, "!(we_", "!/api/v1/")
	delivery := between(page.text, "/console/deliveries/", `"`)
	v.get(t, "/console/deliveries/"+delivery).wantPage(t, 200, "It was not tried yet")
}

// Above the timeline, what has not arrived leads to its webhook, for whoever may see it; beyond three webhooks they are
// counted.
func TestLeadTellsWhichWebhooksWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hooks := make([]string, 5)
	for i := range hooks {
		hooks[i] = b.mustEndpoint(t, `,"eventTypes":["lead.created"]`)
	}
	page := "/console/leads/" + b.mustLead(t, `{"email":"ada@example.com"}`)
	got := b.mustSignIn(t, b.secret).get(t, page)
	got.wantPage(t, 200, "0 of 5 webhooks about it arrived", "2 more webhooks have not got all of it")
	linked := 0
	for _, hook := range hooks {
		linked += strings.Count(got.text, `href="/console/endpoints/`+hook+`">See the webhook</a>`)
	}
	if linked != 3 {
		t.Errorf("links to webhooks = %d, want those of three", linked)
	}
	few := b.mustSignIn(t, b.mustKey(t, b.workspace, tenant.LeadsRead))
	few.get(t, page).wantPage(t, 200, "2 more webhooks have not got all of it", "!/console/endpoints/")
}

// What was found out is said in sentences; where there is nothing, nothing is said.
func TestEnrichmentInWords(t *testing.T) {
	t.Parallel()
	for enrichment, want := range map[string][]string{
		``: nil, `null`: nil, `{"providers":{}}`: nil,
		`{"email":{"domain":"acme.example","companyDomain":"acme.example","roleAccount":true},
			"phone":{"valid":true,"e164":"+15550100199","country":"US"}}`: {
			"Writes from acme.example, which is an organisation's own.",
			"The address is that of a job, such as info@, and not of one person.",
			"The phone can be called: +15550100199 (US)."},
		`{"email":{"domain":"gmial.example","freeMail":true,"disposable":true,"suggestion":"gmail.example"},"phone":{},
			"attribution":{"utm":{"source":"news"},"clickIds":{"gclid":"x"},"landingPage":"shop.example/a"}}`: {
			"Writes from gmial.example, where anybody gets an address.",
			"gmial.example gives away addresses that last for an hour or a day.",
			"Probably mistyped: gmail.example may have been meant.",
			"The phone may be wrong, or lacks its country (+ and a code).",
			"Landing page: shop.example/a", "Campaign source: news", "Google click: x"},
	} {
		known, origin := console.Known(enrichment)
		if diff := cmp.Diff(want, append(known, origin...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", enrichment, diff)
		}
	}
}
