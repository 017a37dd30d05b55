package rdb_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
)

func TestAdmitReservesOnce(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	ws, first, second := id.New(), id.New(), id.New()
	rate := limit.NewRate(100, time.Second, 10)
	call := func(lead id.UUID) rdb.AdmissionResult {
		r := rdb.AdmissionRequest{Workspace: ws, Rate: rate, UniqueKey: "a@example.com", LeadID: lead}
		return rdb.Admit(t.Context(), c, []rdb.AdmissionRequest{r})[0]
	}
	if got := call(first); got.Err != nil || got.Committed || got.Remaining != 9 {
		t.Fatalf("first call = %+v, want a reservation and 9 remaining", got)
	}
	if got := call(second); got.Err != nil || got.Committed {
		t.Fatalf("second call = %+v, want it pending", got)
	}
	if got, _ := stored(t, c); got != "p"+text(first) {
		t.Fatalf("reservation = %s, want that of the first, p%s", got, text(first))
	}
	if err := announce(t, c, rdb.Reservation{Workspace: ws, UniqueKey: "a@example.com", LeadID: first}); err != nil {
		t.Fatal(err)
	}
	if got := call(second); got.Err != nil || !got.Committed {
		t.Fatalf("third call = %+v, want it committed", got)
	}
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if ttl := c.PTTL(t.Context(), k).Val(); ttl <= 0 {
			t.Errorf("key %s has TTL %v: it would stay for ever", k, ttl)
		}
	}
}

func announce(t *testing.T, c redis.UniversalClient, held ...rdb.Reservation) error {
	_, err := rdb.Announce(t.Context(), c, held, nil, nil)
	return err
}

// One pipeline holds the calls of many workspaces; each gets its own answer, in its own place.
func TestAdmitKeepsCallsApart(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	a, b := id.New(), id.New()
	one, two := limit.NewRate(1, time.Second, 2), limit.NewRate(1, time.Second, 3)
	leads := []id.UUID{id.New(), id.New(), id.New()}
	got := rdb.Admit(t.Context(), c, []rdb.AdmissionRequest{
		{Workspace: a, Rate: one, UniqueKey: "x@example.com", LeadID: leads[0]},
		{Workspace: b, Rate: two},
		{Workspace: b, Rate: two, UniqueKey: "x@example.com", LeadID: leads[1]},
		{Workspace: a, Rate: one, UniqueKey: "x@example.com", LeadID: leads[2]},
		{Workspace: a, Rate: one},
		{Workspace: b, Rate: two},
	})
	for i, want := range []rdb.Admission{
		{Decision: limit.Decision{Remaining: 1}},
		{Decision: limit.Decision{Remaining: 1}}, // the one that reserves went first
		{Decision: limit.Decision{Remaining: 2}},
		{Decision: limit.Decision{Remaining: 0}},
		{Decision: limit.Decision{Limited: true}},
		{Decision: limit.Decision{Remaining: 0}},
	} {
		g := got[i]
		same := g.Limited == want.Limited && g.Remaining == want.Remaining && !g.Committed
		if g.Err != nil || !same {
			t.Errorf("call %d = %+v, want %+v", i, g, want)
		}
	}
	if keys := c.Keys(t.Context(), "*email*").Val(); len(keys) != 2 {
		t.Errorf("reservations = %v, want one for each workspace", keys)
	}
}

// The script and limit.Rate.Decide are one rule in two languages.
func TestAdmitDecidesAsTheDomainDoes(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	ws := id.New()
	rate := limit.NewRate(1, time.Second, 3) // slow enough that the test's own time does not count
	var tat time.Time
	now := time.Now()
	for i := range 5 {
		got := rdb.Admit(t.Context(), c, []rdb.AdmissionRequest{{Workspace: ws, Rate: rate}})[0]
		var want limit.Decision
		want, tat = rate.Decide(tat, now)
		close := (got.Reset-want.Reset).Abs() <= time.Second && (got.RetryAfter-want.RetryAfter).Abs() <= time.Second
		if got.Err != nil || got.Limited != want.Limited || got.Remaining != want.Remaining || !close {
			t.Errorf("call %d = %+v, want %+v", i, got, want)
		}
	}
}

// A pipeline has no fallback of its own for a script Redis forgot.
func TestAdmitAfterScriptFlush(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	calls := make([]rdb.AdmissionRequest, 20)
	for i := range calls {
		calls[i] = rdb.AdmissionRequest{Workspace: id.New(), Rate: limit.NewRate(10, time.Second, 10)}
	}
	for range 2 {
		for i, got := range rdb.Admit(t.Context(), c, calls) {
			if got.Err != nil {
				t.Fatalf("call %d: %v", i, got.Err)
			}
		}
		if err := c.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
