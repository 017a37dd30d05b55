package pg_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// However many are created at the same moment, a workspace never has more than webhook.MaxReplays running; another
// one's do not count.
func TestCreateReplayAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	var made, refused atomic.Int32
	create := func(d *desk) {
		err := db.CreateReplay(t.Context(), webhook.Replay{WorkspaceID: d.ws, ID: id.New(), Rate: 1, CreatedAt: d.now})
		switch {
		case err == nil:
			made.Add(1)
		case fault.Is(err, fault.Conflict):
			refused.Add(1)
		default:
			t.Error(err)
		}
	}
	create(other)
	inParallel(webhook.MaxReplays+5, func() { create(d) })
	if made.Load() != webhook.MaxReplays+1 || refused.Load() != 5 {
		t.Errorf("made %d and refused %d, want %d and 5", made.Load(), refused.Load(), webhook.MaxReplays+1)
	}
}

// The replays of a workspace are bounded: so many an hour, and of those that have ended the newest.
func TestReplaysAreBounded(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	create := func(d *desk) error {
		return db.CreateReplay(t.Context(), webhook.Replay{WorkspaceID: d.ws, ID: id.New(), Rate: 1, CreatedAt: time.Now()})
	}
	ended := func(age string, n int) {
		db.MustExecContext(t.Context(), `
insert into replays (workspace_id, id, filter, rate, state, created_at, updated_at)
select $1, delivery_id(uuid_floor(at), gen_random_uuid()), '{}', 1, 'done', at, at from (select now() - cast($2 as interval) + n * interval '1 ms' from generate_series(1, $3) as n) as x (at)`, d.ws, age, n)
	}
	ended("2 hours", 1100)
	if err := create(d); err != nil {
		t.Fatal(err)
	}
	var kept int
	if err := db.GetContext(t.Context(), &kept, `select count(*) from replays where workspace_id = $1`,
		d.ws); err != nil || kept != pg.KeptReplays {
		t.Errorf("kept = %d, %v, want %d", kept, err, pg.KeptReplays)
	}
	ended("10 minutes", pg.HourlyReplays-2)
	if err := create(d); err != nil {
		t.Errorf("the last of an hour = %v, want it made", err)
	}
	var f *fault.Error
	if err := create(d); !errors.As(err, &f) || f.Kind != fault.RateLimited || f.RetryAfter < 49*time.Minute ||
		f.RetryAfter > 50*time.Minute {
		t.Errorf("one more = %+v, want RATE_LIMITED until the oldest is an hour old", err)
	}
	if err := create(other); err != nil {
		t.Errorf("another workspace's = %v, want it made", err)
	}
}
