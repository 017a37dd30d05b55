package process_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// An event waits for others until there are enough, or its time is over, also where its worker stops meanwhile.
func TestEventsWaitForABatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	quick, patient := mustReceive(t, nil), mustReceive(t, nil)
	soon := b.mustEndpointWith(webhook.Endpoint{URL: quick.URL, Batch: webhook.Batch{Max: 100, Wait: 8 * time.Second}})
	never := b.mustEndpointWith(webhook.Endpoint{URL: patient.URL, Batch: webhook.Batch{Max: 5, Wait: time.Minute}})
	stop := b.worker(options{sweep: 100 * time.Millisecond})
	begin := time.Now()
	b.mustWake(b.mustLeads(2)...)
	time.Sleep(200 * time.Millisecond)
	stop(0)
	b.mustWake(b.mustLeads(1)...)
	b.worker(options{sweep: 100 * time.Millisecond})
	got := mustReadBatch(t, soon, quick.mustNext(t))
	if waited := time.Since(begin); len(got.events) != 3 || waited < 8*time.Second {
		t.Errorf("%d events came after %v, want 3 once the first has waited for 8 s", len(got.events), waited)
	}
	if len(patient.got) > 0 {
		t.Error("three of five events came before a minute was over")
	}
	b.mustWake(b.mustLeads(4)...)
	if got := mustReadBatch(t, never, patient.mustNext(t)); len(got.events) != 5 {
		t.Errorf("%d events came, want 5 as soon as there were as many", len(got.events))
	}
	b.awaitStates(soon, 7, webhook.Delivered)
	states, _ := b.states(never)
	if states[webhook.Delivered] != 5 || states[webhook.Pending] != 2 {
		t.Errorf("states = %v, want the last two to wait", states)
	}
}

// Batches of an endpoint that takes one at a time come in order, also those that fail, whatever is erased meanwhile.
// What is erased is in none, and no answer that could tell of it is kept.
func TestBatchesKeepTheOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	erased, arrived := make(chan struct{}), make(chan []string, 100)
	rec := mustReceiveBatches(t, func(n int, w http.ResponseWriter, ids []string) {
		if n == 1 {
			<-erased
			http.Error(w, "who is it?", 500)
			return
		}
		if n%3 == 0 {
			w.WriteHeader(500)
			return
		}
		arrived <- ids
		w.Write([]byte("thanks"))
	})
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 1, Batch: webhook.Batch{Max: 7}})
	all := pgtest.Leads(t, b.db, b.ws, 40)
	b.worker(options{sweep: 100 * time.Millisecond})
	first := mustReadBatch(t, e, rec.mustNext(t)) // the lease is taken, and a batch is under way
	gone := []int{2, 20}
	for _, i := range gone {
		if _, err := b.db.EraseLead(t.Context(), b.ws, all[i].ID, pg.Erasure{}); err != nil {
			t.Fatal(err)
		}
	}
	close(erased)
	b.awaitDelivered(e, 38)
	close(arrived)
	var want, got []string
	for i, l := range all {
		if !slices.Contains(gone, i) {
			want = append(want, id.Event.Format(l.EventID))
		}
	}
	for ids := range arrived {
		got = append(got, ids...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("arrived %v\nwant    %v", got, want)
	}
	if !slices.Contains(first.events, id.Event.Format(all[2].EventID)) {
		t.Error("the first batch, which was under way, lacks what was erased later")
	}
	attempts := func(event id.UUID) []webhook.Attempt {
		made, attempts := b.deliveries(e)
		return attempts[made[slices.IndexFunc(made, func(d webhook.Delivery) bool { return d.EventID == event })].ID]
	}
	answer := func(event id.UUID) string {
		made := attempts(event)
		return made[len(made)-1].ResponseHead
	}
	if head := attempts(all[3].EventID)[0].ResponseHead; head != "" {
		t.Errorf("the answer to a batch of which a lead was erased meanwhile is kept: %q", head)
	}
	if one, another := answer(all[36].EventID), answer(all[37].EventID); one != "thanks" || another != "thanks" {
		t.Fatalf("the answers kept of the last batch are %q and %q", one, another)
	}
	if _, err := b.db.EraseLead(t.Context(), b.ws, all[37].ID, pg.Erasure{}); err != nil {
		t.Fatal(err)
	}
	if head := answer(all[36].EventID); head != "" {
		t.Errorf("the answer to a batch of which a lead was erased later is kept: %q", head)
	}
}

// A breaker opens after as many requests as it does without batches, and what is not in them loses no try.
func TestBatchesOpenTheBreaker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec, _ := mustFail(t, 500)
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 2, Batch: webhook.Batch{Max: 3}})
	b.worker(options{})
	b.mustWake(b.mustLeads(60)...)
	testwait.Until(t, "the breaker is open", func() bool {
		now, err := b.db.GetEndpoint(t.Context(), b.ws, e.ID)
		return err == nil && now.Health.Open()
	})
	if states, attempts := b.states(e); states[webhook.Pending] != 60 || attempts > 3*(webhook.BreakerThreshold+1) {
		t.Errorf("states = %v after %d attempts, want all to wait", states, attempts)
	}
}
