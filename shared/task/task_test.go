package task_test

import (
	"testing"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
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
		"a drain":                        {task.Drain(ws, id.New()), task.TypeDrain, task.QueueWebhook},
		"a replay":                       {task.Replay(ws, id.New()), task.TypeReplay, task.QueueReplay},
		"an import":                      {task.Import(ws, id.New()), task.TypeImport, task.QueueImport},
		"enrichment of a workspace":      {task.Enrich(ws), task.TypeEnrich, task.QueueEnrich},
		"enrichment in all workspaces":   {task.EnrichDue(), task.TypeDue, task.QueueEnrich},
		"another drain of the workspace": {task.Drain(ws, id.New()), task.TypeDrain, task.QueueWebhook},
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
