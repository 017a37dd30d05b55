package process_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// got is a batch as it arrived.
type got struct {
	request
	events []string // ids
	types  []string
}

// mustReadBatch reads a request, which must be a batch that is signed.
func mustReadBatch(t testing.TB, e webhook.Endpoint, r request) got {
	t.Helper()
	verify(t, e, r)
	all, err := client.WebhookEvents(r.head, r.body)
	if err != nil || !strings.HasPrefix(string(r.body), `{"type":"batch",`) {
		t.Fatalf("the request is no batch: %v: %s", err, r.body)
	}
	g := got{request: r}
	for _, one := range all {
		g.events, g.types = append(g.events, one.ID), append(g.types, one.Type)
	}
	return g
}

// batches returns what arrived at a receiver so far.
func (r *receiver) batches(t testing.TB, e webhook.Endpoint) (all []got) {
	t.Helper()
	for {
		select {
		case one := <-r.got:
			all = append(all, mustReadBatch(t, e, one))
		default:
			return all
		}
	}
}

// inOrder returns the ids of an endpoint's events, in the order in which they happened.
func (b *bundle) inOrder(e webhook.Endpoint) (events []string) {
	b.Helper()
	all, _ := b.deliveries(e)
	slices.Reverse(all)
	for _, d := range all {
		events = append(events, id.Event.Format(d.EventID))
	}
	return events
}

// answered is what became of an endpoint's seven events, which it gets in batches of four.
type answered struct {
	requests []got
	events   []string                     // in order
	attempts map[string][]webhook.Attempt // by event
	states   map[webhook.State]int
}

// answered returns it once nothing is pending.
func (b *bundle) answered(t *testing.T, rec *receiver, e webhook.Endpoint) (a answered) {
	testwait.Until(t, "nothing is pending", func() bool {
		a.states, _ = b.states(e)
		return a.states[webhook.Pending] == 0
	})
	all, attempts := b.deliveries(e)
	a.attempts = map[string][]webhook.Attempt{}
	for _, d := range all {
		a.attempts[id.Event.Format(d.EventID)] = attempts[d.ID]
	}
	a.requests, a.events = rec.batches(t, e), b.inOrder(e)
	return a
}

// mustBe checks how many requests there were, and that everything has arrived.
func (a *answered) mustBe(t *testing.T, requests int) {
	t.Helper()
	if len(a.requests) != requests || a.states[webhook.Delivered] != 7 {
		t.Fatalf("%d requests, %v, want %d and all delivered", len(a.requests), a.states, requests)
	}
}

// wantAllAgain is what is wanted where the first answer cannot be understood.
func wantAllAgain(class webhook.ErrorClass) func(*testing.T, answered) {
	return func(t *testing.T, a answered) {
		a.mustBe(t, 3)
		if a.requests[0].id != a.requests[1].id || string(a.requests[0].body) != string(a.requests[1].body) {
			t.Errorf("the batch was sent again as another: %s", a.requests[1].body)
		}
		for _, event := range a.events[:4] {
			if first := a.attempts[event][0]; first.Status != 200 || webhook.ClassOf(first.Error) != class {
				t.Errorf("the first attempt of %s = %+v, want one that failed by %s", event, first, class)
			}
		}
	}
}

// batchAnswer is a way to answer batches, of which n counts the requests; ids are those of the events.
type batchAnswer struct {
	name   string
	answer func(n int, w http.ResponseWriter, ids []string)
	want   func(t *testing.T, a answered)
}

func batchAnswers(poison *atomic.Pointer[string]) []batchAnswer {
	name := func(w http.ResponseWriter, ids ...string) {
		json.NewEncoder(w).Encode(map[string][]string{"failed": ids})
	}
	first := func(answer func(w http.ResponseWriter, ids []string)) func(int, http.ResponseWriter, []string) {
		return func(n int, w http.ResponseWriter, ids []string) {
			if n == 1 {
				answer(w, ids)
			}
		}
	}
	return []batchAnswer{
		{"all are taken", func(int, http.ResponseWriter, []string) {}, func(t *testing.T, a answered) {
			a.mustBe(t, 2)
			for i, event := range a.events {
				in, want := a.attempts[event][0].InBatch, webhook.InBatch{Size: []int{4, 3}[i/4], Index: i%4 + 1}
				if r := a.requests[i/4]; id.Batch.Format(in.ID) != r.id || in.Size != want.Size || in.Index != want.Index {
					t.Errorf("event %d was %+v, want %+v in %s", i, in, want, r.id)
				}
			}
			if types := a.requests[1].types; !slices.Contains(types, webhook.LeadDeleted) || types[0] != webhook.LeadCreated {
				t.Errorf("types = %v, want several", types)
			}
		}},
		{"nothing is taken at first", func(n int, w http.ResponseWriter, _ []string) {
			if n < 3 {
				http.Error(w, "not now", 500)
			}
		}, func(t *testing.T, a answered) {
			a.mustBe(t, 4)
			for i := range 3 {
				if a.requests[i].id != a.requests[0].id || string(a.requests[i].body) != string(a.requests[0].body) {
					t.Errorf("the batch was sent again as another: %s", a.requests[i].body)
				}
			}
			for _, event := range a.events[:4] {
				if first := a.attempts[event][0]; first.Status != 500 || first.ResponseHead != "not now\n" {
					t.Errorf("the attempt of %s is %+v, want 500 with the answer", event, first)
				}
			}
		}},
		{"one is named", first(func(w http.ResponseWriter, ids []string) { name(w, ids[1]) }), func(t *testing.T, a answered) {
			a.mustBe(t, 3)
			if !slices.Equal(a.requests[1].events, a.events[1:2]) {
				t.Errorf("the second request has %v, want the named event alone, before what is new", a.requests[1].events)
			}
			for i, event := range a.events[:4] {
				if all := a.attempts[event]; all[0].Status != 200 || (webhook.ClassOf(all[0].Error) == webhook.FailedAnswer) != (i == 1) {
					t.Errorf("attempts of event %d = %+v, want that only event 1 failed", i, all)
				}
			}
		}},
		{"an unknown one is named", first(func(w http.ResponseWriter, _ []string) { name(w, id.Event.Format(id.New())) }),
			wantAllAgain(webhook.FailedAnswer)},
		{"the answer is cut off", first(func(w http.ResponseWriter, _ []string) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"failed":[`)
		}), wantAllAgain(webhook.FailedConnection)},
		{"the answer is JSON without an end", first(func(w http.ResponseWriter, _ []string) {
			io.WriteString(w, `{"failed":["`+strings.Repeat("x", 1<<17)+`"]}`)
		}), wantAllAgain(webhook.FailedAnswer)},
		{"the answer is text without an end", func(_ int, w http.ResponseWriter, _ []string) {
			io.WriteString(w, strings.Repeat("<p>thanks", 10_000))
		}, func(t *testing.T, a answered) { a.mustBe(t, 2) }},
		{"one cannot be taken", func(_ int, w http.ResponseWriter, ids []string) {
			if slices.Contains(ids, *poison.Load()) {
				w.WriteHeader(422)
			}
		}, func(t *testing.T, a answered) {
			if a.states[webhook.Delivered] != 6 || a.states[webhook.Exhausted] != 1 {
				t.Errorf("states = %v, want six delivered and one given up", a.states)
			}
			if all := a.attempts[*poison.Load()]; all[len(all)-1].InBatch.Size != 1 {
				t.Errorf("the last attempt at what cannot be taken is %+v, want it alone", all[len(all)-1])
			}
		}},
	}
}

// Each case is an endpoint of the same workspace, which all get the same events, in order.
func TestBatchAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var poison atomic.Pointer[string]
	cases := batchAnswers(&poison)
	receivers, endpoints := make([]*receiver, len(cases)), make([]webhook.Endpoint, len(cases))
	for i, c := range cases {
		receivers[i] = mustReceiveBatches(t, c.answer)
		endpoints[i] = b.mustEndpointWith(webhook.Endpoint{URL: receivers[i].URL, MaxInFlight: 1,
			EventTypes: []string{"lead.*"}, Batch: webhook.Batch{Max: 4}})
	}
	leads := pgtest.Leads(t, b.db, b.ws, 6)
	third := id.Event.Format(leads[2].EventID)
	poison.Store(&third)
	if _, err := b.db.DeleteLead(t.Context(), b.ws, leads[0].ID,
		func(*lead.Lead) error { return nil }); err != nil {
		t.Fatal(err)
	}
	short := 50 * time.Millisecond
	b.worker(options{sweep: 100 * time.Millisecond, schedule: webhook.Schedule{0, short, short, short, short}})
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.want(t, b.answered(t, receivers[i], endpoints[i])) })
	}
}

// mustReceiveBatches starts a receiver whose answer gets the ids of each batch's events.
func mustReceiveBatches(t testing.TB, answer func(n int, w http.ResponseWriter, ids []string)) *receiver {
	return mustReceive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		events, err := client.WebhookEvents(r.Header, body)
		if err != nil {
			t.Errorf("%v in %s", err, body)
		}
		var ids []string
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		answer(n, w, ids)
	})
}

// What was made for single requests goes in batches once the endpoint takes them, and the other way round; a replay of
// all goes in batches too, and no other workspace's event is in any of them.
func TestBacklogIsSentAsTheEndpointIsNow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	other := b.elsewhere()
	elsewhere := other.mustEndpointWith(webhook.Endpoint{URL: rec.URL + "/other", Batch: webhook.Batch{Max: 100}})
	e := b.mustEndpoint(rec.URL)
	change := func(to webhook.Batch) {
		if _, err := b.db.UpdateEndpoint(t.Context(), b.ws, e.ID, time.Now(), func(e *webhook.Endpoint) error {
			e.Batch = to
			return nil
		}, nil); err != nil {
			t.Fatal(err)
		}
	}
	const n = 25
	sizes := func(events int) (sizes []int) {
		for events > 0 {
			r := rec.mustNext(t)
			one, err := client.WebhookEvents(r.head, r.body)
			if err != nil {
				t.Fatal(err)
			}
			sizes, events = append(sizes, len(one)), events-len(one)
		}
		slices.Sort(sizes)
		return sizes
	}
	drains := b.mustLeads(n)
	change(webhook.Batch{Max: 10})
	stop := b.worker(options{})
	b.mustWake(drains...)
	b.awaitStates(e, n, webhook.Delivered)
	if got := sizes(n); !slices.Equal(got, []int{5, 10, 10}) {
		t.Errorf("sizes after singles were batched = %v", got)
	}
	stop(time.Second)
	drains = b.mustLeads(3)
	change(webhook.Batch{})
	b.worker(options{})
	b.mustWake(drains...)
	b.awaitStates(e, n+3, webhook.Delivered)
	if got := sizes(3); !slices.Equal(got, []int{1, 1, 1}) {
		t.Errorf("sizes after batches were given up = %v", got)
	}
	change(webhook.Batch{Max: 100})
	b.mustWake(other.mustLeads(4)...)
	other.awaitStates(elsewhere, 4, webhook.Delivered)
	b.mustReplay(webhook.Filter{EndpointID: e.ID, States: []webhook.State{webhook.Delivered}}, 1000)
	again, mine := 0, b.inOrder(e)
	for again < n+3 {
		r := rec.mustNext(t)
		of := e
		if strings.Contains(string(r.body), id.Workspace.Format(other.ws)) {
			of = elsewhere
		}
		for _, event := range mustReadBatch(t, of, r).events {
			if slices.Contains(mine, event) != (of.ID == e.ID) {
				t.Errorf("event %s came with those of another workspace", event)
			}
			if of.ID == e.ID {
				again++
			}
		}
	}
}
