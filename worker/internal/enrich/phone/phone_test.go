package phone_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/worker/internal/enrich/enrichtest"
	"leadgate/worker/internal/enrich/phone"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	enrichtest.Conform(t, phone.New())
}

func TestLookup(t *testing.T) {
	t.Parallel()
	p := phone.New()
	for typed, want := range map[string]any{
		"":                   nil,
		"  ":                 nil,
		"+1 (212) 555-0123":  phone.Facts{Valid: true, E164: "+12125550123", Country: "US"},
		"＋44 20 7946 0958":   phone.Facts{Valid: true, E164: "+442079460958", Country: "GB"},
		"+1-555-123-4567":    phone.Facts{E164: "+15551234567"}, // there is no area code 555
		"+800 1234 5678":     phone.Facts{Valid: true, E164: "+80012345678"},
		"(212) 555-0123":     phone.Facts{},
		"212-555-0123 ext 7": phone.Facts{},
		"call me":            phone.Facts{},
		"+1":                 phone.Facts{},
		"+999 123":           phone.Facts{},
	} {
		t.Run(typed, func(t *testing.T) {
			got, err := p.Lookup(t.Context(), &lead.Lead{Phone: typed})
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Lookup(%q) differs (-want +got):\n%s\nerr = %v", typed, diff, err)
			}
		})
	}
}
