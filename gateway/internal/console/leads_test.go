package console_test

import (
	"net/url"
	"strings"
	"testing"
)

// wantPage fails the test unless a page has, and has not, these texts.
func (a answer) wantPage(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s = %d, want %d", a.path, a.status, status)
	}
	for _, text := range texts {
		has := strings.Contains(a.text, strings.TrimPrefix(text, "!"))
		if has == strings.HasPrefix(text, "!") {
			t.Errorf("%s: want %q in %.4000s", a.path, text, between(a.text, `<main`, "</main>"))
		}
	}
}

// The list shows what its filters pick, and says what is wrong with them.
func TestLeadsByFilter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustLead(t, `{"email":"ada@example.com","name":"Ada","source":"shop","metadata":{"company":"Acme"}}`)
	b.mustLead(t, `{"email":"grace@example.com","name":"Grace","status":"contacted",
		"metadata":{"company":"Navy","seats":3}}`)
	v := b.mustSignIn(t, b.secret)
	const ada, grace = "ada@example.com", "grace@example.com"
	for query, texts := range map[string][]string{
		"":                                       {ada, grace},
		"q=ad":                                   {ada, "!" + grace},
		"q=nobody%40example.com":                 {"/console/submissions?verdict=all&amp;text=nobody%40example.com\""},
		"status=contacted":                       {grace, "!" + ada},
		"source=shop":                            {ada, "!" + grace},
		"meta=company%3DNavy&meta=seats%3D3":     {grace, "!" + ada, `value="seats=3"`},
		"createdUntil=2020-01-01":                {"No lead is like this", "!" + ada},
		"createdFrom=yesterday":                  {"These filters cannot be used", `value="yesterday"`},
		"status=none":                            {"These filters cannot be used", "!" + ada},
		"deleted=true":                           {"No lead was deleted", "!" + ada},
		"sort=createdAt":                         {ada, grace, "<option value=\"createdAt\" selected>"},
		"cols=name&cols=meta.company":            {">company</th>", ">Acme</span>", ">Navy</span>", "!>Status</th>"},
		"cols=meta.nobody&cols=bogus":            {">nobody</th>", "!>bogus</th>"},
		"q=ada&cols=name":                        {"/console/leads/export?q=ada&amp;format=csv", "!>Email</th>"},
		"cols=email&cols=name&cursor=of-nothing": {"These filters cannot be used"},
	} {
		v.get(t, "/console/leads?"+query).wantPage(t, 200, texts...)
	}
	v.get(t, "/console/leads/export?q=ada&format=csv").wantPage(t, 200, ada, "!"+grace)
	v.get(t, "/console/leads/export?meta=company%3DNavy&format=ndjson").wantPage(t, 200,
		`"email":"grace@example.com"`, "!"+ada)
}

// Pages of a list keep its filters and its columns.
func TestLeadsPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 60 {
		b.mustLead(t, `{"email":"n`+strings.Repeat("x", i)+`@example.com","source":"shop"}`)
	}
	b.mustLead(t, `{"email":"other@example.com"}`)
	v := b.mustSignIn(t, b.secret)
	first := v.get(t, "/console/leads?source=shop&cols=email&cols=source")
	first.wantPage(t, 200, "!other@example.com", "!First page", "Next page")
	next := between(first.text, `id="next-page" href="`, `"`)
	v.get(t, strings.ReplaceAll(next, "&amp;", "&")).wantPage(t, 200, ">n@example.com<", "!other@example.com",
		"First page",
		"!Next page", ">Source</th>", "!>Status</th>")
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// Without a lead the page says how to get one, with the address of this installation.
func TestNoLeads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	v.get(t, "/console/leads").wantPage(t, 200, "curl "+b.url+"/api/v1/leads", "Make a form")
}

// Ticked leads get a status; those that cannot are told.
func TestChangeTickedLeads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := b.mustLead(t, `{"email":"ada@example.com"}`)
	two := b.mustLead(t, `{"email":"grace@example.com"}`)
	three := b.mustLead(t, `{"email":"jean@example.com"}`)
	v := b.mustSignIn(t, b.secret)
	status := func(of string) (l struct{ Status string }) {
		b.call(t, "GET", "/leads/"+of, "", &l)
		return l
	}
	v.post(t, "/console/leads/change?q=example", url.Values{"status": {"contacted"}, "id": {one, two}}).wantPage(t, 200,
		"2 leads were given the status contacted", `value="example"`)
	if status(one).Status != "contacted" || status(two).Status != "contacted" || status(three).Status != "new" {
		t.Errorf("statuses = %s, %s, %s", status(one).Status, status(two).Status, status(three).Status)
	}
	b.call(t, "DELETE", "/leads/"+two, "", nil)
	v.post(t, "/console/leads/change", url.Values{"status": {"new"}, "id": {one, two}}).wantPage(t, 409,
		"1 lead was given the status new. These could not be changed", two)
	v.post(t, "/console/leads/change", url.Values{"status": {"unheard of"}, "id": {one}}).wantPage(t, 409,
		"No lead was given", "<b>ada@example.com</b>: Must be one of")
	v.post(t, "/console/leads/change", url.Values{"status": {"new"}}).wantPage(t, 400, "Tick at least one lead")
	v.post(t, "/console/leads/change", url.Values{"id": {one}}).wantPage(t, 400, "Choose the status")
	many := make([]string, 101)
	for i := range many {
		many[i] = "lead_" + strings.Repeat("x", i)
	}
	v.post(t, "/console/leads/change", url.Values{"status": {"new"}, "id": many}).wantPage(t, 400, "at most 100")
	v.post(t, "/console/leads/change?deleted=true", url.Values{"do": {"restore"}, "id": {two}}).wantPage(t, 200,
		"1 lead was restored")
	if status(two).Status != "contacted" {
		t.Errorf("it was not restored")
	}
}
