package phone_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/enrich/phone"
)

var (
	e164    = regexp.MustCompile(`^\+[1-9][0-9]{1,16}$`)
	country = regexp.MustCompile(`^[A-Z]{2}$`)
)

// Whatever stands where a number should be, facts are about a number or say that it is none; and a number in
// international form reads as itself. No digit is made of a letter.
func FuzzLookup(f *testing.F) {
	for _, seed := range []string{"+1-555-123-4567", "+44 20 7946 0958", "0664 1234567", "+", "+800 1234 5678",
		"tel:+15551234567;ext=7", "+1 (555) 123-4567 x89", "٣٤٥", "+١٥٥٥١٢٣٤٥٦٧", "+999999999999999999999", "\x00",
		"+39 06 1234567", "070 123 45 67 (Axel)", "1-800-FLOWERS", "+1 650 253 0000 доб. 5 / +44 20"} {
		f.Add(seed, "")
		f.Add(seed, "SE")
		f.Add(seed, "US")
	}
	p := phone.New()
	f.Fuzz(func(t *testing.T, typed, region string) {
		found, err := p.Lookup(t.Context(), &lead.Lead{Phone: typed}, tenant.Settings{DefaultRegion: region})
		if err != nil {
			t.Fatalf("Lookup(%q) = %v, want no error: what cannot be read is not valid", typed, err)
		}
		if found == nil {
			return
		}
		facts := found.(phone.Facts)
		if facts.E164 != "" && !e164.MatchString(facts.E164) || facts.Country != "" && (!facts.Valid ||
			!country.MatchString(facts.Country)) || facts.Valid && facts.E164 == "" {
			t.Errorf("Lookup(%q) = %+v, which contradicts itself", typed, facts)
		}
		digits := strings.IndexFunc(typed, unicode.IsDigit) >= 0
		if facts.E164 != "" && (!digits || region == "" && count(facts.E164) > count(typed)) {
			t.Errorf("Lookup(%q) = %+v, want no more digits than there are", typed, facts)
		}
		if !facts.Valid {
			return
		}
		facts.Ext = ""
		again, err := p.Lookup(t.Context(), &lead.Lead{Phone: facts.E164}, tenant.Settings{})
		if err != nil || again != any(facts) {
			t.Errorf("Lookup(%q) = %+v, %v, want %+v as %q has it", facts.E164, again, err, facts, typed)
		}
	})
}

// count is how many digits text has, as people see it.
func count(text string) (n int) {
	for _, r := range norm.NFKC.String(text) {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}
