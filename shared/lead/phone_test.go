package lead_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
)

func TestParsePhone(t *testing.T) {
	t.Parallel()
	google := lead.Phone{E164: "+16502530000", Country: "US", Valid: true}
	ext := func(p lead.Phone, ext string) lead.Phone { p.Ext = ext; return p }
	london := lead.Phone{E164: "+442079460018", Country: "GB", Valid: true}
	axel := lead.Phone{E164: "+46701234567", Country: "SE", Valid: true}
	berlin := lead.Phone{E164: "+4930901820", Country: "DE", Valid: true}
	indian := lead.Phone{E164: "+919876543210", Country: "IN", Valid: true}
	for _, tc := range []struct {
		typed, region string
		want          lead.Phone // zero: none
	}{
		{"+46 70 123 45 67 (Axel)", "", axel}, {"070 123 45 67 (Axel)", "SE", axel}, {"070 123 45 67 (Axel)", "", lead.Phone{}},
		{"Axel, 070-123 45 67", "SE", axel}, {"0046 70 123 45 67", "SE", axel}, {"+46701234567", "US", axel},
		{"+1 650-253-0000 ask for Ann", "", google}, {"Ann +1 650 253 0000", "", google},
		{"2nd line: +1 650 253 0000", "", google}, {"+1 (650) 253-0000 (mobile)", "", google},
		{"(650) 253-0000", "US", google}, {"(650) 253-0000", "", lead.Phone{}}, {"650.253.0000 cell", "US", google},
		{"+1 650 253 0000 / +1 650 253 0001", "", google}, {"p:+16502530000", "", google}, {"=+16502530000", "", google},
		{"tel:+1-650-253-0000", "", google}, {"\u202a+1 650 253 0000\u202c", "", google},
		{"+1\u00a0650\u2011253\u20110000", "", google}, {"＋１ ６５０ ２５３ ００００", "", google},
		{"+1 650 253 0000 ext. 136", "", ext(google, "136")}, {"+1 650 253 0000 x136", "", ext(google, "136")},
		{"+1 650 253 0000;ext=1", "", ext(google, "1")}, {"+1 650 253 0000,,136", "", ext(google, "136")},
		{"+1 650 253 0000 #136", "", ext(google, "136")}, {"+1 650 253 0000 Extension: 136", "", ext(google, "136")},
		{"+49 30 901820 DW 12", "", ext(berlin, "12")}, {"+49 30 901820 work", "", berlin},
		{"+1 650 253 0000 доб. 136", "", ext(google, "136")}, {"+1 650 253 0000 x-ray 2", "", google},
		{"+44 (0)20 7946 0018", "", london}, {"0044 20 7946 0018", "GB", london}, {"020 7946 0018", "GB", london},
		{"0044 20 7946 0018", "", lead.Phone{}},
		{"+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "", lead.Phone{E164: "+966501234567", Country: "SA", Valid: true}},
		{"+९१ ९८७६५ ४३२१०", "", indian}, {"९८७६५ ४३२१०", "IN", indian}, {"+৯১ ৯৮৭৬৫ ৪৩২১০", "", indian},
		{"+௯௧ ௯௮௭௬௫ ௪௩௨௧௦", "", indian}, {"+๙๑ ๙๘๗๖๕ ๔๓๒๑๐ ext. ๑๒", "", ext(indian, "12")}, {"+۹۱ ۹۸۷۶۵ ۴۳۲۱۰", "", indian},
		{"+91 98765 43210 WhatsApp", "", indian},
		{"+1 555 010 0131", "", lead.Phone{E164: "+15550100131"}},
		{"+800 1234 5678", "", lead.Phone{E164: "+80012345678", Valid: true}},
		{"+1 800 FLOWERS", "", lead.Phone{}}, {"1-800-FLOWERS", "US", lead.Phone{}}, {"FLOWERS", "US", lead.Phone{}},
		{"call me", "US", lead.Phone{}}, {"", "US", lead.Phone{}}, {"+", "US", lead.Phone{}}, {"112", "SE", lead.Phone{}},
		{"+1", "", lead.Phone{}}, {"+999 123", "", lead.Phone{}}, {"650 253 0000", "ZZ", lead.Phone{}},
	} {
		t.Run(tc.typed+" "+tc.region, func(t *testing.T) {
			got, ok := lead.ParsePhone(tc.typed, tc.region)
			if diff := cmp.Diff(tc.want, got); diff != "" || ok != (tc.want != lead.Phone{}) {
				t.Errorf("ParsePhone(%q, %q), %v (-want +got):\n%s", tc.typed, tc.region, ok, diff)
			}
		})
	}
}

func TestIsRegion(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"SE": true, "US": true, "GB": true, "UK": false, "se": false, "": false,
		"001": false, "EU": false, "ZZ": false} {
		if got := lead.IsRegion(code); got != want {
			t.Errorf("IsRegion(%q) = %v, want %v", code, got, want)
		}
	}
}
