package process_test

import (
	"bytes"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/webhook"
)

// Redis loses everything while a delivery is under way and others wait without a wake-up.
func TestFlushedRedisIsRepaired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hold := make(chan struct{})
	rec := mustReceive(t, holdFirst(hold))
	e := b.mustEndpoint(rec.URL)
	b.worker(options{sweep: 100 * time.Millisecond})
	b.mustWake(b.mustLeads(1)...)
	rec.mustNext(t)
	if err := b.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	b.mustLeads(20)
	close(hold)
	b.awaitStates(e, 21, webhook.Delivered)
}

// Redis goes away in the middle of a drain: what is under way is recorded, and what comes meanwhile is delivered when
// Redis is back.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := redistest.Start(t)
	b.useRedis(redistest.Open(t, server))
	hold := make(chan struct{})
	rec := mustReceive(t, holdFirst(hold))
	e := b.mustEndpoint(rec.URL)
	b.worker(options{sweep: 200 * time.Millisecond})
	b.mustWake(b.mustLeads(1)...)
	rec.mustNext(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	close(hold)
	b.awaitStates(e, 1, webhook.Delivered)
	b.mustLeads(5)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.awaitStates(e, 6, webhook.Delivered)
}

// heard gets a word for each line of a log that says that Redis was not told of the end of a drain.
type heard chan struct{}

func (h heard) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("step=finish")) && bytes.Contains(line, []byte("endpoint")) {
		h <- struct{}{}
	}
	return len(line), nil
}

// Redis is away when a drain ends, and comes back knowing that the drain runs. Nothing wakes the endpoint but the end of
// the drain, which Redis is told as soon as it can be.
func TestRedisAwayAtTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := redistest.StartWith(t, devstack.RedisOptions{Persist: true})
	b.useRedis(redistest.Open(t, server))
	hold := make(chan struct{})
	rec := mustReceive(t, holdFirst(hold))
	e := b.mustEndpoint(rec.URL)
	ended := make(heard, 100)
	b.worker(options{log: ended})
	if err := b.waker.WakeDrains(t.Context(), b.mustLeads(1)); err != nil {
		t.Fatal(err)
	}
	rec.mustNext(t)
	server.Kill()
	close(hold)
	b.awaitStates(e, 1, webhook.Delivered)
	<-ended
	b.mustLeads(5)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.awaitStates(e, 6, webhook.Delivered)
}

// A worker that stops gives up what does not end within its grace: nothing is recorded, and the next worker need not
// wait for a lease.
func TestStopMidDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, holdFirst(nil))
	e := b.mustEndpoint(rec.URL)
	stop := b.worker(options{})
	b.mustWake(b.mustLeads(1)...)
	first := rec.mustNext(t)
	stop(0)
	all, attempts := b.deliveries(e)
	if len(all) != 1 || all[0].State != webhook.Pending || all[0].Attempts != 0 || len(attempts) != 0 {
		t.Fatalf("after the stop: %+v, %d attempts recorded, want it pending and untouched", all, len(attempts))
	}
	if due, err := b.db.DueEndpoints(t.Context(), time.Time{}, 10); err != nil || len(due) != 1 {
		t.Errorf("DueEndpoints = %v, %v, want the endpoint without a lease", due, err)
	}
	b.worker(options{}) // no sweep: the stopped worker left a task behind
	if again := rec.mustNext(t); again.id != first.id {
		t.Errorf("webhook-id = %s, want %s again", again.id, first.id)
	}
	b.awaitStates(e, 1, webhook.Delivered)
}

// An attempt that ends within the grace is recorded like any other.
func TestStopWaitsForAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hold := make(chan struct{})
	rec := mustReceive(t, holdFirst(hold))
	e := b.mustEndpoint(rec.URL)
	stop := b.worker(options{})
	b.mustWake(b.mustLeads(1)...)
	rec.mustNext(t)
	stopped := make(chan struct{})
	go func() { stop(patience); close(stopped) }()
	close(hold)
	<-stopped
	if all, _ := b.deliveries(e); len(all) != 1 || all[0].State != webhook.Delivered {
		t.Errorf("after the stop: %+v, want it delivered", all)
	}
}
