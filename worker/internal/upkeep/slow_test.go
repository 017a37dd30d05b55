package upkeep_test

import (
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/upkeep"
)

// mustArrive stores that n deliveries arrived in an hour, counted from that which runs, and took so long.
func mustArrive(t *testing.T, db *pg.DB, e webhook.Endpoint, hour int, took time.Duration, n int) {
	t.Helper()
	mustExec(t, db, `
insert into delivery_times (workspace_id, endpoint_id, hour, bucket, n)
values ($1, $2, date_trunc('hour', now(), 'UTC') + $3 * interval '1 hour', $4, $5)
on conflict (workspace_id, endpoint_id, hour, bucket) do update set n = delivery_times.n + excluded.n`,
		e.WorkspaceID, e.ID, hour, webhook.TimesBucket(took), n)
}

// targeted makes a workspace with a target of 5 s.
func targeted(w *tenant.Workspace) { w.Settings.DeliveryTargetMS = 5000 }

// isSlow reports whether an endpoint counts as slow.
func isSlow(t *testing.T, db *pg.DB, e webhook.Endpoint) bool {
	t.Helper()
	now, err := db.GetEndpoint(t.Context(), e.WorkspaceID, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	return now.SlowSince != nil
}

// An endpoint that became slow is told of once, to the workspace's other endpoints, and again after it was fast for a
// full hour. Others are left alone. Each sweep looks at one endpoint, so all are reached in the end.
func TestSweepTellsOfSlowEndpoints(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws := pgtest.Workspace(t, db, targeted).ID
	without := pgtest.Workspace(t, db).ID
	slow, few, foreign := pgtest.Endpoint(t, db, ws), pgtest.Endpoint(t, db, ws), pgtest.Endpoint(t, db, without)
	other := pgtest.Endpoint(t, db, ws, func(e *webhook.Endpoint) { e.EventTypes = []string{"endpoint.*"} })
	mustArrive(t, db, slow, 0, time.Second, 90)
	mustArrive(t, db, slow, 0, 10*time.Second, 10)
	mustArrive(t, db, few, 0, 10*time.Second, 19)
	mustArrive(t, db, foreign, 0, 10*time.Second, 100)
	told := func(e webhook.Endpoint) int {
		return mustCount(t, db, `
select count(*) from deliveries d join events v on v.workspace_id = d.workspace_id and v.id = d.event_id
 where v.type = 'endpoint.slow' and d.endpoint_id = $1`, e.ID)
	}
	metrics := sweeper(t, db, c, 50*time.Millisecond, (*upkeep.Upkeep).WatchOne)
	testwait.Until(t, "the slow endpoint to be told of", func() bool { return told(other) == 1 })

	// It gets faster, but was slow in the last full hour.
	mustExec(t, db, `update delivery_times set hour = hour - interval '1 hour' where endpoint_id = $1`, slow.ID)
	mustArrive(t, db, slow, 0, time.Second, 1000)
	mustArrive(t, db, few, 0, 10*time.Second, 1) // enough, which tells when the sweep has seen all that
	testwait.Until(t, "the other to be slow", func() bool { return told(other) == 2 })
	if !isSlow(t, db, slow) || isSlow(t, db, foreign) || told(slow) != 0 {
		t.Errorf("slow: %t, of a workspace without a target: %t, told of itself: %d times, want true, false and 0",
			isSlow(t, db, slow), isSlow(t, db, foreign), told(slow))
	}
	mustExec(t, db, `update delivery_times set hour = hour - interval '1 hour' where endpoint_id = $1`, slow.ID)
	testwait.Until(t, "it to be fast again", func() bool { return !isSlow(t, db, slow) })
	mustArrive(t, db, slow, 0, 10*time.Second, 100)
	testwait.Until(t, "it to be told of again", func() bool { return told(other) == 3 })
	testwait.Until(t, "three to be counted", func() bool { return counted(t, metrics, "leadgate_slow_endpoints_total", "") == 3 })

	// Without a target nothing is slow.
	if _, err := db.UpdateWorkspace(t.Context(), ws, func(w *tenant.Workspace) error {
		w.Settings.DeliveryTargetMS = 0
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "none to be slow", func() bool { return !isSlow(t, db, slow) && !isSlow(t, db, few) })
	if n := mustCount(t, db, `select count(*) from events where type = 'endpoint.slow' and workspace_id <> $1`, ws); n != 0 {
		t.Errorf("%d events of other workspaces than %s, want none", n, id.Workspace.Format(ws))
	}
}
