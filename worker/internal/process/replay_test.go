package process_test

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// mustStuck makes n deliveries of e that used up their schedule.
func (b *bundle) mustStuck(e webhook.Endpoint, n int) {
	b.Helper()
	b.mustLeads(n)
	b.mustExec(
		`update deliveries set state = 'exhausted', next_at = null, attempts = 12, tries = 12, last_status = 500 where workspace_id = $1 and endpoint_id = $2`, b.ws, e.ID)
}

// mustReplay makes a replay of all that happened so far and wakes it.
func (b *bundle) mustReplay(f webhook.Filter, rate int) webhook.Replay {
	b.Helper()
	// ids have milliseconds
	r := webhook.Replay{WorkspaceID: b.ws, ID: id.New(), Filter: f, Rate: rate, State: webhook.ReplayRunning,
		CreatedAt: time.Now().Add(2 * time.Millisecond)}
	if err := b.db.CreateReplay(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	b.mustWake(task.Replay(b.ws, r.ID))
	return r
}

// replay returns it as it stands.
func (b *bundle) replay(r webhook.Replay) webhook.Replay {
	b.Helper()
	r, err := b.db.GetReplay(b.Context(), b.ws, r.ID)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// elsewhere is another workspace in the same stores.
func (b *bundle) elsewhere() *bundle {
	b.Helper()
	other := *b
	other.ws = pgtest.Workspace(b, b.db).ID
	return &other
}

// What is exhausted or held arrives, by a schedule begun anew; another workspace's stays as it is.
func TestReplayArrives(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e, off := b.mustEndpoint(rec.URL), b.mustEndpoint(rec.URL)
	other := b.elsewhere()
	theirs := other.mustEndpoint(rec.URL)
	other.mustStuck(theirs, 3)
	b.mustExec(`update endpoints set enabled = false where id = $1`, off.ID)
	b.mustStuck(e, 20)
	b.mustExec(`update endpoints set enabled = true where id = $1`, off.ID)
	held, _ := b.states(off)
	if held[webhook.Held] != 20 {
		t.Fatalf("states = %v, want 20 held", held)
	}
	b.worker(options{})
	exhausted := b.mustReplay(webhook.Filter{States: []webhook.State{webhook.Exhausted}}, 1000)
	b.awaitStates(e, 20, webhook.Delivered)
	kept := b.mustReplay(webhook.Filter{EndpointID: off.ID, States: []webhook.State{webhook.Held}}, 1000)
	b.awaitStates(off, 20, webhook.Delivered)
	for _, r := range []webhook.Replay{exhausted, kept} {
		testwait.Until(t, "the replay to be done", func() bool { return b.replay(r).State == webhook.ReplayDone })
		if got := b.replay(r); got.Total == nil || *got.Total != 20 || got.Resent != 20 || got.FinishedAt == nil {
			t.Errorf("replay = %+v, want 20 of 20 resent", got)
		}
	}
	all, attempts := b.deliveries(e)
	for _, d := range all {
		if a := attempts[d.ID]; d.Attempts != 13 || len(a) != 1 || a[0].Number != 13 {
			t.Errorf("delivery = %+v, attempts %+v, want the 13th", d, a)
		}
	}
	if got, _ := other.states(theirs); got[webhook.Exhausted] != 3 {
		t.Errorf("another workspace's = %v, want them as they were", got)
	}
	inspect := asynq.NewInspectorFromRedisClient(b.redis)
	want := "replay " + id.Replay.Format(exhausted.ID) + ": resent 20"
	testwait.Until(t, "result "+want, func() bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueReplay)
		for _, i := range tasks {
			if string(i.Result) == want {
				return true
			}
		}
		return false
	})
}

// At no time is more resent than the rate allows, with a second's worth ahead, whatever the turns and however many wake
// it.
func TestReplayKeepsItsRate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	const n, rate = 60, 20
	b.mustStuck(e, n)
	b.worker(options{maxRun: 300 * time.Millisecond})
	start := time.Now()
	r := b.mustReplay(webhook.Filter{States: []webhook.State{webhook.Exhausted}}, rate)
	between := false
	testwait.Until(t, "the replay to be done", func() bool {
		b.mustWake(task.Replay(b.ws, r.ID))
		got := b.replay(r)
		if most := int(time.Since(start).Seconds()*rate) + rate; got.Resent > most {
			t.Fatalf("resent %d after %v, want %d at most", got.Resent, time.Since(start), most)
		}
		between = between || got.Resent > rate && got.Resent < n
		return got.State == webhook.ReplayDone
	})
	if got := b.replay(r); got.Resent != n || !between {
		t.Errorf("resent %d, progress seen: %v, want %d and progress", got.Resent, between, n)
	}
	b.awaitStates(e, n, webhook.Delivered)
}

// wantResentOnce wants one more attempt at each of the deliveries that mustStuck made.
func (b *bundle) wantResentOnce(e webhook.Endpoint) {
	b.Helper()
	all, _ := b.deliveries(e)
	for _, d := range all {
		if d.Attempts != 13 {
			b.Errorf("attempts of %s = %d, want one more than the 12 of before", d.ID, d.Attempts)
		}
	}
}

// A worker ends in the middle, and another one goes on from there: each delivery is resent once.
func TestReplaySurvivesItsWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	const n = 120
	b.mustStuck(e, n)
	stop := b.worker(options{})
	r := b.mustReplay(webhook.Filter{EndpointID: e.ID, States: []webhook.State{webhook.Delivered, webhook.Exhausted}}, 40)
	testwait.Until(t, "some to be resent", func() bool { return b.replay(r).Resent > 0 })
	stop(0)
	if got := b.replay(r); got.State != webhook.ReplayRunning || got.Resent >= n {
		t.Fatalf("replay = %+v after the stop, want it in the middle", got)
	}
	b.worker(options{}) // no sweep: the stopped worker left a task behind
	testwait.Until(t, "the replay to be done", func() bool { return b.replay(r).State == webhook.ReplayDone })
	b.awaitStates(e, n, webhook.Delivered)
	b.wantResentOnce(e)
	if got := b.replay(r); got.Resent != n {
		t.Errorf("resent %d, want %d", got.Resent, n)
	}
}

// Redis forgets who works on it and that anybody should: the sweep sees to it, and two that meet do not resend twice.
func TestReplaySurvivesALostRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	const n = 60
	b.mustStuck(e, n)
	b.worker(options{sweep: 100 * time.Millisecond})
	r := b.mustReplay(webhook.Filter{States: []webhook.State{webhook.Delivered, webhook.Exhausted}}, 20)
	testwait.Until(t, "some to be resent", func() bool { return b.replay(r).Resent > 0 })
	if err := b.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the replay to be done", func() bool { return b.replay(r).State == webhook.ReplayDone })
	b.awaitStates(e, n, webhook.Delivered)
	b.wantResentOnce(e)
}

func TestReplayIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	const n = 50
	b.mustStuck(e, n)
	b.worker(options{})
	r := b.mustReplay(webhook.Filter{States: []webhook.State{webhook.Exhausted}}, 2)
	testwait.Until(t, "some to be resent", func() bool { return b.replay(r).Resent > 0 })
	if _, err := b.db.CancelReplay(t.Context(), b.ws, r.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	inspect := asynq.NewInspectorFromRedisClient(b.redis)
	testwait.Until(t, "the task to end", func() bool {
		tasks, _ := inspect.ListCompletedTasks(task.QueueReplay)
		return len(tasks) == 1
	})
	got := b.replay(r)
	if states, _ := b.states(e); got.State != webhook.ReplayCancelled || got.Resent >= n ||
		states[webhook.Exhausted] != n-got.Resent {
		t.Errorf("replay = %+v, states %v, want it cancelled and the rest exhausted", got, states)
	}
}
