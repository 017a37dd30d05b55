package task_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
)

// A wake-up puts one task into the queue of its kind, and that task names the key again.
func TestWakeNamesItsKey(t *testing.T) {
	t.Parallel()
	ws := id.New()
	for name, test := range map[string]struct {
		key         task.Key
		kind, queue string
	}{
		"woken endpoints":              {task.DrainWoken(), task.TypeWoken, task.QueueWebhook},
		"a replay":                     {task.Replay(ws, id.New()), task.TypeReplay, task.QueueReplay},
		"an import":                    {task.Import(ws, id.New()), task.TypeImport, task.QueueImport},
		"enrichment of a workspace":    {task.Enrich(ws), task.TypeEnrich, task.QueueEnrich},
		"enrichment in all workspaces": {task.EnrichDue(), task.TypeDue, task.QueueEnrich},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := redistest.New(t)
			w := task.NewWaker(c)
			for range 2 { // the second finds the first waiting
				if err := w.Wake(t.Context(), []task.Key{test.key}); err != nil {
					t.Fatal(err)
				}
			}
			tasks, err := asynq.NewInspectorFromRedisClient(c).ListPendingTasks(test.queue)
			if err != nil || len(tasks) != 1 || tasks[0].Type != test.kind {
				t.Fatalf("tasks of queue %s = %v, %v, want one %s", test.queue, tasks, err, test.kind)
			}
			if got, err := task.ParseKey(tasks[0].Payload); err != nil || got != test.key {
				t.Errorf("ParseKey(%s) = %v, %v, want %v", tasks[0].Payload, got, err, test.key)
			}
		})
	}
}

// Endpoints that get deliveries share one task; each gets a task of its own where it is said so.
func TestWakeEndpoints(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	w := task.NewWaker(c)
	keys := []task.Key{task.Drain(id.New(), id.New()), task.Drain(id.New(), id.New())}
	want := map[string]int{task.TypeWoken: 1}
	check := func(err error) {
		t.Helper()
		tasks, listed := asynq.NewInspectorFromRedisClient(c).ListPendingTasks(task.QueueWebhook)
		got := map[string]int{}
		for _, info := range tasks {
			got[info.Type]++
		}
		if err != nil || listed != nil || !maps.Equal(got, want) {
			t.Errorf("tasks = %v, %v, %v, want %v", got, err, listed, want)
		}
	}
	for range 2 {
		check(w.Wake(t.Context(), keys))
	}
	woken, err := rdb.TakeWoken(t.Context(), c, 10)
	if err != nil || len(woken) != len(keys) {
		t.Fatalf("TakeWoken() = %v, %v, want each of %v once", woken, err, keys)
	}
	for _, e := range woken {
		if !slices.Contains(keys, task.Drain(e.Workspace, e.Endpoint)) {
			t.Errorf("TakeWoken() has %v, want one of %v", e, keys)
		}
	}
	want[task.TypeDrain] = len(keys)
	for range 2 {
		check(w.WakeDrains(t.Context(), keys))
	}
}

// What is no key of this version is refused: it must not pass for work on all workspaces.
func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{``, `{}`, `{"v":2}`, `{"v":1,"endpoint":"we_1"}`, `{"v":1,"workspace":"ws_1"}`,
		`{"v":1,"workspace":"we_01arz3ndektsv4rrffq69g5fav"}`} {
		if k, err := task.ParseKey([]byte(payload)); err == nil {
			t.Errorf("ParseKey(%s) = %v, want an error", payload, k)
		}
	}
}
