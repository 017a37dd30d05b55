package pg_test

import (
	"sync/atomic"
	"testing"

	"leadgate/shared/fault"
	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
)

// However many are created at the same moment, a workspace never has more than hook.MaxReplays running; another one's do not count.
func TestCreateReplayAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	var made, refused atomic.Int32
	create := func(d *desk) {
		err := db.CreateReplay(t.Context(), hook.Replay{WorkspaceID: d.ws, ID: id.New(), Rate: 1, CreatedAt: d.now})
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
	inParallel(hook.MaxReplays+5, func() { create(d) })
	if made.Load() != hook.MaxReplays+1 || refused.Load() != 5 {
		t.Errorf("made %d and refused %d, want %d and 5", made.Load(), refused.Load(), hook.MaxReplays+1)
	}
}
