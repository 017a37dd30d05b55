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

// stored returns the one reservation that there is.
func stored(t *testing.T, c redis.UniversalClient) (value string, ttl time.Duration) {
	t.Helper()
	keys := c.Keys(t.Context(), "*:email:*").Val()
	if len(keys) != 1 {
		t.Fatalf("reservations = %v, want one", keys)
	}
	return c.Get(t.Context(), keys[0]).Val(), c.PTTL(t.Context(), keys[0]).Val()
}

func text(lead id.UUID) string { return id.Prefix("").Format(lead) }

// Whatever was reserved before, the lead that Postgres says has the email takes the reservation over: pending or
// committed, of an older lead or of a newer one, and what former versions wrote.
func TestAnnounceOverwrites(t *testing.T) {
	t.Parallel()
	older, lead, newer := id.New(), id.New(), id.New()
	for name, before := range map[string]string{"none": "", "pending": "p" + text(newer),
		"committed, older": "c" + text(older), "committed, newer": "c" + text(newer), "released": "d" + text(lead)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ws := redistest.New(t), id.New()
			r := rdb.Reservation{Workspace: ws, UniqueKey: "a@example.com", LeadID: lead}
			if err := announce(t, c, r); err != nil {
				t.Fatal(err)
			}
			key := c.Keys(t.Context(), "*:email:*").Val()[0]
			if before == "" {
				c.Del(t.Context(), key)
			} else if err := c.Set(t.Context(), key, before, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			if err := announce(t, c, r); err != nil {
				t.Fatal(err)
			}
			if got, ttl := stored(t, c); got != "c"+text(lead) || ttl <= time.Hour || ttl > rdb.CommittedTTL {
				t.Errorf("reservation = %s for %v, want c%s for %v", got, ttl, text(lead), rdb.CommittedTTL)
			}
		})
	}
}

// A released email is reserved by the next request, as if nobody had had it.
func TestRelease(t *testing.T) {
	t.Parallel()
	c, ws, next := redistest.New(t), id.New(), id.New()
	if err := announce(t, c, rdb.Reservation{Workspace: ws, UniqueKey: "a@example.com", LeadID: id.New()}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again is as well
		if err := rdb.Release(t.Context(), c, ws, "a@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	r := rdb.AdmissionRequest{Workspace: ws, Rate: limit.NewRate(1000, time.Second, 1000), UniqueKey: "a@example.com",
		LeadID: next}
	if got := rdb.Admit(t.Context(), c, []rdb.AdmissionRequest{r})[0]; got.Err != nil || got.Committed {
		t.Errorf("Admit = %+v, want it not committed", got)
	}
	if got, ttl := stored(t, c); got != "p"+text(next) || ttl > rdb.PendingTTL {
		t.Errorf("reservation = %s for %v, want p%s", got, ttl, text(next))
	}
}
