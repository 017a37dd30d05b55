package redistest_test

import (
	"testing"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb/redistest"
)

func TestEachTestHasItsOwn(t *testing.T) {
	t.Parallel()
	one, two := redistest.New(t), redistest.New(t)
	if err := one.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n := two.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("keys in the other Redis = %d, want 0", n)
	}
}

// What leadgate's scripts need works on the stand-in too: TIME, SET NX PX, pipelines of EVALSHA.
func TestInProcess(t *testing.T) {
	t.Parallel()
	r := redistest.StartInProcess(t)
	if r.Kind() != devstack.InProcess {
		t.Fatalf("Kind() = %s, want %s", r.Kind(), devstack.InProcess)
	}
	c := redistest.Open(t, r)
	const script = `local t = redis.call('TIME') if redis.call('SET', KEYS[1], t[1], 'NX', 'PX', ARGV[1]) then return 1 end return 0`
	for _, want := range []int64{1, 0} {
		if got, err := c.Eval(t.Context(), script, []string{"k"}, 60000).Int64(); err != nil || got != want {
			t.Errorf("script = %d, %v, want %d", got, err, want)
		}
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("PING after Stop succeeded")
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("PING after Start = %v", err)
	}
}
