package rdb_test

import (
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
)

// The table is the life of a wake-up: each step's answer.
func TestWakeLife(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	k := rdb.WakeKey{Workspace: id.New(), What: "x"}
	ctx := t.Context()
	wake := func() bool {
		idle, err := rdb.Announce(ctx, c, nil, []rdb.WakeKey{k}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(idle) == 1
	}
	yes := func(ok bool, err error) bool {
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for i, step := range []struct {
		does string
		got  func() bool
		want bool
	}{
		{"wake from idle asks for a task", wake, true},
		{"wake while waiting does not", wake, false},
		{"a task begins", func() bool { return yes(rdb.Begin(ctx, c, k, "one")) }, true},
		{"a second task is turned away and the first told", func() bool { return yes(rdb.Begin(ctx, c, k, "two")) }, false},
		{"the first goes on because it was told", func() bool { return yes(rdb.Finish(ctx, c, k, "one")) }, true},
		{"wake while running asks for no task", wake, false},
		{"but the running one goes on", func() bool { return yes(rdb.Finish(ctx, c, k, "one")) }, true},
		{"another's finish changes nothing", func() bool { return yes(rdb.Finish(ctx, c, k, "two")) }, false},
		{"another's yield changes nothing", func() bool { return yes(rdb.Yield(ctx, c, k, "two")) }, false},
		{"the running one yields and enqueues", func() bool { return yes(rdb.Yield(ctx, c, k, "one")) }, true},
		{"wake finds it waiting", wake, false},
		{"the next task begins", func() bool { return yes(rdb.Begin(ctx, c, k, "three")) }, true},
		{"and ends", func() bool { return yes(rdb.Finish(ctx, c, k, "three")) }, false},
		{"so that a wake asks for a task again", wake, true},
	} {
		if got := step.got(); got != step.want {
			t.Fatalf("step %d: %s: got %v, want %v", i, step.does, got, step.want)
		}
	}
	if ttl := c.PTTL(ctx, c.Keys(ctx, "lg:*").Val()[0]).Val(); ttl <= 0 || ttl > rdb.WaitingTTL {
		t.Errorf("TTL = %v, want it to lapse", ttl)
	}
}
