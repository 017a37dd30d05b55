package process_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/process"
	"leadgate/worker/internal/sender"
	"leadgate/worker/internal/upkeep"
)

// patience is how long a test waits for what must happen.
const patience = 90 * time.Second

// bundle is a workspace in stores of its own.
type bundle struct {
	testing.TB
	db    *pg.DB
	redis redis.UniversalClient
	waker *task.Waker
	ws    id.UUID
}

func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{TB: t, db: pgtest.New(t)}
	b.ws = pgtest.Workspace(t, b.db).ID
	b.useRedis(redistest.New(t))
	return b
}

func (b *bundle) useRedis(c redis.UniversalClient) { b.redis, b.waker = c, task.NewWaker(c) }

// mustEndpoint makes an endpoint for url.
func (b *bundle) mustEndpoint(url string, types ...string) webhook.Endpoint {
	b.Helper()
	return b.mustEndpointWith(webhook.Endpoint{URL: url, EventTypes: types})
}

func (b *bundle) mustEndpointWith(e webhook.Endpoint) webhook.Endpoint {
	b.Helper()
	if e.EventTypes == nil {
		e.EventTypes = []string{webhook.LeadCreated}
	}
	return pgtest.Endpoint(b, b.db, b.ws, func(made *webhook.Endpoint) {
		e.WorkspaceID, e.ID, e.Secret, e.Enabled, e.CreatedAt = b.ws, made.ID, made.Secret, true, made.CreatedAt
		*made = e
	})
}

// mustLeads commits n leads without a wake-up and returns what would be woken.
func (b *bundle) mustLeads(n int) []task.Key {
	b.Helper()
	var leads []pg.NewLead
	for range n {
		l := lead.Lead{WorkspaceID: b.ws, ID: id.New(), Source: "api", Status: "new", Metadata: []byte(`{}`),
			CreatedAt: time.Now()}
		l.Email = fmt.Sprintf("%s@example.com", l.ID)
		l.UniqueKey = l.Email
		leads = append(leads, pg.NewLead{Lead: l, EventID: id.New()})
	}
	in, err := b.db.InsertLeads(b.Context(), leads)
	if err != nil {
		b.Fatal(err)
	}
	return process.Drains(in.Wake)
}

func (b *bundle) mustWake(keys ...task.Key) {
	b.Helper()
	if err := b.waker.Wake(b.Context(), keys); err != nil {
		b.Fatal(err)
	}
}

// options of a worker; the zero value is an ordinary one without sweeps.
type options struct {
	log      io.Writer // nil: nowhere
	schedule webhook.Schedule
	sweep    time.Duration // 0: none
	maxRun   time.Duration
	find     func(context.Context, tenant.Settings, []lead.Lead) []pg.Finding

	disableAfter time.Duration
	memory       *limit.Budget[id.UUID] // nil: 128 MiB
	concurrency  int                    // tasks at a time; 0: 8
}

// worker starts what a worker process runs. It ends with the test; stop ends it earlier, with grace for what is under
// way.
func (b *bundle) worker(o options) (stop func(grace time.Duration)) {
	b.Helper()
	if o.schedule == nil {
		o.schedule = webhook.Schedule{0, 50 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond}
	}
	if o.memory == nil {
		o.memory = limit.NewBudget[id.UUID](128 << 20)
	}
	if o.log == nil {
		o.log = io.Discard
	}
	log, metrics := slog.New(slog.NewTextHandler(o.log, nil)), prometheus.NewRegistry()
	sender := sender.New(sender.Deps{Allow: webhook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		HTTP: true},
		Parallel: webhook.MaxInFlight, Now: time.Now})
	p := process.New(process.Deps{DB: b.db, Redis: b.redis, Waker: b.waker, Send: sender.SendDue, Find: o.find,
		Schedule: o.schedule, MaxRun: o.maxRun, DisableAfter: o.disableAfter, Now: time.Now, Log: log, Metrics: metrics,
		Memory: o.memory})
	keeper := upkeep.New(upkeep.Deps{DB: b.db, Redis: b.redis, Waker: b.waker, Every: o.sweep, Now: time.Now, Log: log,
		Metrics: metrics})
	server := asynq.NewServerFromRedisClient(b.redis, asynq.Config{
		Concurrency: cmp.Or(o.concurrency, 8),
		Queues: map[string]int{task.QueueWebhook: 1, task.QueueEnrich: 1, task.QueueUpkeep: 1, task.QueueFailing: 1,
			task.QueueReplay: 1, task.QueueImport: 1},
		TaskCheckInterval: 5 * time.Millisecond, DelayedTaskCheckInterval: 100 * time.Millisecond,
		RetryDelayFunc: process.RetryDelay, LogLevel: asynq.FatalLevel,
	})
	if err := server.Start(p.Handler(keeper.Sweep)); err != nil {
		b.Fatal(err)
	}
	if o.sweep > 0 {
		keeper.Start()
	}
	var once sync.Once
	stop = func(grace time.Duration) {
		once.Do(func() {
			if o.sweep > 0 {
				keeper.Stop()
			}
			p.Stop(grace)
			server.Shutdown()
			sender.Close()
		})
	}
	b.Cleanup(func() { stop(0) })
	return stop
}

// request is what a receiver got.
type request struct {
	id   string
	body []byte
	head http.Header
}

// receiver is an endpoint on loopback that answers as told and keeps what it got.
type receiver struct {
	*httptest.Server
	got chan request
}

// mustReceive starts a receiver; answer gets the number of the request, from 1.
func mustReceive(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	rec := &receiver{got: make(chan request, 10_000)}
	var mu sync.Mutex
	n := 0
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		n++
		nth := n
		mu.Unlock()
		rec.got <- request{r.Header.Get("webhook-id"), body, r.Header}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if answer != nil {
			answer(nth, w, r)
		}
	}))
	t.Cleanup(func() { rec.CloseClientConnections(); rec.Close() })
	return rec
}

// holdFirst answers the first request only when hold is closed, or not at all.
func holdFirst(hold chan struct{}) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 1 {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
	}
}

// mustNext waits for a request.
func (r *receiver) mustNext(t testing.TB) request {
	t.Helper()
	select {
	case got := <-r.got:
		return got
	case <-time.After(patience):
		t.Fatal("no request came")
		return request{}
	}
}

// verify checks a request's signature with the library of the specification's project.
func verify(t testing.TB, e webhook.Endpoint, r request) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(e.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.Verify(r.body, r.head); err != nil {
		t.Errorf("Verify(%s) = %v, want nil", r.body, err)
	}
}

// deliveries returns an endpoint's deliveries and their attempts.
func (b *bundle) deliveries(e webhook.Endpoint) (all []webhook.Delivery, attempts map[id.UUID][]webhook.Attempt) {
	b.Helper()
	all, _, err := b.db.FindDeliveries(b.Context(), b.ws, pg.DeliveryQuery{Filter: webhook.Filter{EndpointID: e.ID},
		Limit: 50_000, Scan: 50_001})
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]id.UUID, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	if attempts, err = b.db.ListAttempts(b.Context(), b.ws, ids); err != nil {
		b.Fatal(err)
	}
	return all, attempts
}

// longestPause returns the longest time between two attempts of an endpoint.
func (b *bundle) longestPause(e webhook.Endpoint) (longest time.Duration) {
	b.Helper()
	_, attempts := b.deliveries(e)
	var at []time.Time
	for _, all := range attempts {
		for _, a := range all {
			at = append(at, a.At)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	for i := 1; i < len(at); i++ {
		longest = max(longest, at[i].Sub(at[i-1]))
	}
	return longest
}

// awaitStates waits until the endpoint has n deliveries, all in state.
func (b *bundle) awaitStates(e webhook.Endpoint, n int, state webhook.State) {
	b.Helper()
	testwait.Until(b, fmt.Sprintf("%d deliveries %s", n, state), func() bool {
		all, _ := b.deliveries(e)
		return len(all) == n && !slices.ContainsFunc(all, func(d webhook.Delivery) bool { return d.State != state })
	})
}
