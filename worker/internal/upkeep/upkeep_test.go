package upkeep_test

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/upkeep"
)

// sweeper starts an Upkeep that asks at every tick, and the server of its queue.
func sweeper(t *testing.T, db *pg.DB, c redis.UniversalClient, every time.Duration) *prometheus.Registry {
	t.Helper()
	metrics := prometheus.NewRegistry()
	u := upkeep.New(upkeep.Deps{DB: db, Redis: c, Waker: task.NewWaker(c), Every: every, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: metrics})
	mux := asynq.NewServeMux()
	mux.HandleFunc(task.TypeSweep, u.Sweep)
	server := asynq.NewServerFromRedisClient(c, asynq.Config{Concurrency: 1, Queues: map[string]int{task.QueueUpkeep: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel})
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	u.Start()
	t.Cleanup(func() { u.Stop(); server.Shutdown() })
	return metrics
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if cond() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// mustOwe makes a workspace with one lead, which owes it a delivery and an enrichment, and wakes nobody.
func mustOwe(t *testing.T, db *pg.DB) (ws, endpoint id.UUID) {
	t.Helper()
	now := time.Now()
	ws, endpoint = id.New(), id.New()
	if err := db.CreateWorkspace(t.Context(), tenant.Workspace{ID: ws, Name: "w", CreatedAt: now, UpdatedAt: now}); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateEndpoint(t.Context(), hook.Endpoint{WorkspaceID: ws, ID: endpoint, URL: "https://hooks.example.com/", EventTypes: []string{hook.LeadCreated}, Secret: hook.NewSecret(), Enabled: true, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	l := lead.Lead{WorkspaceID: ws, ID: id.New(), Email: "a@example.com", EmailKey: "a@example.com", Source: "api", Status: "new", Metadata: []byte(`{}`), CreatedAt: now}
	if _, err := db.InsertLeads(t.Context(), []pg.NewLead{{Lead: l, EventID: id.New()}}); err != nil {
		t.Fatal(err)
	}
	return ws, endpoint
}

// What is due and has no wake-up gets one, once, however often it is swept; after a lost Redis it gets another.
func TestSweepWakesWhatIsDue(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, endpoint := mustOwe(t, db)
	metrics := sweeper(t, db, c, 100*time.Millisecond)
	inspect := asynq.NewInspectorFromRedisClient(c)
	pending := func(queue string) (keys []task.Key) {
		tasks, _ := inspect.ListPendingTasks(queue)
		for _, i := range tasks {
			k, err := task.ParseKey(i.Payload)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k)
		}
		return keys
	}
	swept := func(n int) bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueUpkeep)
		return len(tasks) >= n
	}
	check := func(when string) {
		t.Helper()
		await(t, "three sweeps "+when, func() bool { return swept(3) })
		if got, want := pending(task.QueueWebhook), []task.Key{task.Drain(ws, endpoint)}; !slices.Equal(got, want) {
			t.Errorf("%s: webhook queue = %v, want %v", when, got, want)
		}
		if got, want := pending(task.QueueEnrich), []task.Key{task.Enrich(ws)}; !slices.Equal(got, want) {
			t.Errorf("%s: enrich queue = %v, want %v", when, got, want)
		}
	}
	check("at first")
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	check("after Redis lost all")
	queues, err := inspect.Queues()
	slices.Sort(queues)
	if want := []string{task.QueueEnrich, task.QueueUpkeep, task.QueueWebhook}; err != nil || !slices.Equal(queues, want) {
		t.Errorf("queues of the dashboard = %v, %v, want %v", queues, err, want)
	}
	families, err := metrics.Gather()
	if err != nil || len(families) != 1 || len(families[0].Metric) != 2 || families[0].Metric[0].Counter.GetValue() < 3 {
		t.Errorf("metrics = %v, %v, want leadgate_sweep_woken_total of two kinds, counted at every sweep", families, err)
	}
}

// Of several workers one sweeps at each tick.
func TestOneSweepPerTick(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	const every = 250 * time.Millisecond
	for range 3 {
		sweeper(t, db, c, every)
	}
	inspect := asynq.NewInspectorFromRedisClient(c)
	var tasks []*asynq.TaskInfo
	await(t, "four sweeps", func() bool {
		tasks, _ = inspect.ListCompletedTasks(task.QueueUpkeep)
		return len(tasks) >= 4
	})
	var ticks []time.Time
	for _, i := range tasks {
		tick, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(i.ID, "sweep:"))
		if err != nil {
			t.Fatal(err)
		}
		ticks = append(ticks, tick)
	}
	slices.SortFunc(ticks, time.Time.Compare)
	for i := 1; i < len(ticks); i++ {
		if gap := ticks[i].Sub(ticks[i-1]); gap < every {
			t.Errorf("sweeps %v apart, want at least %v", gap, every)
		}
	}
}

// Partitions that are missing come back with the first sweep.
func TestSweepMakesPartitions(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	const last = `select max(relname) from pg_class where relkind = 'r' and relname like 'attempts\_2%'`
	var want, got string
	if err := db.GetContext(t.Context(), &want, last); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "drop table "+want); err != nil {
		t.Fatal(err)
	}
	sweeper(t, db, c, 100*time.Millisecond)
	await(t, "partition "+want, func() bool { return db.GetContext(t.Context(), &got, last) == nil && got == want })
}
