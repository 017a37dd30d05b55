package process_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

func (b *bundle) mustSuspend() {
	b.Helper()
	if _, err := b.db.SuspendWorkspace(b.Context(), b.ws, time.Now(), "unpaid"); err != nil {
		b.Fatal(err)
	}
}

func (b *bundle) mustResume() {
	b.Helper()
	if _, err := b.db.ResumeWorkspace(b.Context(), b.ws); err != nil {
		b.Fatal(err)
	}
}

// A suspension ends a drain that is under way, keeps replays and enrichment waiting, and leaves a neighbour alone; when
// it ends all of it goes on, once.
func TestSuspendedWorkspaceRests(t *testing.T) {
	t.Parallel()
	const many = 30
	b := setup(t)
	hold := make(chan struct{})
	rec, other := mustReceive(t, holdFirst(hold)), mustReceive(t, nil)
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 1})
	stuck := b.mustEndpoint(other.URL, webhook.LeadCreated)
	b.mustStuck(stuck, many)
	b.mustExec(`update deliveries set state = 'pending', next_at = now(), attempts = 0, tries = 0 where workspace_id = $1 and endpoint_id = $2`,
		b.ws, e.ID)
	enriched := make(chan struct{}, 1000)
	find := func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		enriched <- struct{}{}
		return make([]pg.Finding, len(leads))
	}
	b.mustWake(task.Drain(b.ws, e.ID))
	for range 2 {
		b.worker(options{sweep: 200 * time.Millisecond, find: find})
	}
	rec.mustNext(t)
	b.mustSuspend()
	r := b.mustReplay(webhook.Filter{EndpointID: stuck.ID, States: []webhook.State{webhook.Exhausted}}, 1000)
	time.Sleep(webhook.BeginWithin + 200*time.Millisecond) // how long a drain goes by what it saw last
	for len(enriched) > 0 {
		<-enriched
	}
	close(hold)

	neighbour := b.elsewhere()
	its := neighbour.mustEndpoint(other.URL)
	neighbour.mustWake(neighbour.mustLeads(3)...)
	neighbour.awaitStates(its, 3, webhook.Delivered)
	testwait.Until(t, "the held attempt is recorded", func() bool {
		_, attempts := b.deliveries(e)
		return len(attempts) == 1
	})
	b.mustWake(task.Drain(b.ws, e.ID), task.Enrich(b.ws), task.Replay(b.ws, r.ID))
	neighbour.mustWake(neighbour.mustLeads(3)...)
	neighbour.awaitStates(its, 6, webhook.Delivered) // meanwhile those of the suspended one would have come
	if n := len(rec.got); n != 0 {
		t.Errorf("%d requests came of a suspended workspace, want none", n)
	}
	if now := b.replay(r); now.Resent != 0 || now.State != webhook.ReplayRunning {
		t.Errorf("its replay = %+v, want it to wait", now)
	}

	b.mustResume()
	b.awaitStates(e, many, webhook.Delivered)
	b.awaitStates(stuck, many, webhook.Delivered)
	if n := len(rec.got); n != many-1 {
		t.Errorf("%d more requests came, want %d: each once", n, many-1)
	}
}

// The probe task of a failing endpoint ends with the suspension of its workspace, and comes back after it.
func TestSuspendedEndpointIsNotProbed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	e := b.mustEndpoint(rec.URL)
	b.mustWake(b.mustLeads(10)...)
	b.worker(options{sweep: 200 * time.Millisecond})
	inspector := asynq.NewInspectorFromRedisClient(b.redis)
	probes := func() bool {
		_, err := inspector.GetTaskInfo(task.QueueFailing, task.Drain(b.ws, e.ID).String())
		return err == nil
	}
	testwait.Until(t, "a probe task", probes)
	b.mustSuspend()
	inspector.RunTask(task.QueueFailing, task.Drain(b.ws, e.ID).String()) // which an administrator could do
	testwait.Until(t, "no probe task", func() bool { return !probes() })
	b.mustResume()
	testwait.Until(t, "a probe task again", probes)
}
