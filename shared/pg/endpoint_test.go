package pg_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// states counts an endpoint's deliveries by state.
func (d *desk) states(e webhook.Endpoint) map[webhook.State]int {
	d.Helper()
	var rows []struct {
		State webhook.State
		N     int
	}
	const q = `select state, count(*) as n from deliveries where workspace_id = $1 and endpoint_id = $2 group by state`
	if err := d.db.SelectContext(d.Context(), &rows, q, e.WorkspaceID, e.ID); err != nil {
		d.Fatal(err)
	}
	all := map[webhook.State]int{}
	for _, r := range rows {
		all[r.State] = r.N
	}
	return all
}

// What still waits for an endpoint that gets nothing any more is held or cancelled, so many at a time; another
// endpoint's is left alone.
func TestHoldOrCancelPending(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	off, gone := d.mustEndpoint(true), d.mustEndpoint(true)
	d.mustLeads(5)
	other.mustLeads(3)
	// As they are when a commit of leads and a disabling cross.
	db.MustExecContext(t.Context(), `update endpoints set enabled = false where id = $1`, off.ID)
	db.MustExecContext(t.Context(), `update endpoints set enabled = false, deleted_at = now() where id = $1`, gone.ID)
	var batches []int
	for {
		n, err := db.HoldOrCancelPending(t.Context(), 4)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, n)
		if n == 0 {
			break
		}
	}
	if diff := cmp.Diff([]int{4, 4, 2, 0}, batches); diff != "" {
		t.Errorf("settled at a time (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		e    webhook.Endpoint
		want map[webhook.State]int
	}{
		"disabled":             {off, map[webhook.State]int{webhook.Held: 5}},
		"deleted":              {gone, map[webhook.State]int{webhook.Cancelled: 5}},
		"enabled":              {d.endpoint, map[webhook.State]int{webhook.Pending: 5}},
		"of another workspace": {other.endpoint, map[webhook.State]int{webhook.Pending: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, d.states(c.e)); diff != "" {
				t.Errorf("deliveries of the endpoint %s (-want +got):\n%s", name, diff)
			}
		})
	}
}

// mustUpdate changes an endpoint.
func (d *desk) mustUpdate(e webhook.Endpoint, change func(*webhook.Endpoint)) webhook.Endpoint {
	d.Helper()
	e, err := d.db.UpdateEndpoint(d.Context(), e.WorkspaceID, e.ID, d.now,
		func(e *webhook.Endpoint) error { change(e); return nil }, nil)
	if err != nil {
		d.Fatal(err)
	}
	return e
}

// What is written is what is read, and what an owner cannot change stays.
func TestUpdateEndpointKeepsTheRest(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	at := d.now.Truncate(time.Millisecond)
	want := d.endpoint
	db.MustExecContext(t.Context(),
		`update endpoints set failures = 4, failing_since = $2, failing_delivery = $3, probe_at = $2, probes = 3, last_error = 'dns: x', last_success_at = $2, told = true, paced_until = $2 where id = $1`,
		want.ID, at, id.New())
	got := d.mustUpdate(want, func(e *webhook.Endpoint) {
		e.Description, e.EventTypes, e.ChatbotIDs = "d", []string{"lead.created"}, []id.UUID{id.New()}
		e.Headers, e.Payload, e.Rate, e.MaxInFlight, e.Timeout = map[string]string{"X-A": `"b"`}, webhook.PayloadThin, 7, 1,
			30*time.Second
		e.Secret, e.Former = webhook.NewSigningKey(), []webhook.FormerSecret{{Secret: e.Secret, Until: at}}
	})
	read, err := db.GetEndpoint(t.Context(), d.ws, want.ID)
	if diff := cmp.Diff(got, read); diff != "" || err != nil {
		t.Errorf("GetEndpoint = %v; what UpdateEndpoint returned differs (-returned +read):\n%s", err, diff)
	}
	if h := read.Health; h.Failures != 4 || !h.Open() || h.Probes != 3 || h.LastError != "dns: x" || !h.Notified ||
		h.FailingDelivery == (id.UUID{}) || !read.UpdatedAt.Equal(d.now) || !read.Enabled {
		t.Errorf("after a change: %+v, want the health as it was and updated now", read)
	}
	d.now = d.now.Add(time.Hour)
	if same := d.mustUpdate(want, func(*webhook.Endpoint) {}); !same.UpdatedAt.Equal(read.UpdatedAt) {
		t.Errorf("a change of nothing: updated at %s, want %s still", same.UpdatedAt, read.UpdatedAt)
	}
	nothing := func(*webhook.Endpoint) error {
		t.Error("asked for a change of an endpoint that is not there")
		return nil
	}
	for name, ws := range map[string]id.UUID{"another workspace's": other.ws, "no": id.New()} {
		if _, err := db.UpdateEndpoint(t.Context(), ws, want.ID, d.now, nothing, nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("UpdateEndpoint of %s endpoint = %v, want NOT_FOUND", name, err)
		}
		if err := db.DeleteEndpoint(t.Context(), ws, want.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("DeleteEndpoint of %s endpoint = %v, want NOT_FOUND", name, err)
		}
	}
}

// Disabling holds what waits and takes the lease from a drain under way; what that had sent is still recorded.
func TestDisablingStopsADrain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(3)
	token := id.New()
	jobs := d.take(token, 0, 2)
	if len(jobs) != 2 {
		t.Fatalf("took %d, want 2", len(jobs))
	}
	d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) { e.SetEnabled(false, d.now) })
	if diff := cmp.Diff(map[webhook.State]int{webhook.Held: 3}, d.states(d.endpoint)); diff != "" {
		t.Errorf("after disabling (-want +got):\n%s", diff)
	}
	outcome := webhook.Outcome{Attempt: webhook.Attempt{DeliveryID: jobs[0].DeliveryID, ID: id.New(), Number: 1,
		Status: 200, At: d.now}, State: webhook.Delivered}
	if d.record(token, 0, time.Minute, outcome) {
		t.Error("the drain still holds the lease, want it to stop")
	}
	if diff := cmp.Diff(map[webhook.State]int{webhook.Held: 2, webhook.Delivered: 1}, d.states(d.endpoint)); diff != "" {
		t.Errorf("after the drain's last words (-want +got):\n%s", diff)
	}
	d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) { e.SetEnabled(true, d.now) })
	d.mustLeads(1)
	if jobs := d.take(id.New(), 0, 5); len(jobs) != 1 {
		t.Errorf("after enabling a drain takes %d, want the new one only", len(jobs))
	}
}

// A deleted endpoint is gone but for its deliveries, and nothing secret of it is left.
func TestDeleteEndpoint(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	e := d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) {
		e.Headers, e.Former = map[string]string{"Authorization": "hunter2"}, []webhook.FormerSecret{{Secret: "hunter2",
			Until: d.now}}
	})
	d.mustLeads(2)
	if err := d.db.DeleteEndpoint(t.Context(), d.ws, e.ID); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[webhook.State]int{webhook.Cancelled: 2}, d.states(e)); diff != "" {
		t.Errorf("its deliveries (-want +got):\n%s", diff)
	}
	var left string
	if err := d.db.GetContext(t.Context(), &left,
		`select url || secret || headers::text || former_secrets::text from endpoints where workspace_id = $1 and id = $2`,
		d.ws, e.ID); err != nil || left != e.URL+"{}[]" {
		t.Errorf("what is left of it = %q, %v, want its URL and no secret", left, err)
	}
	d.mustLeads(1)
	if diff := cmp.Diff(map[webhook.State]int{webhook.Cancelled: 2}, d.states(e)); diff != "" {
		t.Errorf("its deliveries after another lead (-want +got):\n%s", diff)
	}
	if err := d.db.DeleteEndpoint(t.Context(), d.ws, e.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("DeleteEndpoint again = %v, want NOT_FOUND", err)
	}
}

// A replay that begins with a change is there when the change is, and only then.
func TestUpdateEndpointWithReplay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	off := d.mustEndpoint(false)
	replay := func() *webhook.Replay {
		return &webhook.Replay{WorkspaceID: d.ws, ID: id.New(), Rate: 5, CreatedAt: d.now,
			Filter: webhook.Filter{EndpointID: off.ID, States: []webhook.State{webhook.Held}}}
	}
	enable := func(on bool) func(*webhook.Endpoint) error {
		return func(e *webhook.Endpoint) error { e.SetEnabled(on, d.now); return nil }
	}
	refused, begun := replay(), replay()
	if _, err := d.db.UpdateEndpoint(t.Context(), d.ws, off.ID, d.now, enable(false), refused); !fault.Is(err,
		fault.Conflict) {
		t.Errorf("a replay for a disabled endpoint = %v, want CONFLICT", err)
	}
	if _, err := d.db.UpdateEndpoint(t.Context(), d.ws, off.ID, d.now, enable(true), begun); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.GetReplay(t.Context(), d.ws, refused.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("the refused replay = %v, want NOT_FOUND", err)
	}
	if r, err := d.db.GetReplay(t.Context(), d.ws, begun.ID); err != nil || r.State != webhook.ReplayRunning ||
		r.Rate != 5 {
		t.Errorf("the replay = %+v, %v, want it running", r, err)
	}
}

func TestCountBacklogs(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	idle := d.mustEndpoint(true, "lead.deleted")
	d.mustLeads(6)
	other.mustLeads(1)
	db.MustExecContext(t.Context(), `
update deliveries d set state = (array['pending', 'pending', 'exhausted', 'exhausted', 'exhausted', 'held'])[n], created_at = now() - n * interval '1 hour'
  from (select id, row_number() over (order by id) as n from deliveries where endpoint_id = $1) as o where d.id = o.id`, d.endpoint.ID)
	oldestOf := func(state string) (at time.Time) {
		if err := db.GetContext(t.Context(), &at,
			`select min(created_at) from deliveries where endpoint_id = $1 and state = $2`, d.endpoint.ID, state); err != nil {
			t.Fatal(err)
		}
		return at
	}
	oldest, held := oldestOf("pending"), oldestOf("held")
	got, err := db.CountBacklogs(t.Context(), d.ws, []id.UUID{d.endpoint.ID, idle.ID, other.endpoint.ID}, 10_000)
	want := map[id.UUID]pg.UndeliveredCounts{d.endpoint.ID: {Pending: 2, Exhausted: 3, Held: 1, Oldest: &oldest,
		OldestHeld: &held},
		idle.ID: {}, other.endpoint.ID: {}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("CountBacklogs = %v (-want +got):\n%s", err, diff)
	}
	if none, err := db.CountBacklogs(t.Context(), d.ws, nil, 10_000); len(none) != 0 || err != nil {
		t.Errorf("CountBacklogs of none = %v, %v, want none", none, err)
	}
}

// Another URL begins with a clean record, and a drain under way to the old one stops: what it finds out says nothing
// about the new one.
func TestAnotherURLBeginsAnew(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	token := id.New()
	jobs := d.take(token, 0, 1)
	d.db.MustExecContext(t.Context(),
		`update endpoints set failures = 4, failing_since = $2, failing_delivery = $3, probe_at = $2, probes = 3, last_error = 'dns: x', last_success_at = $2, told = true where id = $1`,
		d.endpoint.ID, d.now, id.New())
	got := d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) { e.URL = "https://hooks.example.com/other" })
	if diff := cmp.Diff(webhook.Health{LastSuccessAt: &d.now}, got.Health); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	if d.record(token, 0, time.Minute, d.outcome(jobs[0], 500, &d.now)) {
		t.Error("the drain to the old URL still holds the lease")
	}
	d.endpoint = got
	if jobs := d.take(id.New(), 0, 5); len(jobs) != 2 {
		t.Errorf("a drain to the new URL takes %d, want 2", len(jobs))
	}
}

// age lets an endpoint have been deleted long enough ago for every commit of events that has seen it alive to be over.
func (d *desk) age(endpoint id.UUID) {
	d.Helper()
	d.db.MustExecContext(d.Context(), `update endpoints set deleted_at = deleted_at - interval '2 minutes' where id = $1`,
		endpoint)
}

// Who makes and deletes endpoints without end leaves no rows behind, except where deliveries need them, and of those
// there is a limit.
func TestDeletedEndpointsAreBounded(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	remove := func(e webhook.Endpoint) {
		if err := db.DeleteEndpoint(t.Context(), d.ws, e.ID); err != nil {
			t.Fatal(err)
		}
		d.age(e.ID)
	}
	rows := func() (n int) {
		if err := db.GetContext(t.Context(), &n, `select count(*) from endpoints where workspace_id = $1`, d.ws); err != nil {
			t.Fatal(err)
		}
		return n
	}
	d.mustLeads(1)
	remove(d.endpoint) // has a delivery
	remove(d.mustEndpoint(true))
	remove(d.mustEndpoint(true))
	if rows() != 2 { // the one with a delivery, and the one deleted last
		t.Errorf("rows = %d, want 2", rows())
	}
	const full = `
insert into endpoints (workspace_id, id, url, description, event_types, secret, enabled, created_at, updated_at, deleted_at)
select $1, gen_random_uuid(), '', '', '{}', '', false, now(), now(), cast('2026-01-15T10:30:00Z' as timestamptz) + make_interval(secs => n) from generate_series(0, 498) as n`
	db.MustExecContext(t.Context(), full, d.ws)
	remove(d.mustEndpoint(true)) // which forgets them: they have no deliveries
	if rows() != 2 {
		t.Errorf("rows = %d, want 2", rows())
	}
	db.MustExecContext(t.Context(), full, d.ws)
	db.MustExecContext(t.Context(), `
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, created_at, updated_at)
select v.workspace_id, delivery_id(v.id, e.id), e.id, v.id, 'delivered', now(), now() from events v join endpoints e on e.workspace_id = v.workspace_id where v.workspace_id = $1
    on conflict do nothing`, d.ws)
	e := d.endpoint
	e.ID = id.New()
	err := db.CreateEndpoint(t.Context(), e)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "2026-01-15T10:30:00Z") {
		t.Errorf("one more than can be kept = %v, want CONFLICT that tells the first deletion", err)
	}
	other.mustEndpoint(true)
	db.MustExecContext(t.Context(), `delete from deliveries where workspace_id = $1`, d.ws)
	if err := db.CreateEndpoint(t.Context(), e); err != nil {
		t.Errorf("when they are needed no more = %v, want one made", err)
	}
	if rows() != 1 {
		t.Errorf("rows = %d, want the new one only", rows())
	}
}

// What each new event costs does not grow with the endpoints that were deleted.
func TestFanOutLooksAtLiveEndpointsOnly(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it is about plans of Postgres")
	d := newDesk(t, pgtest.New(t))
	d.db.MustExecContext(t.Context(), `
insert into endpoints (workspace_id, id, url, description, event_types, secret, enabled, created_at, updated_at, deleted_at)
select $1, gen_random_uuid(), '', '', '{lead.*}', '', false, now(), now(), now() from generate_series(1, 500)`, d.ws)
	d.exec(`analyze endpoints`)
	var plan []string
	if err := d.db.SelectContext(t.Context(), &plan, `
explain with ev (workspace_id, type) as materialized (values (cast($1 as uuid), 'lead.created'))
select ep.id from ev join endpoints ep on ep.workspace_id = ev.workspace_id and ep.deleted_at is null
   and ep.event_types && array[ev.type, split_part(ev.type, '.', 1) || '.*']`, d.ws); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "endpoints_live") {
		t.Errorf("plan =\n%s\nwant the index of live endpoints", text)
	}
}

// What waits for another try is due at once where the endpoint gets another URL, in its order where that matters.
func TestAnotherURLIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	for name, inFlight := range map[string]int{"in order": 1, "side by side": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, pgtest.New(t))
			d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) { e.MaxInFlight = inFlight })
			events := d.mustLeads(3)
			token, later := id.New(), d.now.Add(5*time.Hour)
			var failed []webhook.Outcome
			for _, j := range d.take(token, 0, 2) {
				failed = append(failed, d.outcome(j, 500, &later))
			}
			d.record(token, 0, 0, failed...)
			d.endpoint = d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) { e.URL = "https://hooks.example.com/right" })
			var due []id.UUID
			for _, j := range d.take(id.New(), 0, 10) {
				due = append(due, j.EventID)
			}
			if inFlight > 1 { // what is due already keeps its place
				slices.SortFunc(due, func(a, b id.UUID) int { return bytes.Compare(a[:], b[:]) })
			}
			if diff := cmp.Diff(events, due); diff != "" {
				t.Errorf("due (-want +got):\n%s", diff)
			}
		})
	}
}
