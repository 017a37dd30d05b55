package form_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/form"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// Each language has every text, with the placeholders of the English one, and none was left in English.
func TestPhrasesAreComplete(t *testing.T) {
	t.Parallel()
	all := form.Tongues()
	if diff := cmp.Diff(slices.Sorted(slices.Values(tenant.Languages())), slices.Sorted(maps.Keys(all))); diff != "" {
		t.Fatalf("languages (-promised +spoken):\n%s", diff)
	}
	placeholder := regexp.MustCompile(`%.`)
	for tag, texts := range all {
		for i, text := range texts {
			english := all["en"][i]
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: nothing for %q", tag, english)
			}
			if diff := cmp.Diff(placeholder.FindAllString(english, -1), placeholder.FindAllString(text, -1)); diff != "" {
				t.Errorf("%s: %q has other placeholders than %q", tag, text, english)
			}
			if tag != "en" && text == english {
				t.Errorf("%s: %q is English", tag, text)
			}
		}
	}
	for tag, texts := range form.ScriptTexts() {
		if len(texts) != 3 || texts["failed"] == "" || all[tag] == nil {
			t.Errorf("form.js says %v in %s", texts, tag)
		}
	}
}

// Pages speak the language of the form, else the one of ours that the visitor understands best.
func TestLanguageOfAVisitor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fixed, asked, want string
	}{
		{"", "", "en"}, {"", "de-AT,de;q=0.9,en;q=0.5", "de"}, {"", "pt-BR", "pt"}, {"", "pt-PT,en;q=0.1", "pt"},
		{"", "es-419,es;q=0.9", "es"}, {"", "fr-CA", "fr"}, {"", "ja-JP", "ja"}, {"", "en-GB,de;q=0.9", "en"},
		{"", "zh-CN,zh;q=0.9", "en"}, {"", "ar, fr;q=0.3", "fr"}, {"", "*", "en"}, {"", "de;q=0,fr;q=0.1", "fr"},
		{"fr", "de", "fr"}, {"ja", "", "ja"},
		{"", `"><script>alert(1)</script>`, "en"}, {"", "de\x00", "en"}, {"", strings.Repeat("a-", 1<<19), "en"},
		{"", "de," + strings.Repeat("x-y-z,", 1<<17), "de"}, {"", strings.Repeat("ja,", 1<<18), "ja"},
	} {
		t.Run(fmt.Sprintf("%s %.30q", tc.fixed, tc.asked), func(t *testing.T) {
			h := http.Header{}
			if tc.asked != "" {
				h.Set("Accept-Language", tc.asked)
			}
			if got := form.TongueOf(tc.fixed, h); got != tc.want {
				t.Errorf("form in %q, visitor with %.60q: %s, want %s", tc.fixed, tc.asked, got, tc.want)
			}
		})
	}
}

// Whatever a site or a visitor calls things, a page says it and does nothing else; it loads the logo from where it is,
// and runs nothing.
func TestPagesAreSafe(t *testing.T) {
	t.Parallel()
	const probe = `"><img src=x onerror=alert(1)></style></textarea><script>alert(1)</script>`
	f := tenant.Form{Lang: "fr", ThanksText: probe, BackURL: "https://www.example.com/?a=" + probe, BackText: probe,
		Brand: tenant.Brand{Name: probe, LogoURL: "https://img.example.com/logo.svg?x=;script-src *", Accent: "#ffee00"}}
	s := mustRead(t, urlencoded, "email=x&"+strings.Repeat("a", 30)+"=1&name="+strings.ReplaceAll(probe, "&", "%26"), tenant.Form{})
	_, wrong := s.Lead(f.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), "", false)
	thanks, failure := httptest.NewRecorder(), httptest.NewRecorder()
	form.WriteThanksFrom(thanks, f, "")
	form.WriteFailure(failure, f, fault.From(wrong), s.Entries()+probe)
	for what, w := range map[string]*httptest.ResponseRecorder{"thanks": thanks, "failure": failure} {
		page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
		if strings.Contains(page, "<img src=x") || strings.Contains(page, "<script") || strings.Count(page, "</style>") != 1 ||
			strings.Count(page, "</textarea>") > 1 || !strings.Contains(page, "alert(1)") {
			t.Errorf("%s: the probe is part of the page:\n%s", what, page)
		}
		if !strings.Contains(policy, "img-src data: https://img.example.com;") || strings.Contains(policy, "script-src") ||
			!strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy = %s", what, policy)
		}
		if w.Header().Get("Content-Language") != "fr" || w.Header().Get("Vary") != "" ||
			!strings.Contains(page, `<html lang="fr">`) || !strings.Contains(page, "--on-brand: #000000") {
			t.Errorf("%s: %v\n%s, want it in French, black on yellow", what, w.Header(), page)
		}
	}
	if plain := httptest.NewRecorder(); true {
		form.WriteThanksFrom(plain, tenant.Form{}, "")
		if policy := plain.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "img-src data:;") ||
			plain.Header().Get("Vary") != "Accept-Language" {
			t.Errorf("without a brand: %v, want no other origin, and that the language depends on the visitor", plain.Header())
		}
	}
}

// A mistake names the input as it was sent, whatever the lead's field is called, and a page names it as the site does.
func TestMistakesNameTheInput(t *testing.T) {
	t.Parallel()
	mapped := map[string][]string{"email": {"fields[mail][value]"}}
	for _, tc := range []struct {
		name              string
		fields            map[string][]string
		contentType, body string
		field, shown      string
	}{
		{"an input that is guessed", nil, urlencoded, "Correo=ada&name=Ada", "Correo", "Correo"},
		{"an empty one", nil, urlencoded, "E-Mail=+&name=Ada", "E-Mail", "E-Mail"},
		{"none", nil, urlencoded, "name=Ada", "email", ""},
		{"in brackets", nil, urlencoded, "form_fields%5Bemail%5D=ada", "form_fields[email]", "email"},
		{"a mapped one", mapped, urlencoded, "fields[mail][value]=ada", "fields[mail][value]", "fields[mail][value]"},
		{"a mapped one that is empty", mapped, urlencoded, "fields[mail][value]=&x=1", "fields[mail][value]", "fields[mail][value]"},
		{"a mapped one that did not come", mapped, urlencoded, "x=1", "fields[mail][value]", ""},
		{"in JSON", nil, jsonBody, `{"data":{"email":"ada"}}`, "data.email", "email"},
		{"an answer", nil, jsonBody, `{"data":[{"label":"Your email","value":"ada"}]}`, "data.value", "Your email"},
		{"two addresses", nil, urlencoded, "c[email]=a@example.com&c[email]=b@example.com", "c[email]", "email"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := tenant.Form{Fields: tc.fields}.WithDefaults()
			s, err := form.Read(tc.contentType, []byte(tc.body), f)
			if err == nil {
				_, err = s.Lead(f, tenant.Settings{}.WithDefaults().Rules(), "", false)
			}
			if err == nil {
				t.Fatal("there is a lead")
			}
			w := httptest.NewRecorder()
			form.WriteFailure(w, tenant.Form{Lang: "de"}, fault.From(err), "")
			shown := ""
			if _, after, ok := strings.Cut(w.Body.String(), "<b><bdi>"); ok {
				shown, _, _ = strings.Cut(after, "</bdi>")
			}
			if got := fault.From(err).Fields()[0].Field; got != tc.field || shown != tc.shown ||
				!strings.Contains(w.Body.String(), "E-Mail-Adresse") {
				t.Errorf("field %q, shown as %q, want %q and %q:\n%s", got, shown, tc.field, tc.shown, w.Body)
			}
		})
	}
}
