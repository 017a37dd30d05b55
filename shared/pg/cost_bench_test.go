package pg_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// BenchmarkLead is what a lead costs the processes of Postgres that serve connections: the statement that inserts it, and
// its enrichment. It is the processor time that a fifth of the batches stay below, which hardly moves on a busy machine.
func BenchmarkLead(b *testing.B) {
	const facts = `{"email":{"domain":"example.com","freeMail":false,"disposable":false},"phone":{"country":"US","valid":true}}`
	find := func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		return slices.Repeat([]pg.Finding{{Facts: []byte(facts)}}, len(leads))
	}
	for _, size := range []int{1, 50, 250} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			db := mustOpenOne(b)
			ws := pgtest.Workspace(b, db).ID
			n := 0
			var insert, enrich []float64
			for b.Loop() {
				leads := make([]pg.NewLead, size)
				for i := range leads {
					n++
					leads[i] = visitor(ws, n)
				}
				before := backendTime(b, db)
				if _, err := db.InsertLeads(b.Context(), leads); err != nil {
					b.Fatal(err)
				}
				between := backendTime(b, db)
				for more := true; more; {
					out, err := db.Enrich(b.Context(), []id.UUID{ws}, 200, find)
					if err != nil {
						b.Fatal(err)
					}
					more = out.More
				}
				insert = append(insert, (between-before)/float64(size))
				enrich = append(enrich, (backendTime(b, db)-between)/float64(size))
			}
			b.ReportMetric(lowest(insert), "insert-µs/lead")
			b.ReportMetric(lowest(enrich), "enrich-µs/lead")
		})
	}
}

// BenchmarkDelivery is what a delivery costs the process of Postgres that serves the worker: its share of the lease that
// has it, and of the record that it arrived. It is measured as that of BenchmarkLead is.
func BenchmarkDelivery(b *testing.B) {
	for _, size := range []int{1, 100, 500} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			db := mustOpenOne(b)
			ws := pgtest.Workspace(b, db).ID
			e := webhook.Endpoint{WorkspaceID: ws, ID: id.New(), URL: "https://hooks.example.com/in",
				EventTypes: []string{webhook.LeadCreated}, Secret: webhook.NewSecret(), Enabled: true, CreatedAt: time.Now()}
			if err := db.CreateEndpoint(b.Context(), e); err != nil {
				b.Fatal(err)
			}
			n, token := 0, id.New()
			var lease, record []float64
			for b.Loop() {
				leads := make([]pg.NewLead, size)
				for i := range leads {
					n++
					leads[i] = visitor(ws, n)
				}
				if _, err := db.InsertLeads(b.Context(), leads); err != nil {
					b.Fatal(err)
				}
				before := backendTime(b, db)
				leased, err := db.LeaseDue(b.Context(), pg.LeaseRequest{Workspace: ws, Endpoint: e.ID, Token: token,
					Lease: time.Minute, Limit: size})
				if err != nil || len(leased.Due) != size {
					b.Fatalf("LeaseDue = %d deliveries, %v, want %d", len(leased.Due), err, size)
				}
				between := backendTime(b, db)
				r := pg.RecordRequest{Workspace: ws, Endpoint: e.ID, Token: token, Lease: time.Minute}
				for i := range leased.Due {
					r.Outcomes = append(r.Outcomes, webhook.Outcome{State: webhook.Delivered, Attempt: webhook.Attempt{
						DeliveryID: leased.Due[i].DeliveryID, ID: id.New(), Number: 1, Status: 200, ResponseHead: "ok",
						Latency: 12 * time.Millisecond, At: time.Now()}})
				}
				if ok, err := db.RecordOutcomes(b.Context(), r); !ok || err != nil {
					b.Fatalf("RecordOutcomes = %t, %v", ok, err)
				}
				lease = append(lease, (between-before)/float64(size))
				record = append(record, (backendTime(b, db)-between)/float64(size))
			}
			b.ReportMetric(lowest(lease), "lease-µs/delivery")
			b.ReportMetric(lowest(record), "record-µs/delivery")
		})
	}
}

// mustOpenOne opens a database of its own by one connection.
func mustOpenOne(b *testing.B) *pg.DB {
	b.Helper()
	db, err := pg.Open(pgtest.URL(b), pg.Options{MaxConns: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

// lowest returns what a fifth of the measurements stay below.
func lowest(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/5]
}

// visitor is a lead as a chatbot sends it.
func visitor(ws id.UUID, n int) pg.NewLead {
	email := fmt.Sprintf("visitor-%d@example.com", n)
	l := lead.Lead{WorkspaceID: ws, ID: id.New(), Email: email, UniqueKey: email, Name: "Jane Visitor", Phone: "+15550100",
		Source: "website", Status: "new", Metadata: []byte(`{"page":"/pricing","campaign":"spring","plan":"pro"}`)}
	l.CreatedAt = id.Time(l.ID)
	l.UpdatedAt = l.CreatedAt
	return pg.NewLead{EventID: id.New(), Way: tenant.WayAPI, Lead: l}
}

// backendTime returns the microseconds of processor time that the one connection of db has cost Postgres.
func backendTime(b *testing.B, db *pg.DB) float64 {
	b.Helper()
	var pid int
	if err := db.GetContext(b.Context(), &pid, `select pg_backend_pid()`); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		b.Skip("only Linux tells the processor time of another process in nanoseconds")
	}
	ns, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns / 1000
}
