package console_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestForms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	wrong := v.post(t, "/console/forms", url.Values{"name": {"Contact"}, "origins": {"example"}})
	if wrong.status != 400 || !strings.Contains(wrong.text, "origins") || !strings.Contains(wrong.text, `value="Contact"`) {
		t.Errorf("a wrong origin = %d %s, want the form again with what was entered", wrong.status, wrong.text)
	}
	made := v.post(t, "/console/forms", url.Values{"name": {"Contact"}, "origins": {"https://www.example.com"},
		"captcha": {"altcha"}})
	if made.status != 200 || !strings.HasPrefix(made.path, "/console/forms/key_") {
		t.Fatalf("make = %d at %s: %s", made.status, made.path, made.text)
	}
	for _, want := range []string{b.url + "/f/pk-workspace_", "form.js", "useState", "WordPress",
		"name=&#34;_page&#34;", "/console/submissions?verdict=all&amp;formId=key_"} {
		if !strings.Contains(made.text, want) {
			t.Errorf("the form's page lacks %q", want)
		}
	}
	seen := v.post(t, made.path+"/preview", url.Values{"submission": {"email=ada@example.com&fullname=Ada&budget=5"}})
	for _, want := range []string{"It would be taken", "fullname", "email"} {
		if !strings.Contains(seen.text, want) {
			t.Errorf("the preview lacks %q: %d", want, seen.status)
		}
	}
	v.post(t, made.path, url.Values{"name": {"Contact us"}, "origins": {"https://www.example.com"},
		"onDuplicate": {"ignore"}, "captcha": {""}})
	var key struct {
		Name string
		Form struct{ OnDuplicate, Captcha string }
	}
	b.call(t, "GET", "/keys/"+filepath.Base(made.path), "", &key)
	if key.Name != "Contact us" || key.Form.OnDuplicate != "ignore" || key.Form.Captcha != "" {
		t.Errorf("after the change: %+v", key)
	}
	got := v.post(t, made.path+"/try", url.Values{"email": {"grace@example.com"}, "name": {"Grace"}, "message": {"Hello"}})
	if got.status != 200 {
		t.Errorf("try = %d %s", got.status, got.text)
	}
	var found []struct{ Name string }
	if b.call(t, "GET", "/leads?email=grace@example.com", "", &found); len(found) != 1 || found[0].Name != "Grace" {
		t.Errorf("leads after the try = %v", found)
	}
	other := b.mustSignIn(t, b.mustWorkspace(t).secret)
	if got := other.get(t, made.path); got.status != 404 {
		t.Errorf("another workspace sees the form: %d", got.status)
	}
}

// The owner says how the pages look that visitors see, looks at one, and lets a site in that was refused.
func TestFormsPagesAndRefusedSites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	settings := url.Values{"name": {"Contact"}, "origins": {"https://www.example.com"}, "lang": {"fr"}, "brandName": {"Acme & <b>"},
		"accent": {"#FFEE00"}, "logoUrl": {""}, "thanksText": {"À bientôt"}, "backUrl": {"https://acme.example.com/"}, "backText": {""}}
	made := v.post(t, "/console/forms", settings)
	if made.status != 200 || !strings.Contains(made.text, `value="Acme &amp; &lt;b&gt;"`) || !strings.Contains(made.text, "<option selected>fr") {
		t.Fatalf("make = %d at %s: %s", made.status, made.path, made.text)
	}
	if page := v.get(t, made.path+"/thanks"); page.status != 200 || !strings.Contains(page.text, "À bientôt") ||
		!strings.Contains(page.text, "Retour à Acme &amp; &lt;b&gt;") || !strings.Contains(page.text, "--brand: #ffee00") {
		t.Errorf("the page of thanks = %d %s", page.status, page.text)
	}
	var key struct {
		Key  string
		Form struct{ Origins []string }
	}
	b.call(t, "GET", "/keys/"+filepath.Base(made.path), "", &key)
	sent := b.visitor(t).do(t, "POST", "/f/"+key.Key, strings.NewReader("email=a@example.com"), "Origin", "https://shop.example.com",
		"Content-Type", "application/x-www-form-urlencoded")
	if sent.status != 403 || !strings.Contains(sent.text, "https://shop.example.com") {
		t.Fatalf("another site's page = %d %s", sent.status, sent.text)
	}
	if page := v.get(t, made.path); !strings.Contains(page.text, "Sites that were refused lately") ||
		!strings.Contains(page.text, "Allow https://shop.example.com") {
		t.Errorf("the form's page lacks the site that was refused: %s", page.text)
	}
	if got := v.post(t, made.path+"/allow", url.Values{"origin": {"javascript:alert(1)"}}); got.status != 400 {
		t.Errorf("what is no origin = %d", got.status)
	}
	v.post(t, made.path+"/allow", url.Values{"origin": {"https://shop.example.com"}})
	if b.call(t, "GET", "/keys/"+filepath.Base(made.path), "", &key); len(key.Form.Origins) != 2 {
		t.Errorf("origins = %v, want that of the shop too", key.Form.Origins)
	}
	settings.Set("accent", "red")
	if wrong := v.post(t, made.path, settings); wrong.status != 400 || !strings.Contains(wrong.text, "form.brand.accent") {
		t.Errorf("a wrong colour = %d %s, want it named", wrong.status, wrong.text)
	}
}

// The pages are walked through as a person does, with a file that is chosen.
func TestFormsAndImportsInABrowser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.mustOpen(t)
	p.Open(b.url + "/console/forms")
	p.WaitText("There is no form yet")
	wantWell(t, p, "forms-empty")
	p.Click(`a[href="/console/forms/new"]`)
	p.WaitText("Websites that may use it")
	wantWell(t, p, "form-new")
	p.Fill("#name", "Contact")
	p.Fill("#origins", "https://www.example.com")
	p.Click("main form button")
	p.WaitText("Paste it into your page")
	wantWell(t, p, "form")
	p.Fill("#submission", `{"email":"ada@example.com","budget":"<b>5"}`)
	p.Click(`form[action*="/preview"] button`)
	p.WaitText("It would be taken")
	wantWell(t, p, "form-preview")
	p.Open(b.url + "/console/forms")
	p.WaitText("Contact")
	wantWell(t, p, "forms")

	p.Open(b.url + "/console/imports")
	p.WaitText("Nothing was imported yet")
	wantWell(t, p, "imports-empty")
	p.Click(`a[href="/console/imports/new"]`)
	p.WaitText("Import a file")
	path := filepath.Join(t.TempDir(), "leads.csv")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Choose("#file", path)
	p.WaitText("The first rows")
	wantWell(t, p, "import-preview")
	p.Click("#import-form button:not([formaction])")
	p.WaitText("rows read")
	wantWell(t, p, "import")
	p.Open(b.url + "/console/imports")
	p.WaitText("Rows")
	wantWell(t, p, "imports")
}
