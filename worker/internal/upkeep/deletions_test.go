package upkeep_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/worker/internal/upkeep"
)

// keysOf returns the keys of a workspace in Redis.
func keysOf(t *testing.T, c redis.UniversalClient, ws id.UUID) []string {
	t.Helper()
	keys, err := c.Keys(t.Context(), "*"+id.Workspace.Format(ws)+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A deletion goes on in another worker where the first was stopped, comes back for what was written meanwhile, and leaves
// nothing of the workspace in either store but its receipt. A neighbour keeps everything.
func TestWorkspaceIsDeleted(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, endpoint := mustOwe(t, db)
	neighbour, _ := mustOwe(t, db)
	for _, of := range []id.UUID{ws, neighbour} {
		pgtest.Fill(t, db, of, 20)
		prefix := "lg:{" + id.Workspace.Format(of) + "}:"
		for _, key := range []string{"rate", "form:key_x", "email:aaaa", "email:bbbb", "wake:enrich", "work:x"} {
			if err := c.Set(t.Context(), prefix+key, "x", time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := task.NewWaker(c).EnsureProbeTask(t.Context(), task.Drain(ws, endpoint)); err != nil {
		t.Fatal(err)
	}
	before := pgtest.Rows(t, db, neighbour)
	if _, err := db.SuspendWorkspace(t.Context(), ws, time.Now(), "left"); err != nil {
		t.Fatal(err)
	}
	ask := tenant.Deletion{Workspace: ws, RequestedBy: "Ada", RequestedAt: time.Now()}
	if _, err := db.DeleteWorkspace(t.Context(), ask, func(*tenant.Workspace) error { return nil }); err != nil {
		t.Fatal(err)
	}
	receipt := func() tenant.Deletion {
		d, err := db.GetDeletion(t.Context(), ws)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	_, stop := startSweeper(t, db, c, 50*time.Millisecond, func(u *upkeep.Upkeep) { u.DeleteSlowly(time.Hour) })
	testwait.Until(t, "some of it is erased", func() bool { return len(receipt().Erased) > 0 })
	stop()
	_, stop = startSweeper(t, db, c, 50*time.Millisecond, func(u *upkeep.Upkeep) { u.SettleAfter(time.Hour) })
	testwait.Until(t, "the workspace is gone", func() bool { return receipt().ErasedAt != nil })
	mustExec(t, db, `insert into suppressions (workspace_id, email_hash, created_at) values ($1, 'late', now())`, ws)
	stop()
	startSweeper(t, db, c, 50*time.Millisecond, func(u *upkeep.Upkeep) { u.SettleAfter(0) })
	testwait.Until(t, "the receipt", func() bool { return receipt().FinishedAt != nil })

	if left := pgtest.Rows(t, db, ws); len(left) > 0 {
		t.Errorf("left of the workspace: %v, want nothing", left)
	}
	if _, err := db.GetWorkspace(t.Context(), ws); !fault.Is(err, fault.NotFound) {
		t.Errorf("GetWorkspace(deleted) = %v, want NOT_FOUND", err)
	}
	for _, key := range keysOf(t, c, ws) {
		t.Errorf("left in Redis: %s, want nothing", key)
	}
	if _, err := asynq.NewInspectorFromRedisClient(c).GetTaskInfo(task.QueueFailing, task.Drain(ws, endpoint).String()); err == nil {
		t.Error("the probe task of its endpoint is there, want it removed")
	}
	d := receipt()
	if d.RequestedBy != "Ada" || d.Erased["leads"] != 21 || d.Erased["suppressions"] != 21 || d.Erased["redis"] < 6 ||
		d.Erased["workspaces"] != 1 {
		t.Errorf("receipt = %+v, want who, and each row once", d)
	}
	for _, worked := range []string{"book_entries", "erasures", "import_chunks"} { // by the sweep
		delete(before, worked)
	}
	after := pgtest.Rows(t, db, neighbour)
	for table, n := range before {
		if after[table] < n {
			t.Errorf("%d rows of a neighbour in %s, want %d", after[table], table, n)
		}
	}
	var its []string
	for _, key := range keysOf(t, c, neighbour) {
		if strings.HasPrefix(key, "lg:") {
			its = append(its, key)
		}
	}
	if len(its) < 6 {
		t.Errorf("keys of a neighbour: %v, want all six", its)
	}
}
