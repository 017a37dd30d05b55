package pg_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// backendCPU returns the microseconds of processor time that the backend of a pool of one connection has used.
func backendCPU(b *testing.B, db *pg.DB) float64 {
	b.Helper()
	var pid int
	if err := db.GetContext(b.Context(), &pid, `select pg_backend_pid()`); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		b.Skip("only Linux tells the processor time of a backend")
	}
	ns, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns / 1000
}

// BenchmarkLead is what a lead costs Postgres' backend: the statement that inserts it, and its enrichment.
func BenchmarkLead(b *testing.B) {
	for _, size := range []int{1, 50, 250} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			db, err := pg.Open(pgtest.URL(b)+os.Getenv("XOPT"), pg.Options{MaxConns: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			ws := pgtest.Workspace(b, db).ID
			facts := []byte(`{"email":{"domain":"example.com","free":false,"disposable":false,"role":false},"phone":{"country":"US","valid":true}}`)
			find := func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
				out := make([]pg.Finding, len(leads))
				for i := range out {
					out[i].Facts = facts
				}
				return out
			}
			n := 0
			var insert, enrich []float64
			for b.Loop() {
				leads := make([]pg.NewLead, size)
				for i := range leads {
					n++
					email := fmt.Sprintf("visitor-%d@example.com", n)
					leads[i] = pg.NewLead{EventID: id.New(), Way: tenant.WayAPI, Lead: lead.Lead{WorkspaceID: ws, ID: id.New(), Email: email,
						UniqueKey: email, Name: "Jane Visitor", Phone: "+15550100", Source: "website", Status: "new",
						Metadata: []byte(`{"page":"/pricing","campaign":"spring","plan":"pro"}`)}}
					leads[i].CreatedAt = id.Time(leads[i].ID)
					leads[i].UpdatedAt = leads[i].CreatedAt
				}
				before := backendCPU(b, db)
				if _, err := db.InsertLeads(b.Context(), leads); err != nil {
					b.Fatal(err)
				}
				between := backendCPU(b, db)
				for more := true; more; {
					out, err := db.Enrich(b.Context(), ws, 200, find)
					if err != nil {
						b.Fatal(err)
					}
					more = out.More
				}
				after := backendCPU(b, db)
				insert, enrich = append(insert, (between-before)/float64(size)), append(enrich, (after-between)/float64(size))
			}
			slices.Sort(insert)
			slices.Sort(enrich)
			b.ReportMetric(insert[len(insert)/5], "insert-µs/lead")
			b.ReportMetric(enrich[len(enrich)/5], "enrich-µs/lead")
		})
	}
}
