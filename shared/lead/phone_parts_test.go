package lead_test

import (
	"strings"
	"testing"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// A phone in parts keeps the code of its country, and what has no place in it is in metadata.
func TestPhonesInParts(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{ // the phone, and whether all of it is in metadata too
		`{"country_code":"+1","number":"5550100106"}`:                              "+1 5550100106",
		`{"Country Code":"1","Area":"555","Number":"0100106"}`:                     "+1 555 0100106",
		`{"dialCode":"001","national":"(555) 010-0106"}`:                           "+1 (555) 010-0106",
		`{"countryCode":"US","nationalNumber":"5550100106","e164":"+15550100106"}`: "+15550100106 kept",
		`{"national":"(555) 010-0106","international":"+1 555 010 0106"}`:          "+1 555 010 0106",
		`{"countryCode":"US","nationalNumber":"5550100106"}`:                       "+1 5550100106",
		`{"code":"+47","dial":"98765432"}`:                                         "+47 98765432",
		`{"country":"Norway","code":"NO","dial":"+47","number":"98765432"}`:        "+47 98765432 kept",
		`{"country_code":49,"number":30901820}`:                                    "+49 30901820",
		`{"country_code":"+1-268","number":"5550100"}`:                             "+1268 5550100",
		`{"code":"555","number":"0100106"}`:                                        "0100106 kept",
		`{"area":"555","prefix":"010","line":"0106"}`:                              "555 010 0106",
		`{"country_code":"+1","number":"+1 555 010 0106"}`:                         "+1 555 010 0106",
		`{"country_code":"+47","number":"+1 555 010 0106"}`:                        "+1 555 010 0106 kept",
		`{"country_code":"+1","number":"5550100106","extension":"12"}`:             "+1 5550100106 kept",
		`{"number":"+15550100106","type":"mobile"}`:                                "+15550100106 kept",
		`{"mobile":"5550100106","country_code":"1","home":""}`:                     "+1 5550100106",
		`{"country_code":"९१","number":"९८७६५४३२१०"}`:                              "+91 ९८७६५४३२१०",
		`{"country_code":"+1"}`:                                                    " kept",
		`{"value":{"country_code":"+1","number":"5550100106"},"label":null}`:       "+1 5550100106",
		`{"area":"555","phone":"0100106"}`:                                         "555 0100106",
		`{"value":"in the evening"}`:                                               "in the evening",
	} {
		t.Run(object, func(t *testing.T) {
			g := lead.NewGatherer(tenant.Settings{}.WithDefaults().Rules())
			gather(g, "email=a@example.com", "phone:="+object)
			d, err := g.Draft()
			got := d.Phone
			if strings.Contains(string(d.Metadata), object) && len(g.Warnings()) == 1 {
				got += " kept"
			}
			if err != nil || got != want {
				t.Errorf("phone of %s = %q, %v, metadata %s, warned of %v, want %q", object, got, err, d.Metadata, g.Warnings(), want)
			}
		})
	}
}

// The code of a country stands before a number as people dial it at home.
func TestPhonesInPartsCanBeCalled(t *testing.T) {
	t.Parallel()
	text, whole := lead.TextOf(lead.FieldPhone, []byte(`{"country_code":"+49","number":"030 901820"}`))
	if p, _ := lead.ParsePhone(text, ""); !whole || p.E164 != "+4930901820" || !p.Valid {
		t.Errorf("phone %q, whole %v = %+v, want +4930901820", text, whole, p)
	}
}
