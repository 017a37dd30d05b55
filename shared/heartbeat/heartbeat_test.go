package heartbeat

import (
	"testing"
	"time"

	"leadgate/shared/rdb"
)

// Of the gateways the one that has run longest speaks, whatever workers do.
func TestTheOldestSpeaks(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	process := func(kind, host string, runs, seen time.Duration) rdb.Process {
		return rdb.Process{Kind: kind, Host: host, PID: 1, StartedAt: now.Add(-runs), SeenAt: now.Add(-seen)}
	}
	me := process("gateway", "b", time.Minute, 0)
	for name, tc := range map[string]struct {
		others []rdb.Process
		want   bool
	}{
		"alone":                      {nil, true},
		"beside an older worker":     {[]rdb.Process{process("worker", "a", time.Hour, 0)}, true},
		"beside a younger gateway":   {[]rdb.Process{process("gateway", "a", time.Second, 0)}, true},
		"beside an older gateway":    {[]rdb.Process{process("gateway", "c", time.Hour, Interval)}, false},
		"beside one that has died":   {[]rdb.Process{process("gateway", "c", time.Hour, Lost+time.Second)}, true},
		"beside one as old, before":  {[]rdb.Process{process("gateway", "a", time.Minute, 0)}, false},
		"beside one as old, behind":  {[]rdb.Process{process("gateway", "c", time.Minute, 0)}, true},
		"that Redis does not know":   {[]rdb.Process{}, true},
		"known to be there by Redis": {[]rdb.Process{me}, true},
	} {
		if got := isFirst(tc.others, me); got != tc.want {
			t.Errorf("%s: isFirst() = %v, want %v", name, got, tc.want)
		}
	}
}

// A Redis that has lost all makes nobody speak beside the one that does.
func TestALostRedisElectsNobody(t *testing.T) {
	t.Parallel()
	var h Heartbeat
	h.speaks.Store(true) // as at the start
	for i, beat := range []struct{ first, want bool }{{false, false}, {true, false}, {false, false}, {true, false}, {true, true}, {true, true}} {
		if h.elect(beat.first, i > 0); h.Speaks() != beat.want {
			t.Errorf("after beat %d Speaks() = %v, want %v", i, h.Speaks(), beat.want)
		}
	}
	var alone Heartbeat
	alone.speaks.Store(true)
	if alone.elect(true, false); !alone.Speaks() {
		t.Error("one that starts alone does not speak")
	}
}
