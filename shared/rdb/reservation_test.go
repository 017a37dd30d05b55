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

// fixture is one email of a workspace.
type fixture struct {
	*testing.T
	c  redis.UniversalClient
	ws id.UUID
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{t, redistest.New(t), id.New()}
}

func (d *fixture) reservation(lead id.UUID) rdb.Reservation {
	return rdb.Reservation{Workspace: d.ws, UniqueKey: "a@example.com", LeadID: lead}
}

func (d *fixture) commit(lead id.UUID) {
	d.Helper()
	if err := announce(d.T, d.c, d.reservation(lead)); err != nil {
		d.Fatal(err)
	}
}

func (d *fixture) release(lead id.UUID) {
	d.Helper()
	if err := rdb.Release(d.Context(), d.c, []rdb.Reservation{d.reservation(lead)}); err != nil {
		d.Fatal(err)
	}
}

// want checks whom Admit names to a new lead, and whether without asking Postgres.
func (d *fixture) want(what string, holder id.UUID, committed bool) {
	d.Helper()
	rate := limit.NewRate(1000, time.Second, 1000)
	r := rdb.AdmissionRequest{Workspace: d.ws, Rate: rate, UniqueKey: "a@example.com", LeadID: id.New()}
	got := rdb.Admit(d.Context(), d.c, []rdb.AdmissionRequest{r})[0]
	if got.Err != nil || got.Holder != holder || got.Committed != committed {
		d.Errorf("%s: Admit = %+v, want holder %v, committed %v", what, got, holder, committed)
	}
}

func TestReleasedEmailIsForPostgresToDecide(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	first, other := id.New(), id.New()
	d.commit(first)
	d.release(other)
	d.want("another lead's release", first, true)
	d.release(first)
	d.want("its own release", first, false)
	d.commit(first)
	d.want("a late announcement of the lead that was deleted", first, false)
	d.commit(other)
	d.want("the next lead", other, true)
	d.commit(first)
	d.want("a late announcement while the next has it", other, true)
	d.release(first)
	d.want("a second release", other, true)
	d.release(other)
	d.commit(first)
	d.want("a late announcement after the next was deleted too", other, false)
	if ttl := d.c.PTTL(t.Context(), d.c.Keys(t.Context(), "*email*").Val()[0]).Val(); ttl <= 0 || ttl > rdb.ReleasedTTL {
		t.Errorf("a released email is remembered for %v, want at most %v", ttl, rdb.ReleasedTTL)
	}
}

// Also where Redis knows nothing: the announcement may still be on its way.
func TestReleaseBeforeTheAnnouncement(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	first := id.New()
	d.release(first)
	d.commit(first)
	d.want("a late announcement", first, false)
}
