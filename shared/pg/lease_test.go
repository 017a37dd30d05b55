package pg_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// takeAs is LeaseDue in a mode; the lease, if it is got, is given back.
func (d *desk) takeAs(mode pg.LeaseMode, at time.Duration) pg.LeasedBatch {
	d.Helper()
	token := id.New()
	s, err := d.db.LeaseDue(d.Context(), pg.LeaseRequest{Workspace: d.ws, Endpoint: d.endpoint.ID, Token: token,
		Lease: time.Minute, Limit: 10, Mode: mode, Now: d.now.Add(at)})
	if err != nil {
		d.Fatal(err)
	}
	d.record(token, at, 0)
	return s
}

// An open breaker keeps drains away, a probe comes when the pause is over, and whoever asks for it gets one at any
// time.
func TestLeaseModes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	token, probeAt, later := id.New(), d.now.Add(time.Minute), d.now.Add(time.Hour)
	jobs := d.take(token, 0, 1)
	first := d.outcome(jobs[0], 503, &later)
	since := d.now.Add(-time.Second)
	want := webhook.Health{Failures: 7, FailingSince: &since, FailingDelivery: jobs[0].DeliveryID, ProbeAt: &probeAt,
		Probes: 3, LastError: "status: 503"}
	if held, err := d.db.RecordOutcomes(t.Context(), pg.RecordRequest{Workspace: d.ws, Endpoint: d.endpoint.ID,
		Token: token, Now: d.now, Outcomes: []webhook.Outcome{first}, Health: &want}); err != nil || !held {
		t.Fatalf("RecordOutcomes = %v, %v, want the lease held", held, err)
	}
	for _, c := range []struct {
		name string
		mode pg.LeaseMode
		at   time.Duration
		want int
	}{
		{"a drain in the pause", pg.LeaseForDrain, 0, 0},
		{"a probe in the pause", pg.LeaseForProbe, 0, 0},
		{"whoever asks, in the pause", pg.LeaseNow, 0, 2},
		{"a drain after the pause", pg.LeaseForDrain, 2 * time.Minute, 0},
		{"a probe after the pause", pg.LeaseForProbe, 2 * time.Minute, 1},
		{"a probe when both are due", pg.LeaseForProbe, 2 * time.Hour, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := len(d.takeAs(c.mode, c.at).Due); got != c.want {
				t.Errorf("leased %d, want %d", got, c.want)
			}
		})
	}
	e, err := d.db.GetEndpoint(t.Context(), d.ws, d.endpoint.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, e.Health); diff != "" {
		t.Errorf("health as recorded (-want +got):\n%s", diff)
	}
	s := d.takeAs(pg.LeaseNow, 3*time.Hour)
	if diff := cmp.Diff(want, s.Endpoint.Health); diff != "" {
		t.Errorf("health as taken (-want +got):\n%s", diff)
	}
	if s.Due[1].Attempts != 1 || s.Due[1].Tries != 1 || !s.Due[1].NextAt.Equal(later) {
		t.Errorf("the one that failed = %+v, want 1 attempt, next at %v", s.Due[1], later)
	}
}

// What an endpoint asks for, and the workspace's schedule, come with the work.
func TestLeaseBringsTheEndpoint(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	if s := func() pg.LeasedBatch { d.mustLeads(1); return d.takeAs(pg.LeaseForDrain, 0) }(); s.Schedule != nil ||
		s.Endpoint.MaxInFlight != webhook.DefaultInFlight || s.Endpoint.Timeout != webhook.DefaultTimeout ||
		s.Endpoint.Payload != webhook.PayloadFull {
		t.Errorf("an endpoint as it is made = %+v, schedule %v, want the defaults", s.Endpoint, s.Schedule)
	}
	want := webhook.Endpoint{WorkspaceID: d.ws, ID: id.New(), URL: "https://hooks.example.com/x",
		EventTypes: []string{"lead.*"}, Headers: map[string]string{"X-A": "b"}, Payload: webhook.PayloadThin,
		Rate: 7, MaxInFlight: 1, Timeout: 3 * time.Second, Secret: webhook.NewSecret(), Enabled: true, CreatedAt: tenantEpoch}
	if err := d.db.CreateEndpoint(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.UpdateWorkspace(t.Context(), d.ws,
		func(w *tenant.Workspace) error { w.Settings.RetrySchedule = []int{0, 90}; return nil }); err != nil {
		t.Fatal(err)
	}
	d.endpoint = want
	d.mustLeads(2)
	s := d.takeAs(pg.LeaseForDrain, 0)
	got := s.Endpoint
	got.EventTypes, got.CreatedAt = want.EventTypes, want.CreatedAt // not among what sending takes
	got.Former = nil
	if diff := cmp.Diff(want, got); diff != "" || len(s.Due) != 2 {
		t.Errorf("endpoint with %d jobs (-want +got):\n%s", len(s.Due), diff)
	}
	if diff := cmp.Diff(webhook.Schedule{0, 90 * time.Second}, s.Schedule); diff != "" {
		t.Errorf("schedule (-want +got):\n%s", diff)
	}
}

// What was under way when its endpoint was disabled: what arrived has arrived, what failed stays held.
func TestOutcomeOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	token, later := id.New(), d.now.Add(time.Hour)
	jobs := d.take(token, 0, 10)
	const hold = `update deliveries set state = 'held', next_at = null where workspace_id = $1`
	if _, err := d.db.ExecContext(t.Context(), hold, d.ws); err != nil {
		t.Fatal(err)
	}
	d.record(token, 0, 0, d.outcome(jobs[0], 200, nil), d.outcome(jobs[1], 500, &later))
	all, err := d.list(d.ws, d.endpoint)
	if err != nil || len(all) != 2 || all[1].State != webhook.Delivered || all[0].State != webhook.Held ||
		all[0].NextAt != nil || all[0].Attempts != 1 {
		t.Errorf("deliveries = %+v, %v, want the second delivered and the first held after one attempt", all, err)
	}
}

// Where somebody else has the endpoint's row, a lease and a record fail as soon as their patience ends: they have a
// connection meanwhile.
func TestLeaseIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	token := id.New()
	j := d.take(token, 0, 1)[0]
	defer mustHold(t, d.db, `select from endpoints where workspace_id = $1 and id = $2 for no key update`, d.ws, d.endpoint.ID)()
	_, err := d.db.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: d.ws, Endpoint: d.endpoint.ID, Token: token,
		Lease: time.Minute, Limit: 1, Now: d.now, Patience: 10 * time.Millisecond})
	if !errors.Is(err, pg.ErrLockTimeout) {
		t.Errorf("LeaseDue = %v, want %v", err, pg.ErrLockTimeout)
	}
	_, err = d.db.RecordOutcomes(t.Context(), pg.RecordRequest{Workspace: d.ws, Endpoint: d.endpoint.ID, Token: token,
		Now: d.now, Patience: 10 * time.Millisecond, Outcomes: []webhook.Outcome{d.outcome(j, 200, nil)}})
	if !errors.Is(err, pg.ErrLockTimeout) {
		t.Errorf("RecordOutcomes = %v, want %v", err, pg.ErrLockTimeout)
	}
}
