package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
)

// withMemory gives the API a memory budget.
func withMemory(memory *limit.Budget[id.UUID]) func(*api.Deps) {
	return func(d *api.Deps) {
		log := slog.New(slog.DiscardHandler)
		d.Edge, d.BatchMemory = httpx.New(httpx.Deps{Log: log, Listener: "api", Memory: memory}), memory.Usage().Total
	}
}

// sendUnfinished sends nearly all of a batch of 5 MiB and then nothing more, or as much as the gateway takes.
func (b *bundle) sendUnfinished(t *testing.T, secret string) (c net.Conn) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { c.Close() })
	head := fmt.Sprintf("POST /api/v1/leads/batch HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", secret, 5<<20)
	if _, err := io.WriteString(c, head); err != nil {
		t.Error(err)
	}
	piece := make([]byte, 64<<10)
	for range 5<<20/len(piece) - 1 {
		c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := c.Write(piece); err != nil {
			break // refused
		}
	}
	return c
}

// Unfinished batches of several tenants take no more memory than the budget has, and another tenant's leads are taken
// in meanwhile: small ones, large ones, and batches.
func TestUnfinishedBodiesShareTheMemoryBudget(t *testing.T) { // not parallel: it measures the heap
	for _, c := range []struct{ tenants, each int }{{1, 16}, {4, 16}} {
		t.Run(fmt.Sprintf("%d tenants with %d batches each", c.tenants, c.each), func(t *testing.T) {
			const total = 64 << 20
			memory := limit.NewBudget[id.UUID](total)
			b := setupWithin(t, time.Minute, withMemory(memory))
			attackers := make([]owner, c.tenants)
			for i := range attackers {
				attackers[i] = b.mustWorkspace(t, tenant.Settings{})
			}
			b.mustCreate(t, b.owner, "before@example.com")
			before := heapInUse()
			var sent sync.WaitGroup
			conns := make(chan net.Conn, c.tenants*c.each)
			for _, a := range attackers {
				for range c.each {
					sent.Go(func() { conns <- b.sendUnfinished(t, a.secret) })
				}
			}
			sent.Wait()
			close(conns)
			grown, used := heapInUse()-before, memory.Usage().Used
			if used < 5<<20 || used > total*3/4 {
				t.Errorf("%d MiB are charged for what arrived, want some, and room for others in %d", used>>20, total>>20)
			}
			// The clients are in this process too, and the race detector makes all of it larger.
			if most := int64(total * 5 / 4); grown > most {
				t.Errorf("the heap grew by %d MiB, want %d at most", grown>>20, most>>20)
			}
			t.Logf("%d MiB charged, the heap grew by %d MiB", used>>20, grown>>20)
			b.mustCreate(t, b.owner, "small@example.com")
			large := fmt.Sprintf(`"metadata":{"a":"%s"}`, strings.Repeat("x", 30_000))
			mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"large@example.com",`+large+`}`))
			got := b.batch(t, b.owner, "", `{"leads":[`+strings.Repeat(`{"email":"nobody",`+large+`},`, 30)+
				`{"email":"one@example.com"}]}`)
			if got.Created != 1 || got.Rejected != 30 {
				t.Errorf("a batch of 1 MiB = %s, want one created and 30 rejected", &got)
			}
			for conn := range conns {
				conn.Close()
			}
			testwait.Until(t, "nothing is charged when the clients have left", func() bool { return memory.Usage().Used == 0 })
		})
	}
}

// heapInUse is what lives, in bytes.
func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// A workspace that has its share in use is told so in the documented form, by every route that takes a body; what is
// small passes.
func TestBodyBeyondTheBudget(t *testing.T) {
	t.Parallel()
	memory := limit.NewBudget[id.UUID](1 << 20)
	b := setup(t, withMemory(memory))
	memory.Charge(b.workspace, 1<<20)
	form := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	large := strings.Repeat(" ", 30_000)
	send := func(method, path string) func(t *testing.T) answer {
		return func(t *testing.T) answer { return b.send(t, b.secret, method, path, "{"+large+"}") }
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T) answer
	}{
		{"a lead", send("POST", "/api/v1/leads")},
		{"a batch", send("POST", "/api/v1/leads/batch")},
		{"an endpoint", send("POST", "/api/v1/webhooks")},
		{"settings", send("PATCH", "/api/v1/workspace")},
		{"a form", func(t *testing.T) answer { return b.fetch(t, form, "{"+large+"}") }},
		{"a file", func(t *testing.T) answer { return b.send(t, b.secret, "POST", "/api/v1/imports?format=ndjson", "{}") }},
		{"a report", func(t *testing.T) answer {
			return b.send(t, b.secret, "GET", "/api/v1/imports/"+id.Import.Format(id.New())+"/errors", "")
		}},
		{"an export", func(t *testing.T) answer { return b.send(t, b.secret, "GET", "/api/v1/leads/export", "") }},
		{"an export of submissions", func(t *testing.T) answer {
			return b.send(t, b.secret, "GET", "/api/v1/submissions/export", "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.do(t)
			got.wantError(t, "a large body", http.StatusServiceUnavailable, "UNAVAILABLE")
			if got.header.Get("Retry-After") != "1" || !strings.Contains(got.body.Error, "memory") {
				t.Errorf("answer = %v %s, want Retry-After 1 and the reason", got.header, got.text)
			}
		})
	}
	b.mustCreate(t, b.owner, "small@example.com")
	memory.Release(b.workspace, 1<<20)
	mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"large@example.com"`+large+`}`))
}

// Batches that are too large to be written together wait for each other.
func TestBatchesWaitForMemory(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	b := setup(t, func(d *api.Deps) { d.BatchMemory, d.Registry = 1, registry })
	var running sync.WaitGroup
	for n := range 4 {
		running.Go(func() {
			got := b.send(t, b.secret, "POST", "/api/v1/leads/batch", fmt.Sprintf(`{"leads":[{"email":"%d@example.com"}]}`, n))
			if got.status != http.StatusMultiStatus {
				t.Errorf("batch %d = %d %s, want 207", n, got.status, got.text)
			}
		})
	}
	running.Wait()
	families, err := registry.Gather()
	if err != nil || len(families) != 2 {
		t.Errorf("Gather() = %v, %v, want the two metrics of batches", families, err)
	}
	for _, f := range families {
		if m := f.GetMetric()[0]; m.GetGauge().GetValue() != 0 || m.GetCounter().GetValue() != 0 {
			t.Errorf("%s = %v, want 0", f.GetName(), m)
		}
	}
}

// A list of large leads is divided into pages that take little memory, and an export has all of them.
func TestLargeLeadsInPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const leads = 150
	large := fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", 32_000))
	pgtest.Leads(t, b.db, b.workspace, leads, func(l *lead.Lead) { l.Metadata = large })
	for _, query := range []string{"limit=200", "limit=200&sort=createdAt", "limit=200&sort=-updatedAt"} {
		t.Run(query, func(t *testing.T) {
			seen, pages := map[string]bool{}, 0
			for cursor := ""; ; pages++ {
				got := b.send(t, b.secret, "GET", "/api/v1/leads?"+query+cursor, "")
				if got.status != 200 || len(got.text) > 3<<20 {
					t.Fatalf("page %d = %d with %d bytes, want 200 with 3 MiB at most", pages, got.status, len(got.text))
				}
				var shown []shownLead
				if err := json.Unmarshal(got.body.Data, &shown); err != nil {
					t.Fatal(err)
				}
				for _, l := range shown {
					seen[l.ID] = true
				}
				if got.body.NextCursor == nil {
					break
				}
				cursor = "&cursor=" + *got.body.NextCursor
			}
			if len(seen) != leads || pages < 2 {
				t.Errorf("%d leads on %d pages, want all %d on more", len(seen), pages+1, leads)
			}
		})
	}
	got := b.send(t, b.secret, "GET", "/api/v1/leads/export?format=ndjson", "")
	if n := strings.Count(got.text, "\n"); got.status != 200 || n != leads {
		t.Errorf("export = %d with %d lines, want %d", got.status, n, leads)
	}
}
