package upkeep_test

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/upkeep"
)

// sweeper starts an Upkeep that asks at every tick, and the server of its queue.
func sweeper(t *testing.T, db *pg.DB, c redis.UniversalClient, every time.Duration,
	change ...func(*upkeep.Upkeep)) *prometheus.Registry {
	t.Helper()
	metrics, _ := startSweeper(t, db, c, every, change...)
	return metrics
}

// startSweeper is sweeper, and returns what stops it before the test ends.
func startSweeper(t *testing.T, db *pg.DB, c redis.UniversalClient, every time.Duration,
	change ...func(*upkeep.Upkeep)) (metrics *prometheus.Registry, stop func()) {
	t.Helper()
	metrics = prometheus.NewRegistry()
	u := upkeep.New(upkeep.Deps{DB: db, Redis: c, Waker: task.NewWaker(c), Every: every, Retention: 30 * 24 * time.Hour,
		SubmissionRetention: 400 * 24 * time.Hour,
		Now:                 time.Now,
		Log:                 slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: metrics})
	for _, c := range change {
		c(u)
	}
	mux := asynq.NewServeMux()
	mux.HandleFunc(task.TypeSweep, u.Sweep)
	server := asynq.NewServerFromRedisClient(c, asynq.Config{Concurrency: 1, Queues: map[string]int{task.QueueUpkeep: 1},
		TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel})
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	u.Start()
	stop = sync.OnceFunc(func() { u.Stop(); server.Shutdown() })
	t.Cleanup(stop)
	return metrics, stop
}

// mustOwe makes a workspace with one lead, which owes it a delivery and an enrichment, and wakes nobody.
func mustOwe(t *testing.T, db *pg.DB) (ws, endpoint id.UUID) {
	t.Helper()
	ws = pgtest.Workspace(t, db).ID
	endpoint = pgtest.Endpoint(t, db, ws, func(e *webhook.Endpoint) { e.EventTypes = []string{webhook.LeadCreated} }).ID
	pgtest.Lead(t, db, ws, func(l *lead.Lead) { l.Email = "a@example.com" })
	return ws, endpoint
}

// counted returns what a counter or gauge has come to, of one kind where it has kinds.
func counted(t *testing.T, metrics *prometheus.Registry, name, kind string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name && (kind == "" || m.Label[0].GetValue() == kind) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s of kind %q", name, kind)
	return 0
}

func mustExec(t *testing.T, db *pg.DB, query string, args ...any) {
	t.Helper()
	pgtest.Exec(t, db, query, args...)
}

// What is due and has no wake-up gets one, once, however often it is swept; after a lost Redis it gets another.
func TestSweepWakesWhatIsDue(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, endpoint := mustOwe(t, db)
	bad, failing := mustOwe(t, db)
	mustExec(t, db, `update endpoints set probe_at = now() - interval '1 s', failures = 5 where id = $1`, failing)
	quiet, resting := mustOwe(t, db)
	mustExec(t, db, `update endpoints set probe_at = now() + interval '1 h', failures = 1 where id = $1`, resting)
	mustExec(t, db, `delete from enrichment_queue where workspace_id <> $1`, ws)
	replay := webhook.Replay{WorkspaceID: ws, ID: id.New(), Rate: 1, CreatedAt: time.Now()}
	if err := db.CreateReplay(t.Context(), replay); err != nil {
		t.Fatal(err)
	}
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
		slices.SortFunc(keys, func(a, b task.Key) int { return strings.Compare(a.String(), b.String()) })
		return keys
	}
	swept := func(n int) bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueUpkeep)
		return len(tasks) >= n
	}
	check := func(when string, times float64) {
		t.Helper()
		testwait.Until(t, "three sweeps "+when, func() bool { return swept(3) })
		for _, w := range []struct {
			queue, kind string
			keys        []task.Key
		}{
			{task.QueueWebhook, "endpoint", []task.Key{task.Drain(ws, endpoint)}}, {task.QueueFailing, "failing",
				[]task.Key{task.Drain(bad, failing), task.Drain(quiet, resting)}},
			{task.QueueEnrich, "enrichment", []task.Key{task.EnrichDue()}}, {task.QueueReplay, "replay",
				[]task.Key{task.Replay(ws, replay.ID)}},
		} {
			slices.SortFunc(w.keys, func(a, b task.Key) int { return strings.Compare(a.String(), b.String()) })
			if got := pending(w.queue); !slices.Equal(got, w.keys) {
				t.Errorf("%s: queue %s = %v, want %v", when, w.queue, got, w.keys)
			}
			if got, want := counted(t, metrics, "leadgate_sweep_woken_total", w.kind), times*float64(len(w.keys)); got != want {
				t.Errorf("%s: leadgate_sweep_woken_total{kind=%s} = %v, want %v: once for each time nobody was at it", when, w.kind,
					got, want)
			}
		}
	}
	check("at first", 1)
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	check("after Redis lost all", 2)
	queues, err := inspect.Queues()
	slices.Sort(queues)
	want := task.Queues()
	slices.Sort(want)
	if err != nil || !slices.Equal(queues, want) {
		t.Errorf("queues of the dashboard = %v, %v, want %v", queues, err, want)
	}
}

// A process was killed between turning a key to waiting and enqueuing its task, and the queue is never empty: the key
// gets a task once it has waited for half a minute, and not before.
func TestSweepReplacesALostTaskInABusyQueue(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, endpoint := mustOwe(t, db)
	other, busy := mustOwe(t, db)
	inspect := asynq.NewInspectorFromRedisClient(c)
	waits := func(k task.Key) bool {
		tasks, _ := inspect.ListPendingTasks(task.QueueWebhook)
		return slices.ContainsFunc(tasks, func(i *asynq.TaskInfo) bool {
			got, err := task.ParseKey(i.Payload)
			return err == nil && got == k
		})
	}
	if err := task.NewWaker(c).Wake(t.Context(), []task.Key{task.Drain(other, busy)}); err != nil {
		t.Fatal(err)
	}
	lost := task.Drain(ws, endpoint)
	if _, err := rdb.Announce(t.Context(), c, nil, []rdb.WakeKey{lost.Wake()}, nil); err != nil {
		t.Fatal(err)
	}
	keys, err := c.Keys(t.Context(), "lg:*:wake:*"+id.Endpoint.Format(endpoint)+"*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("Keys() = %q, %v, want the wake-up", keys, err)
	}
	sweeper(t, db, c, 100*time.Millisecond)
	testwait.Until(t, "three sweeps", func() bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueUpkeep)
		return len(tasks) >= 3
	})
	if waits(lost) {
		t.Error("a key that has just begun to wait got another task")
	}
	if err := c.PExpire(t.Context(), keys[0], rdb.WaitingTTL-31*time.Second).Err(); err != nil { // as if 31 s ago
		t.Fatal(err)
	}
	testwait.Until(t, "another task", func() bool { return waits(lost) })
}

// Where more endpoints wait than one sweep looks at, the next goes on behind them and then begins again.
func TestSweepsTakeTurns(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	for range 5 {
		mustOwe(t, db)
	}
	sweeper(t, db, c, 100*time.Millisecond, func(u *upkeep.Upkeep) { u.LimitScan(2) })
	inspect := asynq.NewInspectorFromRedisClient(c)
	woken := func() bool {
		tasks, _ := inspect.ListPendingTasks(task.QueueWebhook)
		return len(tasks) == 5
	}
	testwait.Until(t, "all endpoints to be woken", woken)
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "all endpoints to be woken again", woken)
}

// Where more endpoints fail than one sweep sees to, each gets its turn, though nobody takes the tasks of the others
// away.
func TestFailingEndpointsTakeTurns(t *testing.T) {
	t.Parallel()
	for name, probeAt := range map[string]string{"to be tried": "now()", "at rest": "now() + interval '1 h'"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, c := pgtest.New(t), redistest.New(t)
			for range 5 {
				mustOwe(t, db)
			}
			mustExec(t, db, `update endpoints set failures = 5, probe_at = `+probeAt)
			sweeper(t, db, c, 100*time.Millisecond, func(u *upkeep.Upkeep) { u.LimitProbeTasks(2) })
			inspect := asynq.NewInspectorFromRedisClient(c)
			testwait.Until(t, "a task for each", func() bool {
				tasks, _ := inspect.ListPendingTasks(task.QueueFailing)
				return len(tasks) == 5
			})
		})
	}
}

// A task that rests runs when its endpoint can be tried: not before the pause is over, nor when nothing is due.
func TestSweepRunsWhatRests(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	client, inspect := asynq.NewClientFromRedisClient(c), asynq.NewInspectorFromRedisClient(c)
	rest := func(set, next string) (taskID string) {
		ws, endpoint := mustOwe(t, db)
		mustExec(t, db, `update endpoints set failures = 5, `+set+` where id = $1`, endpoint)
		mustExec(t, db, `update deliveries set next_at = `+next+` where endpoint_id = $1`, endpoint)
		taskID = task.Drain(ws, endpoint).String()
		if _, err := client.Enqueue(asynq.NewTask(task.TypeProbe, nil), asynq.Queue(task.QueueFailing), asynq.TaskID(taskID),
			asynq.ProcessIn(time.Hour)); err != nil {
			t.Fatal(err)
		}
		return taskID
	}
	const hour = ` + interval '1 h'`
	ready, early := rest(`probe_at = now()`, `now()`), rest(`probe_at = now()`+hour, `now()`)
	later, closed := rest(`probe_at = now()`, `now()`+hour), rest(`probe_at = null`, `now()`) // a drain tries the last
	sweeper(t, db, c, 100*time.Millisecond)
	testwait.Until(t, "three sweeps", func() bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueUpkeep)
		return len(tasks) >= 3
	})
	for taskID, want := range map[string]asynq.TaskState{ready: asynq.TaskStatePending, early: asynq.TaskStateScheduled,
		closed: asynq.TaskStateScheduled, later: asynq.TaskStateScheduled} {
		if i, err := inspect.GetTaskInfo(task.QueueFailing, taskID); err != nil || i.State != want {
			t.Errorf("task = %+v, %v, want it %s", i, err, want)
		}
	}
}

// What still waits for a disabled or deleted endpoint is held or cancelled.
func TestSweepSettles(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	_, disabled := mustOwe(t, db)
	_, deleted := mustOwe(t, db)
	_, fine := mustOwe(t, db)
	mustExec(t, db, `update endpoints set enabled = false where id = $1`, disabled)
	mustExec(t, db, `update endpoints set deleted_at = now() where id = $1`, deleted)
	metrics := sweeper(t, db, c, 100*time.Millisecond)
	state := func(endpoint id.UUID) (s webhook.State) {
		if err := db.GetContext(t.Context(), &s, `select state from deliveries where endpoint_id = $1`,
			endpoint); err != nil {
			t.Fatal(err)
		}
		return s
	}
	testwait.Until(t, "deliveries to be settled", func() bool {
		return state(disabled) == webhook.Held &&
			state(deleted) == webhook.Cancelled
	})
	if got := state(fine); got != webhook.Pending {
		t.Errorf("delivery of an enabled endpoint = %s, want pending", got)
	}
	testwait.Until(t, "the count", func() bool { return counted(t, metrics, "leadgate_deliveries_settled_total", "") == 2 })
}

// The first sweep drops what is older than the retention.
func TestSweepDropsOldPartitions(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, endpoint := mustOwe(t, db)
	const weeks = `select count(*) from pg_inherits where inhparent = $1::regclass`
	count := func(table string) (n float64) {
		if err := db.GetContext(t.Context(), &n, weeks, table); err != nil {
			t.Fatal(err)
		}
		return n
	}
	now := count("attempts")
	mustExec(t, db, `select ensure_partitions(now() - interval '60 days', now() - interval '50 days')`)
	old := count("attempts") - now
	mustExec(t, db, `insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
select $1, uuid_floor(now() - interval '50 days'), $2, $2, 'pending', now(), now(), now()`, ws, endpoint)
	metrics := sweeper(t, db, c, 100*time.Millisecond)
	testwait.Until(t, "the count of what is kept", func() bool { return counted(t, metrics, "leadgate_partitions_kept", "") == 1 })
	if got, want := counted(t, metrics, "leadgate_partitions_dropped_total", ""), 3*old-2; got != want {
		t.Errorf("leadgate_partitions_dropped_total = %v, want %v: all but the week of a pending delivery and its event", got,
			want)
	}
	if got := [3]float64{count("attempts"), count("deliveries"), count("events")}; got != [3]float64{now, now + 1,
		now + 1} {
		t.Errorf("weeks of attempts, deliveries and events = %v, want %v, and one more of the other two", got, now)
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
	testwait.Until(t, "four sweeps", func() bool {
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
	pgtest.Exec(t, db, "drop table "+want)
	began := time.Now()
	metrics := sweeper(t, db, c, 100*time.Millisecond)
	testwait.Until(t, "partition "+want, func() bool { return db.GetContext(t.Context(), &got, last) == nil && got == want })
	testwait.Until(t, "metrics that say how far they reach, and that retention runs", func() bool {
		return counted(t, metrics, "leadgate_partitions_ahead_seconds", "") >= 28*24*3600 &&
			counted(t, metrics, "leadgate_retention_success_timestamp_seconds", "") >= float64(began.Unix())
	})
}
