package phone_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
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
	swedish := tenant.Settings{DefaultRegion: "SE"}
	for typed, tc := range map[string]struct {
		settings tenant.Settings
		want     any
	}{
		"":                      {want: nil},
		"  ":                    {want: nil},
		"+1 (212) 555-0123":     {want: phone.Facts{Valid: true, E164: "+12125550123", Country: "US"}},
		"＋44 20 7946 0958":      {want: phone.Facts{Valid: true, E164: "+442079460958", Country: "GB"}},
		"+1-555-123-4567":       {want: phone.Facts{E164: "+15551234567"}}, // there is no area code 555
		"+800 1234 5678":        {want: phone.Facts{Valid: true, E164: "+80012345678"}},
		"(212) 555-0123":        {want: phone.Facts{}},
		"212-555-0123 ext 7":    {want: phone.Facts{}},
		"+1 212-555-0123 ext 7": {want: phone.Facts{Valid: true, E164: "+12125550123", Ext: "7", Country: "US"}},
		"call me":               {want: phone.Facts{}},
		"+1":                    {want: phone.Facts{}},
		"+999 123":              {want: phone.Facts{}},
		"070 123 45 67 (Axel)":  {swedish, phone.Facts{Valid: true, E164: "+46701234567", Country: "SE"}},
		"+44 20 7946 0959":      {swedish, phone.Facts{Valid: true, E164: "+442079460959", Country: "GB"}},
	} {
		t.Run(typed, func(t *testing.T) {
			got, err := p.Lookup(t.Context(), &lead.Lead{Phone: typed}, tc.settings)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("Lookup(%q) differs (-want +got):\n%s\nerr = %v", typed, diff, err)
			}
		})
	}
}
