package pg_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// mustReplay makes a replay of what is exhausted.
func (d *desk) mustReplay(endpoint id.UUID, rate int) id.UUID {
	d.Helper()
	f := webhook.Filter{EndpointID: endpoint, States: []webhook.State{webhook.Exhausted}}
	r := webhook.Replay{WorkspaceID: d.ws, ID: id.New(), Filter: f, Rate: rate, State: webhook.ReplayRunning,
		CreatedAt: time.Now().Add(2 * time.Millisecond)}
	if err := d.db.CreateReplay(d.Context(), r); err != nil {
		d.Fatal(err)
	}
	return r.ID
}

// run is one round of a replay.
func (d *desk) run(replay id.UUID, batch int) pg.ReplayBatch {
	d.Helper()
	out, err := d.db.RunReplay(d.Context(), d.ws, replay, batch)
	if err != nil {
		d.Fatal(err)
	}
	return out
}

// play runs a replay until it ends or waits for longer than its rate makes it.
func (d *desk) play(replay id.UUID) (resent int, wake []pg.EndpointRef) {
	d.Helper()
	for {
		out := d.run(replay, 1000)
		resent += out.Resent
		wake = append(wake, out.Wake...)
		if out.Done || out.Wait > 2*time.Second {
			return resent, wake
		}
		d.mustExec(`update replays set last_at = null where id = $1`, replay) // time passes
	}
}

// mustEnd gives the endpoint's pending deliveries a state; tries and attempts are what they would be.
func (d *desk) mustEnd(e webhook.Endpoint, s webhook.State) {
	d.Helper()
	d.mustExec(
		`update deliveries set state = $3, next_at = null, attempts = 12, tries = 12 where workspace_id = $1 and endpoint_id = $2 and state = 'pending'`, e.WorkspaceID, e.ID, s)
}

func TestReplayPicks(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	other, stranger := d.mustEndpoint(true), newDesk(t, d.db)
	d.mustLeads(2)
	middle := time.Now()
	for time.Since(middle) < 2*time.Millisecond { // ids have milliseconds
	}
	events := d.mustLeads(3)
	d.mustExec(`update events set type = 'lead.updated' where id = $1`, events[0])
	var leadID id.UUID
	if err := d.db.GetContext(t.Context(), &leadID, `select lead_id from events where id = $1`, events[2]); err != nil {
		t.Fatal(err)
	}
	stranger.mustLeads(2)
	all := []webhook.State{webhook.Delivered, webhook.Exhausted, webhook.Held, webhook.Cancelled}
	for _, c := range []struct {
		name   string
		filter webhook.Filter
		in     webhook.State // what all of them are
		want   int
	}{
		{"everything", webhook.Filter{}, webhook.Exhausted, 10},
		{"delivered", webhook.Filter{States: all}, webhook.Delivered, 10},
		{"held", webhook.Filter{States: []webhook.State{webhook.Held}}, webhook.Held, 10},
		{"none cancelled", webhook.Filter{States: all}, webhook.Cancelled, 0},
		{"another state", webhook.Filter{States: []webhook.State{webhook.Held}}, webhook.Exhausted, 0},
		{"one endpoint", webhook.Filter{EndpointID: d.endpoint.ID}, webhook.Delivered, 5},
		{"one endpoint, stuck", webhook.Filter{EndpointID: other.ID, States: []webhook.State{webhook.Exhausted,
			webhook.Held}}, webhook.Exhausted, 5},
		{"a type", webhook.Filter{EventType: "lead.updated"}, webhook.Exhausted, 2},
		{"a lead", webhook.Filter{LeadID: leadID}, webhook.Exhausted, 2},
		{"a lead, a type, an endpoint", webhook.Filter{LeadID: leadID, EventType: webhook.LeadCreated, EndpointID: other.ID},
			webhook.Exhausted, 1},
		{"from", webhook.Filter{From: middle}, webhook.Exhausted, 6},
		{"until", webhook.Filter{Until: middle}, webhook.Exhausted, 4},
		{"another workspace's endpoint", webhook.Filter{EndpointID: stranger.endpoint.ID}, webhook.Exhausted, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, e := range []webhook.Endpoint{d.endpoint, other, stranger.endpoint} {
				d.mustExec(`update deliveries set state = 'pending' where endpoint_id = $1`, e.ID)
				d.mustEnd(e, c.in)
			}
			filter, err := json.Marshal(c.filter)
			if err != nil {
				t.Fatal(err)
			}
			replay := id.New()
			d.mustExec(
				`insert into replays (workspace_id, id, filter, rate, state, created_at, updated_at) values ($1, $2, $3, 1000, 'running', now() + interval '1 hour', now())`, d.ws, replay, string(filter))
			if resent, _ := d.play(replay); resent != c.want {
				t.Errorf("resent %d, want %d", resent, c.want)
			}
			if r, err := d.db.GetReplay(t.Context(), d.ws, replay); err != nil || r.Total == nil || *r.Total != c.want ||
				r.Resent != c.want {
				t.Errorf("GetReplay = %+v, %v, want total and resent %d", r, err, c.want)
			}
			if got := d.states(d.endpoint)[webhook.Pending] + d.states(other)[webhook.Pending]; got != c.want {
				t.Errorf("%d are pending, want %d", got, c.want)
			}
			if got := stranger.states(stranger.endpoint)[webhook.Pending]; got != 0 {
				t.Errorf("%d of another workspace are pending, want none", got)
			}
		})
	}
}

// What is sent anew begins the schedule again and goes on counting attempts; what cannot be sent stays as it is.
func TestReplayLeavesAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	off, gone, resting := d.mustEndpoint(true), d.mustEndpoint(true), d.mustEndpoint(true)
	events := d.mustLeads(4)
	d.mustExec(`update events set type = 'webhook.test' where id = $1`, events[3])
	for _, e := range []webhook.Endpoint{d.endpoint, off, gone, resting} {
		d.mustEnd(e, webhook.Exhausted)
	}
	d.mustExec(`update endpoints set enabled = false where id = $1`, off.ID)
	d.mustExec(`update endpoints set deleted_at = now() where id = $1`, gone.ID)
	d.mustExec(`update endpoints set probe_at = now() where id = $1`, resting.ID)
	d.mustExec(`delete from events where id = $1`, events[0])
	d.mustLeads(1) // these wait already
	resent, wake := d.play(d.mustReplay(id.UUID{}, 1000))
	if want := []pg.EndpointRef{{Workspace: d.ws, Endpoint: d.endpoint.ID}}; resent != 4 || !slices.Equal(wake, want) {
		t.Errorf("resent %d and woke %v, want 4 and %v", resent, wake, want)
	}
	for _, c := range []struct {
		e    webhook.Endpoint
		want map[webhook.State]int
	}{
		{d.endpoint, map[webhook.State]int{webhook.Exhausted: 2, webhook.Pending: 3}},
		{off, map[webhook.State]int{webhook.Exhausted: 4, webhook.Held: 1}},
		{gone, map[webhook.State]int{webhook.Exhausted: 4}},
		{resting, map[webhook.State]int{webhook.Exhausted: 2, webhook.Pending: 3}},
	} {
		if diff := cmp.Diff(c.want, d.states(c.e)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	}
	jobs := d.take(id.New(), 0, 10)
	if len(jobs) != 3 || jobs[1].Attempts != 12 || jobs[1].Tries != 0 || jobs[1].EventID != events[1] {
		t.Errorf("LeaseDue = %+v, want what waited and then, in the order of events, those of 12 attempts and no tries", jobs)
	}
}

// For an endpoint that takes one after the other, what is sent anew comes before what happened later, in the order of
// events.
func TestReplayKeepsOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustExec(`update endpoints set max_in_flight = 1`)
	events := d.mustLeads(1)
	<-time.After(2 * time.Millisecond) // ids have milliseconds
	events = append(events, d.mustLeads(1)...)
	d.mustEnd(d.endpoint, webhook.Exhausted)
	<-time.After(2 * time.Millisecond)
	events = append(events, d.mustLeads(1)...)
	d.play(d.mustReplay(d.endpoint.ID, 1000))
	var got []id.UUID
	for _, j := range d.take(id.New(), 0, 10) {
		got = append(got, j.EventID)
	}
	if !slices.Equal(got, events) {
		t.Errorf("LeaseDue after a replay = %v, want the order of events %v", got, events)
	}
}

func TestReplayKeepsItsRate(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(40)
	d.mustEnd(d.endpoint, webhook.Exhausted)
	replay := d.mustReplay(d.endpoint.ID, 20)
	first, second, third := d.run(replay, 1000), d.run(replay, 1000), d.run(replay, 1000)
	if first.Resent != 0 || second.Resent != 20 || third.Resent != 0 || third.Wait <= 0 ||
		third.Wait > 250*time.Millisecond {
		t.Fatalf("rounds = %+v, %+v, %+v, want to count, to send a second's worth, and to wait for the next", first, second,
			third)
	}
	d.mustExec(`update replays set last_at = last_at - interval '300 milliseconds' where id = $1`, replay)
	if out := d.run(replay, 1000); out.Resent < 6 || out.Resent > 20 {
		t.Errorf("resent %d after 300 ms and a little, want 6 or a few more", out.Resent)
	}
	d.mustExec(`update replays set last_at = last_at - interval '1 hour' where id = $1`, replay)
	if out := d.run(replay, 7); out.Resent != 7 || out.Done {
		t.Errorf("RunReplay = %+v with a batch of 7, want 7", out)
	}
}

// However many run it, and though one is killed, each delivery is sent anew once.
func TestReplayIsRunByMany(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it needs a trigger")
	d := newDesk(t, pgtest.New(t))
	const n = 200
	d.mustLeads(n)
	d.mustEnd(d.endpoint, webhook.Exhausted)
	replay, overlapping := d.mustReplay(id.UUID{}, 1000), d.mustReplay(d.endpoint.ID, 1000)
	d.mustExec(`
create table resent (id uuid);
create function note() returns trigger language plpgsql as $$ begin insert into resent values (new.id); return new; end $$;
create trigger note after update of state on deliveries for each row when (new.state = 'pending') execute function note()`)
	inParallel(4, func() {
		for _, r := range []id.UUID{replay, overlapping} {
			for {
				out, err := d.db.RunReplay(t.Context(), d.ws, r, 9)
				if err != nil {
					t.Error(err)
					return
				}
				if out.Done {
					break
				}
			}
		}
	})
	var all, different int
	if err := d.db.QueryRowContext(t.Context(), `select count(*), count(distinct id) from resent`).Scan(&all,
		&different); err != nil || all != n || different != n {
		t.Errorf("sent anew %d, %d different, %v, want each of %d once", all, different, err, n)
	}
	var total int
	for _, id := range []id.UUID{replay, overlapping} {
		r, err := d.db.GetReplay(t.Context(), d.ws, id)
		if err != nil || r.State != webhook.ReplayDone || r.FinishedAt == nil {
			t.Errorf("GetReplay = %+v, %v, want it done", r, err)
		}
		total += r.Resent
	}
	if total != n {
		t.Errorf("the replays resent %d, want %d together", total, n)
	}
}

// What was under way when its endpoint was enabled is committed as held a little later, and is sent too.
func TestReplayWaitsForHeldToSettle(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	d.mustEnd(d.endpoint, webhook.Held)
	r := webhook.Replay{WorkspaceID: d.ws, ID: id.New(), Filter: webhook.Filter{EndpointID: d.endpoint.ID,
		States: []webhook.State{webhook.Held, webhook.Delivered}}, Rate: 1000, State: webhook.ReplayRunning,
		CreatedAt: time.Now()}
	if err := d.db.CreateReplay(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if resent, _ := d.play(r.ID); resent != 0 {
		t.Errorf("resent %d at once, want to wait until all that is held is committed", resent)
	}
	d.mustLeads(3)
	d.mustEnd(d.endpoint, webhook.Held)
	d.mustLeads(4)
	d.mustEnd(d.endpoint, webhook.Delivered) // happened after the replay was made
	passes := func(by string) {
		d.mustExec(`update replays set created_at = created_at - cast($2 as interval) where id = $1`, r.ID, by)
	}
	passes("10 s") // the most a statement has
	if resent, _ := d.play(r.ID); resent != 0 {
		t.Errorf("resent %d after 10 s, want to wait until all that is held is committed", resent)
	}
	passes("2 s")
	for out := d.run(r.ID, 1000); !out.Done; out = d.run(r.ID, 1000) {
		<-time.After(out.Wait)
	}
	if want := map[webhook.State]int{webhook.Pending: 5, webhook.Delivered: 4}; !cmp.Equal(want, d.states(d.endpoint)) {
		t.Errorf("states = %v, want %v", d.states(d.endpoint), want)
	}
}

func TestReplayEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(5)
	d.mustEnd(d.endpoint, webhook.Exhausted)
	due := func() []pg.ReplayRef {
		t.Helper()
		all, err := d.db.DueReplays(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	replay := d.mustReplay(id.UUID{}, 1000)
	if got, want := due(), []pg.ReplayRef{{Workspace: d.ws, Replay: replay}}; !slices.Equal(got, want) {
		t.Errorf("DueReplays = %v, want %v", got, want)
	}
	d.run(replay, 2)
	d.run(replay, 2)
	if out, err := d.db.RunReplay(t.Context(), id.New(), replay, 2); err != nil || !out.Done || out.Resent != 0 {
		t.Errorf("RunReplay in another workspace = %+v, %v, want nothing", out, err)
	}
	if _, err := d.db.CancelReplay(t.Context(), d.ws, replay, time.Now()); err != nil {
		t.Fatal(err)
	}
	if out := d.run(replay, 2); !out.Done || out.Resent != 0 || len(due()) != 0 ||
		d.states(d.endpoint)[webhook.Pending] != 2 {
		t.Errorf("RunReplay of a cancelled one = %+v, want that it ended with 2 resent", out)
	}
}
