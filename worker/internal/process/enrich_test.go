package process_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

func facts(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
	out := make([]pg.Finding, len(leads))
	for i := range out {
		out[i].Facts = []byte(`{"email":{"domain":"example.com"}}`)
	}
	return out
}

func TestEnrichedLeadIsDelivered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL, webhook.LeadEnriched)
	b.worker(options{find: facts})
	b.mustLeads(3)
	b.mustWake(task.EnrichDue())
	for range 3 {
		got := rec.mustNext(t)
		verify(t, e, got)
		if !strings.Contains(string(got.body), `"type":"lead.enriched"`) || !strings.Contains(string(got.body),
			`"domain":"example.com"`) {
			t.Errorf("payload = %s, want lead.enriched with the facts", got.body)
		}
	}
	b.awaitStates(e, 3, webhook.Delivered)
	inspect := asynq.NewInspectorFromRedisClient(b.redis)
	want := "leads of all workspaces: enriched 3"
	testwait.Until(t, "result "+want, func() bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueEnrich)
		return len(tasks) == 1 && string(tasks[0].Result) == want
	})
}

// Facts that could not be found are owed until they are, and the sweep asks again.
func TestEnrichmentIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	b.mustEndpoint(rec.URL, webhook.LeadEnriched)
	var asked atomic.Int32
	find := func(ctx context.Context, s tenant.Settings, leads []lead.Lead) []pg.Finding {
		if asked.Add(1) == 1 {
			return []pg.Finding{{Retry: 0}}
		}
		return facts(ctx, s, leads)
	}
	b.worker(options{sweep: 100 * time.Millisecond, find: find})
	b.mustLeads(1)
	rec.mustNext(t)
	if n := asked.Load(); n != 2 {
		t.Errorf("find was asked %d times, want 2", n)
	}
}

// Facts are found as the lead's workspace wants them.
func TestEnrichmentKnowsItsWorkspace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.db.UpdateWorkspace(t.Context(), b.ws, func(w *tenant.Workspace) error {
		w.Settings.DefaultRegion = "SE"
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan tenant.Settings, 1)
	find := func(ctx context.Context, s tenant.Settings, leads []lead.Lead) []pg.Finding {
		asked <- s
		return facts(ctx, s, leads)
	}
	b.worker(options{sweep: 100 * time.Millisecond, find: find})
	b.mustLeads(1)
	if s := <-asked; s.DefaultRegion != "SE" {
		t.Errorf("find was asked for settings %+v, want those of the workspace", s)
	}
}

// A workspace in which many leads wait has a task of its own; those of the others share one.
func TestManyLeadsHaveTheirOwnTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// Its state says that a task waits, but that was lost, with a Redis or a worker.
	if _, err := rdb.Announce(t.Context(), b.redis, nil, []rdb.WakeKey{task.Enrich(b.ws).Wake()}, nil); err != nil {
		t.Fatal(err)
	}
	b.worker(options{find: facts})
	const many = 450
	b.mustLeads(many)
	for range 3 {
		b.elsewhere().mustLeads(2)
	}
	b.mustWake(task.EnrichDue())
	inspect := asynq.NewInspectorFromRedisClient(b.redis)
	want := []string{"leads of all workspaces: enriched 6", fmt.Sprintf("leads of %s: enriched %d", id.Workspace.Format(b.ws), many)}
	testwait.Until(t, fmt.Sprint("results ", want), func() bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueEnrich)
		var got []string
		for _, task := range tasks {
			got = append(got, string(task.Result))
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}
