package process_test

import (
	"net/http"
	"testing"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// mustBacklog makes n leads whose deliveries have waited for a minute.
func (b *bundle) mustBacklog(n int) []pg.NewLead {
	b.Helper()
	leads := pgtest.Leads(b, b.db, b.ws, n)
	b.mustExec(`update deliveries set next_at = next_at - interval '1 minute' where workspace_id = $1`, b.ws)
	return leads
}

// mustArrive reads n events and returns which of them came more than once.
func (r *receiver) mustArrive(t *testing.T, n int) (again []string) {
	t.Helper()
	seen := map[string]bool{}
	for len(seen) < n {
		got := r.mustNext(t)
		events, err := client.WebhookEvents(got.head, got.body)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if seen[e.ID] {
				again = append(again, e.ID)
			}
			seen[e.ID] = true
		}
	}
	return again
}

// Of a long backlog one part is read while the one before is sent and that before it is recorded. Each delivery is sent
// once and recorded, also where the worker stops in the middle, and what was held in memory is given back.
func TestBacklogIsReadAhead(t *testing.T) {
	t.Parallel()
	const n = 2500
	for name, c := range map[string]struct {
		batch  webhook.Batch
		stop   bool
		maxRun time.Duration // of one task
	}{
		"singles":             {maxRun: time.Minute},
		"batches":             {batch: webhook.Batch{Max: 100}, maxRun: time.Minute},
		"singles, and a stop": {stop: true, maxRun: time.Minute},
		"batches, and a stop": {webhook.Batch{Max: 10}, true, time.Minute},
		"short tasks":         {maxRun: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			half := make(chan struct{})
			rec := mustReceive(t, func(nth int, _ http.ResponseWriter, _ *http.Request) {
				if c.stop && nth == n/2/max(1, c.batch.Max) {
					close(half)
				}
			})
			e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 32, Batch: c.batch})
			b.mustBacklog(n)
			memory := limit.NewBudget[id.UUID](128 << 20)
			o := options{memory: memory, sweep: 100 * time.Millisecond, maxRun: c.maxRun}
			stop := b.worker(o)
			if c.stop {
				<-half
				stop(patience)
				stop = b.worker(o)
			}
			b.awaitStates(e, n, webhook.Delivered)
			stop(patience)
			if again := rec.mustArrive(t, n); len(again) > 0 || len(rec.got) > 0 {
				t.Errorf("%d events came again, and %d requests more, want none", len(again), len(rec.got))
			}
			all, attempts := b.deliveries(e)
			for _, d := range all {
				if len(attempts[d.ID]) != 1 {
					t.Fatalf("a delivery has %d attempts, want the one that was made", len(attempts[d.ID]))
				}
			}
			if held := memory.Usage().Used; held != 0 {
				t.Errorf("%d bytes are held when all is done, want none", held)
			}
		})
	}
}

// What was read ahead is not sent once the erasure of its lead was answered, nor where the endpoint was.
func TestReadAheadIsSentAsThingsAre(t *testing.T) {
	t.Parallel()
	const n, blocked, erased = 2000, 700, 1000 // of which the first wait for what is done to the second
	b := setup(t)
	waits, done := make(chan struct{}), make(chan struct{})
	rec := mustReceive(t, func(nth int, _ http.ResponseWriter, r *http.Request) {
		if nth == blocked {
			close(waits)
		}
		if nth >= blocked {
			select {
			case <-done:
			case <-r.Context().Done():
			}
		}
	})
	moved := mustReceive(t, nil)
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 32})
	leads := b.mustBacklog(n)
	b.worker(options{maxRun: time.Minute})
	b.mustWake(task.Drain(b.ws, e.ID))
	<-waits
	if _, err := b.db.EraseLead(t.Context(), b.ws, leads[erased].ID, pg.Erasure{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.UpdateEndpoint(t.Context(), b.ws, e.ID, time.Now(), func(e *webhook.Endpoint) error {
		e.URL = moved.URL
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	close(done)
	b.awaitDelivered(e, n-1)
	if got := len(rec.got); got > blocked+32 {
		t.Errorf("%d requests came to the former URL, want only those that were under way", got)
	}
	for _, to := range []*receiver{rec, moved} {
		for range len(to.got) {
			r := to.mustNext(t)
			events, err := client.WebhookEvents(r.head, r.body)
			if err != nil || events[0].ID == id.Event.Format(leads[erased].EventID) {
				t.Fatalf("the erased lead was sent, or %v", err)
			}
		}
	}
}
