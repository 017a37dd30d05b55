package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leadgate/shared/tenant"
	"leadgate/shared/testbrowser"
)

// A visitor reads pages in their language, a script gets a text for its visitor, and what programs read stays as it is.
func TestFormsSpeakToVisitors(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	fixed := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, Lang: "fr", ThanksText: "À bientôt !"})
	visitor := func(got answer) (v struct {
		Visitor struct{ Lang, Text string }
		Details struct{ Field, Origin string }
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(got.text), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if got := b.submit(t, path, "email=a@example.com", "Accept-Language", "de-AT,de;q=0.9"); got.status != 200 ||
		!strings.Contains(got.text, `<html lang="de">`) || !strings.Contains(got.text, "Vielen Dank") ||
		got.header.Get("Content-Language") != "de" ||
		!strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Accept-Language") {
		t.Errorf("German = %d %v %s", got.status, got.header, got.text)
	}
	got := b.submit(t, fixed, "email=a@example.com", "Accept-Language", "de")
	if !strings.Contains(got.text, "À bientôt !") || !strings.Contains(got.text, `<html lang="fr">`) ||
		strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Language") {
		t.Errorf("a form in French = %v %s", got.header, got.text)
	}
	got = b.fetch(t, path, `{"Correo":"x"}`, "Accept-Language", "es")
	got.wantError(t, "a script", 400, "VALIDATION_ERROR")
	if v := visitor(got); v.Visitor.Lang != "es" || !strings.HasPrefix(v.Visitor.Text, "Introduzca") ||
		v.Details.Field != "Correo" || got.header.Get("Content-Language") != "es" {
		t.Errorf("a script = %s, want Spanish for its visitor", got.text)
	}
	got = b.fetch(t, path, `{"email":"a@example.com"}`, "Accept-Language", "ja", "Origin", "https://shop.example.com")
	got.wantError(t, "another site", 403, "FORBIDDEN")
	if v := visitor(got); v.Visitor.Lang != "ja" || v.Details.Origin != "https://shop.example.com" {
		t.Errorf("another site = %s, want the origin and Japanese", got.text)
	}
	unknown := "/f/" + tenant.NewText(tenant.PublishableKey, false)
	got = b.submit(t, unknown, "email=a@example.com", "Accept-Language", "pt-BR")
	if got.status != 404 || !strings.Contains(got.text, "Este formulário está encerrado") {
		t.Errorf("no form = %d %s, want a page in Portuguese", got.status, got.text)
	}
	got = b.submit(t, path, strings.Repeat("x", 300<<10), "Accept-Language", strings.Repeat("fr,", 10_000))
	if got.status != 413 || !strings.Contains(got.text, "256 Kio") {
		t.Errorf("too large = %d %.300s, want French, as the beginning of the header says", got.status, got.text)
	}
}

// The owner sees which sites were refused, and the page of thanks as visitors do.
func TestFormsOwnerSeesRefusedOrigins(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	key := b.mustMakeKey(t, b.secret, `{"name":"page","kind":"publishable","form":{
		"origins":["https://www.example.com"],"lang":"pt","backUrl":"https://acme.example.com/",
		"brand":{"name":"Acme","logoUrl":"https://img.example.com/a.svg","accent":"#0A7CFF"}}}`)
	path := "/f/" + key.Key
	for _, origin := range []string{"https://a.example.com", "null", "https://b.example.com", "<script>",
		"https://b.example.com"} {
		b.submit(t, path, "email=a@example.com", "Origin", origin)
	}
	var refused []struct {
		Origin *string
		LastAt string
	}
	got := b.send(t, b.secret, "GET", "/api/v1/keys/"+key.ID+"/refused-origins", "")
	if err := json.Unmarshal(got.body.Data, &refused); err != nil || len(refused) != 3 {
		t.Fatalf("refused origins = %s, %v, want three", got.text, err)
	}
	for _, want := range []string{`"origin":"https://a.example.com"`, `"origin":"https://b.example.com"`,
		`"origin":null`} {
		if !strings.Contains(got.text, want) {
			t.Errorf("refused origins = %s, want %s", got.text, want)
		}
	}
	thanks := "/api/v1/keys/" + key.ID + "/thanks?lang="
	page := b.send(t, b.secret, "GET", thanks+"de", "")
	if page.status != 200 || !strings.Contains(page.text, "Zurück zu Acme") ||
		!strings.Contains(page.text, "--brand: #0a7cff") ||
		!strings.Contains(page.header.Get("Content-Security-Policy"), "img-src data: https://img.example.com;") {
		t.Errorf("the page of thanks = %d %v %s", page.status, page.header, page.text)
	}
	b.send(t, b.secret, "GET", thanks+"xx", "").wantError(t, "no language", 400, "VALIDATION_ERROR")
	for pointer, form := range map[string]string{
		"/form/lang":          `{"lang":"zz"}`,
		"/form/brand/logoUrl": `{"brand":{"logoUrl":"http://a.example"}}`,
		"/form/brand/accent":  `{"brand":{"accent":"red"}}`,
		"/form/backUrl":       `{"backUrl":"javascript:alert(1)"}`,
		"/form/backText":      `{"backUrl":null,"backText":"x"}`,
		"/form/thanksText":    `{"thanksText":"` + strings.Repeat("x", 501) + `"}`,
	} {
		got := b.send(t, b.secret, "PATCH", "/api/v1/keys/"+key.ID, `{"form":`+form+`}`)
		if got.status != 400 || !strings.Contains(got.text, pointer) {
			t.Errorf("%s = %d %s, want %s refused", form, got.status, got.text, pointer)
		}
	}
}

// The pages are accessible in each language, on a phone and on a desk, light and dark, with and without a brand; what a
// visitor called things is text; and nothing is loaded but the logo.
func TestFormPagesInABrowser(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	const name = `"><script>alert(1)</script>`
	branded := tenant.Form{Origins: []string{"https://www.example.com"}, BackURL: "https://acme.example.com/",
		Brand: tenant.Brand{Name: "Acme " + name, Accent: "#ffdd00"}, Captcha: tenant.Altcha}
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`<!doctype html><form method="post" action="` + b.url + r.URL.Path + `"><input name="email">` +
			`<input name="&quot;><script>alert(1)</script>" value="&lt;/textarea>&lt;script>alert(2)&lt;/script>">` +
			`<button>Send</button></form>`))
	}))
	t.Cleanup(shop.Close)
	p := testbrowser.New(t)
	p.Allow(b.url)
	for i, lang := range tenant.Languages() {
		branded.Lang = lang
		refused := b.mustForm(t, b.owner, branded)
		open := branded
		open.Origins = []string{"*"}
		open.Brand.Accent = []string{"#123456", "#ffffff", "#000000", "#757575", "#777777", "#ff00ff"}[i]
		wrong := b.mustForm(t, b.owner, open)
		open.Captcha = ""
		right := b.mustForm(t, b.owner, open)
		for what, path := range map[string]string{"refused": refused, "mistakes": wrong, "thanks": right} {
			p.Open(shop.URL + path)
			p.Fill("input[name=email]", map[bool]string{true: "ada@example.com", false: "ada"}[what == "thanks"])
			p.Click("button")
			p.Wait(`document.documentElement.lang === "` + lang + `" && document.querySelector("main h1")`)
			if what != "thanks" { // the console tells of the status, and that is all
				for _, problem := range p.Problems() {
					if !strings.Contains(problem, "responded with a status of 40") {
						t.Errorf("%s in %s: %s", what, lang, problem)
					}
				}
			}
			wantWellIn(t, p, "form-"+what+"-"+lang, lang == "de", i)
			if what != "refused" {
				continue
			}
			var typed string
			p.Eval(`document.querySelector("textarea").value`, &typed)
			if !strings.Contains(p.Text("main section"), shop.URL) || !strings.Contains(typed, "ada") {
				t.Errorf("%s: %s\n%q, want the advice for the owner of the site, and what was typed", lang, p.Text("main"), typed)
			}
		}
	}
}

// wantWellIn is WantWell in every look for the language with the longest words, and in one of the four for the others:
// they have the same elements.
func wantWellIn(t *testing.T, p *testbrowser.Page, name string, all bool, n int) {
	t.Helper()
	if all {
		p.WantWell(name)
		return
	}
	[]func(){p.Wide, p.Phone}[n%2]()
	[]func(){p.Light, p.Dark}[n/2%2]()
	for _, problem := range append(p.Axe(), p.Problems()...) {
		t.Errorf("%s: %s", name, problem)
	}
	p.Wide()
	p.Light()
}
