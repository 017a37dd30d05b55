package process_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// largest is metadata as large as a lead may have.
func largest() []byte {
	b := make([]byte, lead.MaxMetadata*3/4)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return fmt.Appendf(nil, `{"a":"%s"}`, base64.StdEncoding.EncodeToString(b)[:lead.MaxMetadata-8])
}

// heap is what lives, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// A workspace whose fifty endpoints hang has large deliveries waiting for each. What the worker holds of them stays
// within the workspace's share of the budget, each endpoint is tried all the same, and so is another workspace's.
func TestDrainsShareTheMemoryBudget(t *testing.T) { // not parallel: it measures the heap
	b := setup(t)
	const endpoints, leads, budget = webhook.MaxEndpoints, 130, 24 << 20
	tried := make(chan string, 10_000)
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		tried <- r.URL.Path
		<-r.Context().Done()
	}))
	t.Cleanup(func() { stuck.CloseClientConnections(); stuck.Close() })
	var keys []task.Key
	for n := range endpoints {
		e := b.mustEndpoint(fmt.Sprintf("%s/%d", stuck.URL, n))
		keys = append(keys, task.Drain(b.ws, e.ID))
	}
	pgtest.Leads(t, b.db, b.ws, leads, func(l *lead.Lead) { l.Metadata = largest() })
	before := heap()
	memory := limit.NewBudget[id.UUID](budget)
	stop := b.worker(options{memory: memory, concurrency: 2 * endpoints})
	b.mustWake(keys...)
	seen := map[string]bool{}
	for late := time.After(patience); len(seen) < endpoints; {
		select {
		case path := <-tried:
			seen[path] = true
		case <-late:
			t.Fatalf("%d endpoints of %d were tried", len(seen), endpoints)
		}
	}
	other := *b
	other.ws = pgtest.Workspace(t, b.db).ID
	rec := mustReceive(t, nil)
	e := other.mustEndpoint(rec.URL)
	pgtest.Leads(t, b.db, other.ws, 20, func(l *lead.Lead) { l.Metadata = largest() })
	other.mustWake(task.Drain(other.ws, e.ID))
	other.awaitStates(e, 20, webhook.Delivered)

	const one = 2 * (lead.MaxMetadata + 1024) // a delivery and the body that is sent
	held, most := memory.Usage().Used, int64(budget/4+endpoints*one)
	if held < one || held > most {
		t.Errorf("%d KiB are held for deliveries, want %d at most", held>>10, most>>10)
	}
	const room = 24 << 20 // for connections, those of the receiver too
	grown := heap() - before
	if grown > most+room {
		t.Errorf("the heap grew by %d MiB, want %d at most", grown>>20, (most+room)>>20)
	}
	t.Logf("%d KiB held, the heap grew by %d KiB", held>>10, grown>>10)
	stop(0)
	if u := memory.Usage(); u.Used != 0 || u.Short == 0 {
		t.Errorf("Usage() = %+v after all runs, want nothing used, and some that got less", u)
	}
}

// So do attempts: what each takes while its endpoint does not answer is far more than a small delivery.
func TestAttemptsShareTheMemoryBudget(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const endpoints, budget = 10, 24 << 20
	var mu sync.Mutex
	tried := map[string]int{}
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		tried[r.URL.Path]++
		mu.Unlock()
		<-r.Context().Done()
	}))
	t.Cleanup(func() { stuck.CloseClientConnections(); stuck.Close() })
	var keys []task.Key
	for n := range endpoints {
		e := b.mustEndpointWith(webhook.Endpoint{URL: fmt.Sprintf("%s/%d", stuck.URL, n), MaxInFlight: webhook.MaxInFlight})
		keys = append(keys, task.Drain(b.ws, e.ID))
	}
	b.mustLeads(100)
	memory := limit.NewBudget[id.UUID](budget)
	b.worker(options{memory: memory, concurrency: 2 * endpoints})
	b.mustWake(keys...)
	testwait.Until(t, "an attempt at each endpoint", func() bool { mu.Lock(); defer mu.Unlock(); return len(tried) == endpoints })
	all := 0
	testwait.Until(t, "all attempts that there is memory for", func() bool {
		mu.Lock()
		defer mu.Unlock()
		before := all
		all = 0
		for _, n := range tried {
			all += n
		}
		return all > 0 && all == before
	})
	const most = budget/4/(40<<10) + endpoints
	if u := memory.Usage(); all > most || u.Used > budget/4 {
		t.Errorf("%d attempts with %d KiB are under way, want %d with %d at most", all, u.Used>>10, most, budget/4>>10)
	}
}

// A sandbox has no share of its own: what its drains hold is its live workspace's.
func TestSandboxSharesTheMemoryBudget(t *testing.T) {
	t.Parallel()
	b := setup(t)
	live := b.ws
	sandbox := tenant.Workspace{ID: id.New(), TestOf: live, CreatedAt: time.Now()}
	if _, err := b.db.EnsureSandbox(b.Context(), sandbox); err != nil {
		t.Fatal(err)
	}
	b.ws = sandbox.ID
	var now, most atomic.Int64
	rec := mustReceive(t, func(int, http.ResponseWriter, *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(20 * time.Millisecond) // so that attempts overlap, if there are several
		now.Add(-1)
	})
	e := b.mustEndpoint(rec.URL)
	memory := limit.NewBudget[id.UUID](8 << 20)
	memory.Charge(live, 2<<20) // its quarter
	b.worker(options{memory: memory})
	b.mustWake(b.mustLeads(20)...)
	b.awaitStates(e, 20, webhook.Delivered)
	if most.Load() != 1 {
		t.Errorf("%d attempts at a time, want one after the other: the live workspace has their share", most.Load())
	}
	testwait.Until(t, "what was held given back", func() bool { return memory.Usage().Used == 2<<20 })
}

// A drain for which the budget has nothing left sends one delivery after the other.
func TestDrainWithoutMemoryGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	memory := limit.NewBudget[id.UUID](1 << 20)
	memory.Charge(b.ws, 1<<20)
	b.worker(options{memory: memory})
	b.mustWake(b.mustLeads(30)...)
	b.awaitStates(e, 30, webhook.Delivered)
	testwait.Until(t, "what was held given back", func() bool { return memory.Usage().Used == 1<<20 })
}
