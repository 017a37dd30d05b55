package phone_test

import (
	"regexp"
	"testing"

	"leadgate/shared/lead"
	"leadgate/worker/internal/enrich/phone"
)

var (
	e164    = regexp.MustCompile(`^\+[1-9][0-9]{1,16}$`)
	country = regexp.MustCompile(`^[A-Z]{2}$`)
)

// Whatever stands where a number should be, facts are about a number or say that it is none; and a number in
// international form reads as itself.
func FuzzLookup(f *testing.F) {
	for _, seed := range []string{"+1-555-123-4567", "+44 20 7946 0958", "0664 1234567", "+", "+800 1234 5678",
		"tel:+15551234567;ext=7", "+1 (555) 123-4567 x89", "٣٤٥", "+١٥٥٥١٢٣٤٥٦٧", "+999999999999999999999", "\x00",
		"+39 06 1234567"} {
		f.Add(seed)
	}
	p := phone.New()
	f.Fuzz(func(t *testing.T, typed string) {
		found, err := p.Lookup(t.Context(), &lead.Lead{Phone: typed})
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
		if !facts.Valid {
			return
		}
		again, err := p.Lookup(t.Context(), &lead.Lead{Phone: facts.E164})
		if err != nil || again != any(facts) {
			t.Errorf("Lookup(%q) = %+v, %v, want %+v as %q has it", facts.E164, again, err, facts, typed)
		}
	})
}
