package pg_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

const countTimes = `select from delivery_times`

// times returns how long the endpoint's deliveries took that arrived within a day of its clock.
func (d *desk) times() webhook.Times {
	d.Helper()
	hour := d.now.Truncate(time.Hour)
	all, err := d.db.ReadTimes(d.Context(), d.ws, []id.UUID{d.endpoint.ID}, hour.Add(-24*time.Hour), hour.Add(24*time.Hour))
	if err != nil {
		d.Fatal(err)
	}
	return all[d.endpoint.ID]
}

// arrived is an outcome that succeeds so long after the event happened, of which the answer took a while.
func (d *desk) arrived(j webhook.DueDelivery, took time.Duration) webhook.Outcome {
	o := d.outcome(j, 200, nil)
	o.Attempt.Latency = (took / 2).Truncate(time.Millisecond)
	o.Attempt.At = j.EventAt.Add(took - o.Attempt.Latency)
	return o
}

// The database puts each time where webhook.TimesBucket does, and as many rows are written as there are buckets.
func TestTimesAreKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(200)
	token, want := id.New(), webhook.Times{}
	var outcomes []webhook.Outcome
	for i, j := range d.take(token, 0, 200) {
		took := time.Duration(i*i*i)*time.Millisecond + time.Duration(i)*100*time.Microsecond
		if i%10 == 0 {
			took = -took // the worker's clock is behind
		}
		outcomes = append(outcomes, d.arrived(j, took))
		want[webhook.TimesBucket(took)]++
	}
	d.record(token, 0, time.Minute, outcomes...)
	if diff := cmp.Diff(want, d.times()); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	if rows, most := d.count(countTimes), 4*len(want); rows > most { // they arrived in up to four hours
		t.Errorf("%d rows of 200 deliveries, want at most %d", rows, most)
	}
	d.mustLeads(40)
	outcomes = nil
	before := d.count(countTimes)
	for _, j := range d.take(token, 0, 40) {
		j.EventAt = outcomesAt(outcomes, j)
		outcomes = append(outcomes, d.arrived(j, 0))
		want[0]++
	}
	d.record(token, 0, time.Minute, outcomes...)
	if diff := cmp.Diff(want, d.times()); diff != "" || d.count(countTimes) > before+1 {
		t.Errorf("after 40 at once, in %d rows more (-want +got):\n%s", d.count(countTimes)-before, diff)
	}
}

// outcomesAt is the moment of the first outcome, or of a delivery where there is none.
func outcomesAt(all []webhook.Outcome, j webhook.DueDelivery) time.Time {
	if len(all) > 0 {
		return all[0].Attempt.At
	}
	return j.EventAt
}

// A delivery is timed once: not by its failures, not when a record is repeated, not by a second worker that sent it
// too, and not when it is sent again.
func TestDeliveryIsTimedOnce(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(1)
	killed, other := id.New(), id.New()
	j := d.take(killed, 0, 1)[0]
	at := d.now.Add(-time.Minute)
	failed, lost := d.outcome(j, 503, &at), d.arrived(j, 90*time.Second)
	d.record(killed, 0, 30*time.Second, failed)
	if got := d.times(); len(got) != 0 {
		t.Errorf("times after a failure = %v, want none", got)
	}
	// The first worker sends it a second time and is cut off; its lease ends, and another sends it a third time.
	lost.Attempt.Number = 2
	again := d.take(other, 31*time.Second, 1)[0]
	arrived := d.arrived(again, 100*time.Second)
	d.record(other, 32*time.Second, 0, arrived)
	d.record(other, 32*time.Second, 0, arrived) // the answer was lost
	d.record(killed, 33*time.Second, 0, lost)
	want := webhook.Times{webhook.TimesBucket(100 * time.Second): 1}
	if diff := cmp.Diff(want, d.times()); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	if _, err := d.db.ResendDelivery(t.Context(), d.ws, j.DeliveryID); err != nil {
		t.Fatal(err)
	}
	d.record(killed, 34*time.Second, 0, lost) // so late that it has been resent meanwhile
	if _, err := d.db.ResendDelivery(t.Context(), d.ws, j.DeliveryID); err != nil {
		t.Fatal(err)
	}
	j = d.take(other, 35*time.Second, 1)[0]
	d.record(other, 36*time.Second, 0, d.arrived(j, time.Hour))
	d.mustExec(`update deliveries set created_at = created_at - interval '1 minute'`)
	d.play(d.mustReplay(d.endpoint.ID, 1000))
	if j := d.take(other, 37*time.Second, 1); len(j) == 1 {
		d.record(other, 38*time.Second, 0, d.arrived(j[0], time.Hour))
	}
	if diff := cmp.Diff(want, d.times()); diff != "" {
		t.Errorf("times after it was sent again (-want +got):\n%s", diff)
	}
}

// What was never delivered is timed when it is sent again and arrives.
func TestResentAfterFailureIsTimed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(1)
	token := id.New()
	j := d.take(token, 0, 1)[0]
	d.record(token, 0, 0, d.outcome(j, 500, nil))
	if _, err := d.db.ResendDelivery(t.Context(), d.ws, j.DeliveryID); err != nil {
		t.Fatal(err)
	}
	d.record(token, 0, 0, d.arrived(d.take(token, time.Second, 1)[0], time.Hour))
	if diff := cmp.Diff(webhook.Times{webhook.TimesBucket(time.Hour): 1}, d.times()); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

// mustTarget sets a workspace's target; 0 takes it away.
func (d *desk) mustTarget(ms int) {
	d.Helper()
	_, err := d.db.UpdateWorkspace(d.Context(), d.ws, func(w *tenant.Workspace) error {
		w.Settings.DeliveryTargetMS = ms
		return nil
	})
	if err != nil {
		d.Fatal(err)
	}
}

// Endpoints are watched page by page; those without a target have no times, and nobody sees another's.
func TestWatchEndpoints(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	with, without := newDesk(t, db), newDesk(t, db)
	with.mustTarget(5000)
	hour := time.Now().UTC().Truncate(time.Hour)
	for _, d := range []*desk{with, without} {
		for at, n := range map[time.Time]int{hour: 1, hour.Add(-time.Hour): 2, hour.Add(-2 * time.Hour): 4} {
			d.mustExec(`insert into delivery_times (workspace_id, endpoint_id, hour, bucket, n) values ($1, $2, $3, 7, $4)`,
				d.ws, d.endpoint.ID, at, n)
		}
	}
	gone := with.mustEndpoint(true)
	with.mustExec(`update endpoints set deleted_at = now() where id = $1`, gone.ID)
	got := map[id.UUID]pg.WatchedEndpoint{}
	for after := (pg.EndpointRef{}); ; {
		page, err := db.WatchEndpoints(t.Context(), after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		after = page[0].EndpointRef
		got[after.Endpoint] = page[0]
	}
	ref := func(d *desk) pg.EndpointRef { return pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID} }
	want := map[id.UUID]pg.WatchedEndpoint{
		with.endpoint.ID: {EndpointRef: ref(with), Target: 5000,
			Window: webhook.SpeedWindow{Last: webhook.Times{7: 2}, Current: webhook.Times{7: 1}}},
		without.endpoint.ID: {EndpointRef: ref(without), Window: webhook.SpeedWindow{Last: webhook.Times{}, Current: webhook.Times{}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("WatchEndpoints (-want +got):\n%s", diff)
	}
}

func TestNotifySlowOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	other := d.mustEndpoint(true, "endpoint.*")
	d.mustTarget(5000)
	ref := pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID}
	notify := func(target int) {
		if _, _, err := d.db.NotifySlow(t.Context(), ref, webhook.Slow{P95MS: 8000, TargetMS: target}); err != nil {
			t.Error(err)
		}
	}
	notify(4000) // its owner has changed the target meanwhile
	if got := d.told(other, webhook.EndpointSlow); len(got) != 0 {
		t.Errorf("told %v of a target that is no more, want nothing", got)
	}
	inParallel(5, func() { notify(5000) })
	got := d.told(other, webhook.EndpointSlow)
	if len(got) != 1 || got[0]["endpointId"] != id.Endpoint.Format(d.endpoint.ID) || got[0]["reason"] != "slow" ||
		got[0]["p95Ms"] != 8000.0 || got[0]["targetMs"] != 5000.0 {
		t.Errorf("told %v, want once which endpoint is slow and how slow", got)
	}
	if due, err := d.db.DueNotices(t.Context(), 10); err != nil || len(due) != 1 || due[0].Type != webhook.EndpointSlow {
		t.Errorf("DueNotices = %v, %v, want it for the operator", due, err)
	}
	e, err := d.db.GetEndpoint(t.Context(), d.ws, d.endpoint.ID)
	if err != nil || e.SlowSince == nil {
		t.Errorf("GetEndpoint = %v, %v, want since when it is slow", e.SlowSince, err)
	}
	if err := d.db.EndSlow(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	notify(5000)
	if got := d.told(other, webhook.EndpointSlow); len(got) != 2 {
		t.Errorf("told %d times after it was fast meanwhile, want 2", len(got))
	}
}

func TestDeleteOldTimes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	for _, age := range []time.Duration{0, pg.TimesLife - 2*time.Hour, pg.TimesLife + 2*time.Hour, 2 * pg.TimesLife} {
		d.mustExec(`insert into delivery_times (workspace_id, endpoint_id, hour, bucket, n)
values ($1, $2, date_trunc('hour', now() - cast($3 as interval), 'UTC'), 7, 1)`, d.ws, d.endpoint.ID,
			fmt.Sprint(int(age.Seconds()), " seconds"))
	}
	if n, err := d.db.DeleteOldTimes(t.Context()); err != nil || n != 2 || d.count(countTimes) != 2 {
		t.Errorf("DeleteOldTimes = %d, %v, and %d are left, want 2 and 2", n, err, d.count(countTimes))
	}
}
