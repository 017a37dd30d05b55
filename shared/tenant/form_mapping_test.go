package tenant_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/tenant"
)

func TestReadMapping(t *testing.T) {
	t.Parallel()
	f, wrong := readForm(tenant.Form{}, `{"preset":"typeform","fields":{"email":"payload.data.email","name":["who","fields[name][value]"],
		"metadata.company":"answers[type=text].text","phone":null},"ignore":["token","utm*"]}`)
	want := tenant.Form{Preset: "typeform", Ignore: []string{"token", "utm*"}, Fields: map[string][]string{
		"email": {"payload.data.email"}, "name": {"who", "fields[name][value]"}, "metadata.company": {"answers[type=text].text"}}}
	if diff := cmp.Diff(want, f); diff != "" || wrong != nil {
		t.Errorf("mistakes %+v, (-want +got):\n%s", wrong, diff)
	}
	fields, ignore := f.Mapping()
	if fields["email"][0] != "payload.data.email" || len(fields["email"]) != 2 || len(ignore) < 3 || ignore[0] != "token" {
		t.Errorf("Mapping() = %v, %v, want the form's own before the preset's", fields, ignore)
	}
	if f, wrong = readForm(f, `{"preset":null,"fields":null,"ignore":null}`); wrong != nil || !cmp.Equal(f, tenant.Form{}) {
		t.Errorf("null: %+v, %+v, want none", f, wrong)
	}
}

func TestReadMappingRefuses(t *testing.T) {
	t.Parallel()
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf(`"a%d"`, i)
	}
	for text, pointer := range map[string]string{
		`{"preset":"nothing"}`:                                     "/form/preset",
		`{"fields":{"correo":"email"}}`:                            "/form/fields/correo",
		`{"fields":{"source":"s"}}`:                                "/form/fields/source",
		`{"fields":{"metadata.":"s"}}`:                             "/form/fields/metadata.",
		`{"fields":{"metadata._warnings":"s"}}`:                    "/form/fields/metadata._warnings",
		`{"fields":{"email":""}}`:                                  "/form/fields/email",
		`{"fields":{"email":"a["}}`:                                "/form/fields/email",
		`{"fields":{"email":[]}}`:                                  "/form/fields/email",
		`{"fields":{"email":5}}`:                                   "/form/fields/email",
		`{"fields":{"email":[5]}}`:                                 "/form/fields/email",
		`{"fields":{"email":"` + strings.Repeat("a.", 13) + `a"}}`: "/form/fields/email",
		`{"fields":{"email":"` + strings.Repeat("a", 301) + `"}}`:  "/form/fields/email",
		`{"fields":[]}`:                                            "/form/fields",
		`{"ignore":"a"}`:                                           "/form/ignore",
		`{"ignore":["a",""]}`:                                      "/form/ignore",
		`{"ignore":[` + strings.Join(many, ",") + `]}`:             "/form/ignore",
	} {
		t.Run(text[:min(60, len(text))], func(t *testing.T) {
			if _, wrong := readForm(tenant.Form{}, text); len(wrong) != 1 || wrong[0].Pointer != pointer || wrong[0].Message == "" {
				t.Errorf("%s: mistakes %+v, want one at %s", text, wrong, pointer)
			}
		})
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"email": "email", "a.b.c": "a b c", "fields[email][value]": "fields email value", "a[]": "a", "a[].b": "a b",
		"answers[type=email].email": "answers type=email email", "[0].a": "0 a", "data[1.3]": "data 1.3", "1.3": "1 3",
		"No Label email": "No Label email", "": "-", "a..b": "-", ".a": "-", "a[b": "-", "[]": "-",
	} {
		t.Run(path, func(t *testing.T) {
			steps, ok := tenant.ParsePath(path)
			var got []string
			for _, s := range steps {
				if s.Select {
					s.Name += "=" + s.Value
				}
				got = append(got, s.Name)
			}
			if ok != (want != "-") || ok && strings.Join(got, " ") != want {
				t.Errorf("ParsePath(%q) = %q, %v, want %q", path, got, ok, want)
			}
		})
	}
}

func FuzzParsePath(f *testing.F) {
	for _, path := range []string{"a.b[c=d].e", "[", "a]", "a[=]"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if steps, ok := tenant.ParsePath(path); ok && (len(steps) == 0 || len(steps) > len(path)) {
			t.Errorf("ParsePath(%q) = %v", path, steps)
		}
	})
}
