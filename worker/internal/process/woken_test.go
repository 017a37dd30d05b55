package process_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/pgtest"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// tasks counts the tasks of the webhook queue by type, whatever became of them.
func (b *bundle) tasks() map[string]int {
	b.Helper()
	inspect, n := asynq.NewInspectorFromRedisClient(b.redis), map[string]int{}
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		inspect.ListPendingTasks, inspect.ListActiveTasks, inspect.ListCompletedTasks} {
		all, err := list(task.QueueWebhook)
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range all {
			n[t.Type]++
		}
	}
	return n
}

// One task drains whatever endpoints get deliveries, of any workspace. One that hangs holds no other up, and gets what
// has come meanwhile when it answers.
func TestWokenEndpointsShareATask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := *b
	other.ws = pgtest.Workspace(t, b.db).ID
	hold := make(chan struct{})
	slow, quick := mustReceive(t, holdFirst(hold)), mustReceive(t, nil)
	hanging, others := b.mustEndpoint(slow.URL), make([]webhook.Endpoint, 6)
	for i := range others {
		others[i] = other.mustEndpoint(quick.URL)
	}
	b.worker(options{})
	b.mustWake(b.mustLeads(1)...)
	slow.mustNext(t)
	for n := range 3 {
		b.mustWake(append(b.mustLeads(1), other.mustLeads(1)...)...)
		for _, e := range others {
			other.awaitStates(e, n+1, webhook.Delivered)
		}
	}
	if all, _ := b.deliveries(hanging); len(slow.got) > 0 || len(all) != 4 {
		t.Fatalf("the endpoint that hangs has %d deliveries and got %d more requests, want 4 and none", len(all), len(slow.got))
	}
	close(hold)
	b.awaitStates(hanging, 4, webhook.Delivered)
	if n := b.tasks(); n[task.TypeDrain] > len(others)/2 { // a drain that fails, as on a busy machine, goes on in a task
		t.Errorf("tasks = %v, want hardly any of an endpoint's own", n)
	}
}

// An endpoint with more deliveries than one lease has gets a task of its own.
func TestWokenEndpointWithMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	b.worker(options{})
	b.mustWake(b.mustLeads(100)...)
	b.awaitStates(e, 100, webhook.Delivered)
	if n := b.tasks(); n[task.TypeDrain] == 0 {
		t.Errorf("tasks = %v, want one of the endpoint's own", n)
	}
	if n := len(rec.got); n != 100 {
		t.Errorf("%d requests, want 100", n)
	}
}

// What is recorded or leased together does not wait for the endpoint that somebody has locked.
func TestWokenEndpointLocked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := *b
	other.ws = pgtest.Workspace(t, b.db).ID
	hold, answered := make(chan struct{}), make(chan struct{}, 100)
	answer := func(int, http.ResponseWriter, *http.Request) { <-hold; answered <- struct{}{} }
	rec := mustReceive(t, answer)
	locked, free := b.mustEndpoint(rec.URL), other.mustEndpoint(rec.URL)
	b.worker(options{})
	b.mustWake(append(b.mustLeads(1), other.mustLeads(1)...)...)
	rec.mustNext(t)
	rec.mustNext(t)
	err := b.db.InTx(t.Context(), func(tx *sqlx.Tx) error {
		const q = `select from endpoints where workspace_id = $1 and id = $2 for update`
		if _, err := tx.ExecContext(t.Context(), q, b.ws, locked.ID); err != nil {
			return err
		}
		close(hold)
		other.awaitStates(free, 1, webhook.Delivered)
		b.mustWake(append(b.mustLeads(1), other.mustLeads(1)...)...)
		other.awaitStates(free, 2, webhook.Delivered)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.awaitStates(locked, 2, webhook.Delivered)
}

// What was woken when nobody was there to take it is found by the sweep, though its task was lost with Redis.
func TestWokenTaskLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	b.mustWake(b.mustLeads(1)...)
	if n := b.redis.Del(context.Background(), "asynq:{webhook}:pending").Val(); n != 1 {
		t.Fatalf("%d queues deleted, want the one with the task", n)
	}
	b.worker(options{sweep: 100 * time.Millisecond})
	b.awaitStates(e, 1, webhook.Delivered)
	testwait.Until(t, "the task of woken endpoints again", func() bool {
		b.mustWake(task.Drain(b.ws, e.ID))
		return b.tasks()[task.TypeWoken] > 0
	})
}
