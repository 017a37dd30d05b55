package enrich_test

import (
	"testing"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/enrich"
)

// BenchmarkFind finds what the built-in providers say about 100 leads.
func BenchmarkFind(b *testing.B) {
	leads := make([]lead.Lead, 100)
	for i := range leads {
		leads[i] = lead.Lead{
			UniqueKey: "ada@shop.example.com", Phone: "+44 20 7946 0018",
			Metadata: []byte(`{"company":"Example Ltd","utm_source":"google","page":"https://www.example.com/prices?utm_term=crm"}`),
		}
	}
	pipeline := enrich.New(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		pipeline.Find(b.Context(), tenant.Settings{}, leads)
	}
}
