package tenant

import (
	"fmt"
	"slices"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// Languages returns those that the pages speak which visitors of a form see (BCP 47). The first is for visitors who
// understand none of them.
func Languages() []string { return []string{"en", "de", "fr", "es", "pt", "ja"} }

// readLook reads the current member of a form's settings, where it is about what visitors see.
func (f *Form) readLook(r *strictjson.Reader) {
	switch r.Name() {
	case "lang":
		f.Lang = r.Text(maxLang)
	case "brand":
		f.Brand = ReadBrand(r)
	case "thanksText":
		f.ThanksText = strings.TrimSpace(r.Text(maxThanksText))
	case "backUrl":
		f.BackURL = r.Text(MaxFormURL)
	case "backText":
		f.BackText = strings.TrimSpace(r.Text(maxBackText))
	}
}

// checkLook returns every mistake in what visitors see.
func (f Form) checkLook() (wrong []fault.Field) {
	refuse := func(name, value, format string, args ...any) {
		wrong = append(wrong, fault.Field{Field: "form." + name, Pointer: "/form/" + name, Value: fault.Truncate(value),
			Message: fmt.Sprintf(format, args...)})
	}
	if f.Lang != "" && !slices.Contains(Languages(), f.Lang) {
		refuse("lang", f.Lang, "Must be one of: %s; leave it out for the language of each visitor",
			strings.Join(Languages(), ", "))
	}
	for _, w := range f.Brand.check() {
		w.Field, w.Pointer = "form."+w.Field, "/form"+w.Pointer
		wrong = append(wrong, w)
	}
	if _, ok := ParseOrigin(f.BackURL); f.BackURL != "" && (!ok || len(f.BackURL) > MaxFormURL) {
		refuse("backUrl", f.BackURL, "Must be a complete http or https URL of at most %d bytes, without a user name",
			MaxFormURL)
	}
	for _, t := range []struct {
		name, value string
		longest     int
	}{{"thanksText", f.ThanksText, maxThanksText}, {"backText", f.BackText, maxBackText}} {
		if message := strictjson.CheckText(t.value, t.longest); message != "" {
			refuse(t.name, t.value, "%s", message)
		}
	}
	if f.BackText != "" && f.BackURL == "" {
		refuse("backText", f.BackText, "Must be given together with backUrl")
	}
	return wrong
}
