package pg_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// desk is one workspace with one endpoint, and a clock that stands.
type desk struct {
	*testing.T
	db       *pg.DB
	ws       id.UUID
	endpoint webhook.Endpoint
	now      time.Time // a minute ahead of the database's, so that everything committed is due
}

func newDesk(t *testing.T, db *pg.DB) *desk {
	t.Helper()
	d := &desk{T: t, db: db, ws: mustCreateWorkspace(t, db, "w").ID,
		now: time.Now().UTC().Add(time.Minute).Truncate(time.Microsecond)}
	d.endpoint = d.mustEndpoint(true)
	return d
}

func (d *desk) mustEndpoint(enabled bool, types ...string) webhook.Endpoint {
	d.Helper()
	if types == nil {
		types = []string{"lead.*"}
	}
	e := webhook.Endpoint{WorkspaceID: d.ws, ID: id.New(), URL: "https://hooks.example.com/in", EventTypes: types,
		Secret: webhook.NewSecret(), Enabled: enabled, CreatedAt: tenantEpoch}
	if err := d.db.CreateEndpoint(d.Context(), e); err != nil {
		d.Fatal(err)
	}
	return e
}

// mustLeads commits n leads and returns the ids of their events, oldest first.
func (d *desk) mustLeads(n int) (events []id.UUID) {
	d.Helper()
	leads := make([]pg.NewLead, n)
	for i := range leads {
		at := time.Now().UTC().Truncate(time.Millisecond)
		key := fmt.Sprintf("%s@example.com", id.New())
		leads[i] = pg.NewLead{EventID: id.New(), Lead: lead.Lead{WorkspaceID: d.ws, ID: id.New(), Email: key, UniqueKey: key,
			Source: "api", Status: "new", Metadata: []byte(`{"a": "\\\"b"}`), CreatedAt: at}}
		events = append(events, leads[i].EventID)
	}
	if _, err := d.db.InsertLeads(d.Context(), leads); err != nil {
		d.Fatal(err)
	}
	return events
}

// take is LeaseDue on behalf of token at an offset from now.
func (d *desk) take(token id.UUID, at time.Duration, limit int) []webhook.DueDelivery {
	d.Helper()
	s, err := d.db.LeaseDue(d.Context(), pg.LeaseRequest{Workspace: d.ws, Endpoint: d.endpoint.ID, Token: token,
		Lease: 30 * time.Second, Limit: limit, Now: d.now.Add(at)})
	if err != nil {
		d.Fatal(err)
	}
	if len(s.Due) > 0 && (s.Endpoint.URL != d.endpoint.URL || s.Endpoint.Secret != d.endpoint.Secret) {
		d.Errorf("LeaseDue's endpoint = %+v, want URL and secret of %+v", s.Endpoint, d.endpoint)
	}
	return s.Due
}

// record is RecordOutcomes on behalf of token at an offset from now.
func (d *desk) record(token id.UUID, at, lease time.Duration, outcomes ...webhook.Outcome) (held bool) {
	d.Helper()
	held, err := d.db.RecordOutcomes(d.Context(), pg.RecordRequest{Workspace: d.ws, Endpoint: d.endpoint.ID, Token: token,
		Lease: lease, Now: d.now.Add(at), Outcomes: outcomes})
	if err != nil {
		d.Fatal(err)
	}
	return held
}

// list returns up to 10 deliveries of an endpoint, newest first.
func (d *desk) list(workspace id.UUID, e webhook.Endpoint) ([]webhook.Delivery, error) {
	all, _, err := d.db.FindDeliveries(d.Context(), workspace, pg.DeliveryQuery{Filter: webhook.Filter{EndpointID: e.ID},
		Limit: 10})
	return all, err
}

// due reports whether a sweep would find the endpoint at an offset from now.
func (d *desk) due(at time.Duration) bool {
	d.Helper()
	refs, err := d.db.DueEndpoints(d.Context(), d.now.Add(at), 1000)
	if err != nil {
		d.Fatal(err)
	}
	return slices.Contains(refs, pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID})
}

// outcome is of an attempt at j: status 200 delivers it, else it is tried again at next, or never if that is nil.
func (d *desk) outcome(j webhook.DueDelivery, status int, next *time.Time) webhook.Outcome {
	a := webhook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, Status: status,
		ResponseHead: "héad \"\\ {}", Latency: 12 * time.Millisecond, At: d.now}
	o := webhook.Outcome{Attempt: a, State: webhook.Delivered}
	if status != 200 {
		o.Attempt.Error, o.State, o.NextAt = webhook.StatusError(status), webhook.Pending, next
		if next == nil {
			o.State = webhook.Exhausted
		}
	}
	return o
}

func TestLeaseDueOldestFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	var want []id.UUID
	for range 3 {
		want = append(want, d.mustLeads(1)...)
	}
	jobs := d.take(id.New(), 0, 2)
	var got []id.UUID
	for _, j := range jobs {
		got = append(got, j.EventID)
	}
	if !slices.Equal(got, want[:2]) {
		t.Errorf("LeaseDue(limit 2) = %v, want the two oldest %v", got, want[:2])
	}
	if j := jobs[0]; j.EventType != webhook.LeadCreated || j.Attempts != 0 || time.Since(j.EventAt) > time.Minute ||
		!strings.Contains(string(j.Data), `"metadata":{"a": "\\\"b"}`) {
		t.Errorf("job = %+v with data %s, want a new lead.created with its lead, metadata as it came", j, j.Data)
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	one, two := id.New(), id.New()
	if got := d.take(one, 0, 10); len(got) != 0 {
		t.Fatalf("LeaseDue with nothing due = %d jobs", len(got))
	}
	d.mustLeads(3) // were there a lease from the empty take, two would get nothing
	if got := d.take(two, 0, 10); len(got) != 3 {
		t.Fatalf("LeaseDue = %d jobs, want 3", len(got))
	}
	for _, c := range []struct {
		what string
		got  int
		want int
	}{
		{"another token, while the lease lives", len(d.take(one, 29*time.Second, 10)), 0},
		{"the same token", len(d.take(two, 29*time.Second, 10)), 3}, // renews it to 59 s
		{"another token, after the first lease but before the renewed one ends", len(d.take(one, 45*time.Second, 10)), 0},
	} {
		if c.got != c.want {
			t.Errorf("LeaseDue by %s = %d jobs, want %d", c.what, c.got, c.want)
		}
	}
	if d.due(45 * time.Second) {
		t.Error("DueEndpoints tells an endpoint somebody works on")
	}
	if !d.due(59 * time.Second) {
		t.Error("DueEndpoints leaves out an endpoint whose lease lapsed")
	}
	if got := d.take(one, 59*time.Second, 10); len(got) != 3 {
		t.Errorf("LeaseDue after the lease = %d jobs, want 3", len(got))
	}
	d.record(two, 60*time.Second, 0) // too late to give anything back
	if d.due(61 * time.Second) {
		t.Error("a token without the lease gave it back")
	}
	d.record(one, 61*time.Second, 0)
	if !d.due(61 * time.Second) {
		t.Error("the lease is still there after it was given back")
	}
}

func TestRecordOutcomes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(4)
	token := id.New()
	jobs := d.take(token, 0, 10)
	later := d.now.Add(5 * time.Minute)
	outcomes := []webhook.Outcome{d.outcome(jobs[0], 200, nil), d.outcome(jobs[1], 503, &later), d.outcome(jobs[2], 410,
		nil)}
	d.record(token, 0, 30*time.Second, outcomes...)
	d.record(token, 0, 30*time.Second, outcomes...) // the answer of the first was lost

	all, err := d.list(d.ws, d.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[id.UUID]webhook.Delivery{}
	for _, v := range all {
		byID[v.ID] = v
	}
	for i, want := range []webhook.Delivery{
		{State: webhook.Delivered, Attempts: 1, LastStatus: 200},
		{State: webhook.Pending, Attempts: 1, LastStatus: 503, LastError: "status: 503", NextAt: &later},
		{State: webhook.Exhausted, Attempts: 1, LastStatus: 410, LastError: "status: 410"},
	} {
		got := byID[jobs[i].DeliveryID]
		var about struct{ ID string }
		if err := json.Unmarshal(jobs[i].Data, &about); err != nil {
			t.Fatal(err)
		}
		var err error
		if want.LeadID, err = id.Lead.Parse(about.ID); err != nil {
			t.Fatal(err)
		}
		want.WorkspaceID, want.ID, want.EndpointID, want.EventID, want.EventType = d.ws, jobs[i].DeliveryID, d.endpoint.ID,
			jobs[i].EventID, webhook.LeadCreated
		want.CreatedAt, want.UpdatedAt = got.CreatedAt, d.now
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("delivery %d (-want +got):\n%s", i, diff)
		}
	}
	attempts, err := d.db.ListAttempts(t.Context(), d.ws, []id.UUID{jobs[0].DeliveryID, jobs[1].DeliveryID,
		jobs[3].DeliveryID})
	if err != nil {
		t.Fatal(err)
	}
	want := map[id.UUID][]webhook.Attempt{jobs[0].DeliveryID: {outcomes[0].Attempt},
		jobs[1].DeliveryID: {outcomes[1].Attempt}}
	if diff := cmp.Diff(want, attempts); diff != "" {
		t.Errorf("ListAttempts (-want +got):\n%s", diff)
	}

	if got := d.take(token, time.Second, 10); len(got) != 1 || got[0].DeliveryID != jobs[3].DeliveryID {
		t.Errorf("LeaseDue = %d jobs, want the one nobody attempted", len(got))
	}
	if got := d.take(token, 5*time.Minute, 10); len(got) != 2 {
		t.Errorf("LeaseDue when the failed one is due = %d jobs, want 2", len(got))
	}
	b, err := d.db.EndpointBacklog(t.Context(), d.ws, d.endpoint.ID)
	if err != nil || b.Waiting != 2 || b.LastError != "status: 503" || b.NextAt.After(later) {
		t.Errorf("EndpointBacklog = %+v, %v, want 2 waiting after a 503", b, err)
	}
}

// What is final stays so: a worker that was away for longer than its lease changes nothing.
func TestLateOutcomeChangesNothingFinal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(1)
	slow, quick := id.New(), id.New()
	j := d.take(slow, 0, 1)[0]
	d.take(quick, 31*time.Second, 1)
	d.record(quick, 32*time.Second, 0, d.outcome(j, 200, nil))
	d.record(slow, 40*time.Second, 0, d.outcome(j, 500, &d.now))
	all, err := d.list(d.ws, d.endpoint)
	if err != nil || len(all) != 1 || all[0].State != webhook.Delivered {
		t.Errorf("deliveries = %+v, %v, want it delivered for good", all, err)
	}
}

func TestDisabledEndpointRests(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(1)
	off := func(enabled bool) {
		if _, err := d.db.ExecContext(t.Context(), `update endpoints set enabled = $1 where id = $2`, enabled,
			d.endpoint.ID); err != nil {
			t.Fatal(err)
		}
	}
	off(false)
	if got := d.take(id.New(), 0, 10); len(got) != 0 || d.due(0) {
		t.Errorf("a disabled endpoint has %d jobs and is due: %v", len(got), d.due(0))
	}
	d.mustLeads(1) // makes it no delivery
	off(true)
	if got := d.take(id.New(), 0, 10); len(got) != 1 {
		t.Errorf("enabled again: %d jobs, want the one of before", len(got))
	}
}

// Nobody reaches another workspace's deliveries, whatever ids he knows.
func TestWorkspacesDoNotMeet(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, theirs := newDesk(t, db), newDesk(t, db)
	theirs.mustLeads(2)
	token := id.New()
	jobs := theirs.take(token, 0, 10)

	thief := *theirs
	thief.ws = mine.ws
	if got := thief.take(token, 0, 10); len(got) != 0 {
		t.Errorf("LeaseDue of another workspace's endpoint = %d jobs, want none", len(got))
	}
	thief.record(token, 0, 0, theirs.outcome(jobs[0], 200, nil))
	all, err := theirs.list(theirs.ws, theirs.endpoint)
	if err != nil || len(all) != 2 || all[0].State != webhook.Pending || all[1].State != webhook.Pending {
		t.Errorf("deliveries = %+v, %v, want both still pending", all, err)
	}
	if theirs.due(0) {
		t.Error("another workspace gave the lease back")
	}
	if seen, err := mine.list(mine.ws, theirs.endpoint); err != nil || len(seen) != 0 {
		t.Errorf("ListDeliveries = %d, %v, want none", len(seen), err)
	}
	if seen, err := db.ListAttempts(t.Context(), theirs.ws, []id.UUID{jobs[0].DeliveryID}); err != nil || len(seen) != 0 {
		t.Errorf("ListAttempts = %v, %v, want none: the attempt was not made there", seen, err)
	}
	if b, err := db.EndpointBacklog(t.Context(), mine.ws, theirs.endpoint.ID); err != nil || b.Waiting != 0 {
		t.Errorf("EndpointBacklog = %+v, %v, want nothing", b, err)
	}
}

// Of many that take at once one gets the deliveries.
func TestOneOfManyTakes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	const rounds, takers = 10, 8
	for range rounds {
		d.mustLeads(1)
		start, took := make(chan struct{}), make(chan int, takers)
		var all sync.WaitGroup
		for range takers {
			token := id.New()
			all.Go(func() {
				<-start
				s, err := d.db.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: d.ws, Endpoint: d.endpoint.ID, Token: token,
					Lease: 30 * time.Second, Limit: 10, Now: d.now})
				if err != nil {
					t.Error(err)
				}
				if len(s.Due) > 0 {
					d.record(token, 0, 30*time.Second, d.outcome(s.Due[0], 200, nil))
				}
				took <- len(s.Due)
			})
		}
		close(start)
		all.Wait()
		close(took)
		sum := 0
		for n := range took {
			sum += n
		}
		if sum != 1 {
			t.Fatalf("taken in all = %d, want 1", sum)
		}
		d.now = d.now.Add(time.Minute) // the lease lapses
	}
}

// Only what is wanted is owed, a group such as lead.* covers its types, and what a disabled endpoint would get is held.
func TestDeliveriesFollowEventTypes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	created, enriched, off := d.mustEndpoint(true, webhook.LeadCreated), d.mustEndpoint(true, webhook.LeadEnriched),
		d.mustEndpoint(false, webhook.LeadCreated)
	d.mustLeads(1)
	for _, c := range []struct {
		e    webhook.Endpoint
		want []webhook.State
	}{{d.endpoint, []webhook.State{webhook.Pending}}, {created, []webhook.State{webhook.Pending}}, {enriched, nil},
		{off, []webhook.State{webhook.Held}}} {
		t.Run(fmt.Sprint(c.e.EventTypes, c.e.Enabled), func(t *testing.T) {
			got, err := d.list(d.ws, c.e)
			var states []webhook.State
			for _, one := range got {
				states = append(states, one.State)
			}
			if err != nil || !slices.Equal(states, c.want) {
				t.Errorf("deliveries to an endpoint for %v (enabled %v) = %v, %v, want %v", c.e.EventTypes, c.e.Enabled, states, err,
					c.want)
			}
		})
	}
}

// A record that comes again, because its answer was lost, takes back nothing of what was done with the delivery since.
func TestRecordAgainAfterAResend(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(1)
	token := id.New()
	o := d.outcome(d.take(token, 0, 10)[0], 200, nil)
	d.record(token, 0, 10*time.Second, o)
	if _, err := d.db.ResendDelivery(t.Context(), d.ws, o.Attempt.DeliveryID); err != nil {
		t.Fatal(err)
	}
	d.record(token, 0, 0, o)
	if got := d.states(d.endpoint); got[webhook.Pending] != 1 {
		t.Errorf("deliveries are %v, want one that is pending: it is to be sent again", got)
	}
}
