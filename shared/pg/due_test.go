package pg_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// waiting is what WaitingEndpoints says of the desk's endpoint at an offset from now; nil: nothing.
func (d *desk) waiting(at time.Duration) *pg.Waiting {
	d.Helper()
	all, err := d.db.WaitingEndpoints(d.Context(), pg.EndpointRef{}, d.now.Add(at), 1000)
	if err != nil {
		d.Fatal(err)
	}
	i := slices.IndexFunc(all, func(w pg.Waiting) bool {
		return w.EndpointRef == pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID}
	})
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (d *desk) exec(query string, args ...any) {
	d.Helper()
	if _, err := d.db.ExecContext(d.Context(), query, args...); err != nil {
		d.Fatal(err)
	}
}

func TestWaitingEndpoints(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	if got := d.waiting(0); got != nil {
		t.Errorf("WaitingEndpoints with no delivery = %+v, want nothing", got)
	}
	d.mustLeads(2)
	// The second is due later than the first; only the first counts.
	d.exec(`update deliveries set next_at = $1 where id = (select id from deliveries order by id desc limit 1)`, d.now.Add(time.Hour))
	d.exec(`update deliveries set next_at = $1 where id = (select id from deliveries order by id limit 1)`, d.now)
	for _, c := range []struct {
		what               string
		set                string
		at                 time.Duration
		due, failing, idle bool
		try                time.Duration
	}{
		{"at its time", ``, 0, true, false, false, 0},
		{"before its time", ``, -time.Second, false, false, false, 0},
		{"leased", `drain_until = $1 + interval '10 s'`, 9 * time.Second, false, false, false, 0},
		{"lease lapsed", `drain_until = $1 + interval '10 s'`, 10 * time.Second, true, false, false, 0},
		{"breaker open", `probe_at = $1 + interval '10 s', failures = 1`, 9 * time.Second, false, false, false, 10 * time.Second},
		{"its pause over", `probe_at = $1 + interval '10 s', failures = 1`, 10 * time.Second, false, true, false, 10 * time.Second},
		{"its pause over, leased", `probe_at = $1, drain_until = $1 + interval '10 s'`, 0, false, false, false, 0},
		{"its pause over, due later", `probe_at = $1 - interval '10 s'`, -time.Second, false, true, false, -10 * time.Second},
		{"two failures", `failures = 2`, 0, true, false, false, 0},
		{"three failures", `failures = 3`, 0, true, true, false, 0},
		{"three failures, due later", `failures = 3`, -time.Second, false, true, false, 0},
		{"three failures, leased", `failures = 3, drain_until = $1 + interval '10 s'`, 0, false, false, false, 0},
		{"disabled", `enabled = false, failures = 3`, 0, false, false, true, 0},
		{"deleted", `deleted_at = $1, probe_at = $1`, 0, false, false, true, 0},
	} {
		d.exec(`update endpoints set enabled = true, deleted_at = null, drain_until = null, probe_at = null, failures = 0`)
		if c.set != "" {
			d.exec(`update endpoints set `+c.set+` where cast($1 as timestamptz) is not null`, d.now)
		}
		got := d.waiting(c.at)
		if got == nil || got.Due != c.due || got.Failing != c.failing || got.Idle != c.idle || !got.TryAt.Equal(d.now.Add(c.try)) {
			t.Errorf("%s: WaitingEndpoints = %+v, want due %v, failing %v, idle %v, to be tried at %s", c.what, got, c.due, c.failing, c.idle, d.now.Add(c.try))
		}
		if due := d.due(c.at); due != c.due {
			t.Errorf("%s: DueEndpoints has it: %v, want %v", c.what, due, c.due)
		}
	}
}

// However the deliveries are spread over workspaces, endpoints and partitions, page after page tells each endpoint once.
func TestWaitingEndpointsPages(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var want []pg.EndpointRef
	for range 3 {
		d := newDesk(t, db)
		want = append(want, pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID})
		for range 3 {
			want = append(want, pg.EndpointRef{Workspace: d.ws, Endpoint: d.mustEndpoint(true).ID})
		}
		d.mustEndpoint(true, hook.LeadDeleted) // has nothing
		d.mustLeads(3)
		d.exec(`update deliveries set state = 'delivered' where id in (select id from deliveries where workspace_id = $1 and endpoint_id = $2 limit 2)`, d.ws, d.endpoint.ID)
		// A delivery of an older week.
		d.exec(`select ensure_partitions(now() - interval '20 days', now())`)
		d.exec(`insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
select $1, uuid_floor(now() - interval '15 days'), $2, $2, 'pending', now(), now(), now()`, d.ws, d.endpoint.ID)
	}
	slices.SortFunc(want, func(a, b pg.EndpointRef) int {
		return cmp.Or(slices.Compare(a.Workspace[:], b.Workspace[:]), slices.Compare(a.Endpoint[:], b.Endpoint[:]))
	})
	var got []pg.EndpointRef
	for after := (pg.EndpointRef{}); ; after = got[len(got)-1] {
		page, err := db.WaitingEndpoints(t.Context(), after, time.Time{}, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range page {
			got = append(got, w.EndpointRef)
		}
		if len(page) < 5 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages of WaitingEndpoints = %v, want %v", got, want)
	}
	if page, err := db.WaitingEndpoints(t.Context(), pg.EndpointRef{Workspace: id.UUID{0xFF}}, time.Time{}, 5); err != nil || len(page) != 0 {
		t.Errorf("WaitingEndpoints after the last = %v, %v, want nothing", page, err)
	}
}
