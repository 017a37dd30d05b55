package attribution_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/enrich/attribution"
	"leadgate/worker/internal/enrich/enrichtest"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	enrichtest.Conform(t, attribution.New())
}

func TestLookup(t *testing.T) {
	t.Parallel()
	type m = map[string]string
	p := attribution.New()
	for metadata, want := range map[string]any{
		`{}`:                  nil,
		`{"company":"Acme"}`:  nil,
		`{"utm_source":""}`:   nil,
		`{"utm_source":null}`: nil,
		`{"utm_source":"google","utm_campaign":"spring_2024","interests":["a"]}`: attribution.Facts{UTM: m{"source": "google",
			"campaign": "spring_2024"}},
		`{"utmMedium":"cpc","UTM-Term":" x ","utm_id":42}`: attribution.Facts{UTM: m{"medium": "cpc",
			"term": "x", "id": "42"}},
		`{"gclid":"G1","li_fat_id":"L1","fbclid":["no"]}`: attribution.Facts{ClickIDs: m{"gclid": "G1",
			"li_fat_id": "L1"}},
		`{"utm":{"source":"a","utm_medium":"b","gclid":"c"},"utm_source":"top"}`: attribution.Facts{UTM: m{"source": "top",
			"medium": "b"}, ClickIDs: m{"gclid": "c"}},
		`{"landing_page":"https://shop.example.com/p?utm_source=q&utm_term=a+b&gclid=G&secret=s","utm_source":"top","referrer":"https://news.example.com/?utm_content=r&utm_term=late"}`: attribution.Facts{
			UTM: m{"source": "top", "term": "a b", "content": "r"}, ClickIDs: m{"gclid": "G"}, Landing: "shop.example.com/p",
			Referrer: "news.example.com/"},
		`{"url":"/relative?utm_source=x"}`:                    nil,
		`{"referrer":"https://me:pw@news.example.com/a%20b"}`: attribution.Facts{Referrer: "news.example.com/a%20b"},
		`{"utm_source":"a","utm":1e400}`:                      attribution.Facts{UTM: m{"source": "a"}},
	} {
		t.Run(metadata, func(t *testing.T) {
			got, err := p.Lookup(t.Context(), &lead.Lead{Metadata: []byte(metadata)}, tenant.Settings{})
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Lookup(%s) differs (-want +got):\n%s\nerr = %v", metadata, diff, err)
			}
		})
	}
}
