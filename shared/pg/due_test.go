package pg_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// waiting is what WaitingEndpoints says of the desk's endpoint at an offset from now; nil: nothing.
func (d *desk) waiting(at time.Duration) *pg.WaitingEndpoint {
	d.Helper()
	all, err := d.db.WaitingEndpoints(d.Context(), pg.EndpointRef{}, d.now.Add(at), 1000)
	if err != nil {
		d.Fatal(err)
	}
	i := slices.IndexFunc(all, func(w pg.WaitingEndpoint) bool {
		return w.EndpointRef == pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID}
	})
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (d *desk) exec(query string, args ...any) {
	d.Helper()
	pgtest.Exec(d, d.db, query, args...)
}

func TestWaitingEndpoints(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	if got := d.waiting(0); got != nil {
		t.Errorf("WaitingEndpoints with no delivery = %+v, want nothing", got)
	}
	d.mustLeads(2)
	// The second is due later than the first; only the first counts.
	d.exec(`update deliveries set next_at = $1 where id = (select id from deliveries order by id desc limit 1)`,
		d.now.Add(time.Hour))
	d.exec(`update deliveries set next_at = $1 where id = (select id from deliveries order by id limit 1)`, d.now)
	for _, c := range []struct {
		what string
		set  string
		at   time.Duration
		want pg.WaitingEndpoint
	}{
		{"at its time", ``, 0, pg.WaitingEndpoint{DrainDue: true}},
		{"before its time", ``, -time.Second, pg.WaitingEndpoint{}},
		{"leased", `drain_until = $1 + interval '10 s'`, 9 * time.Second, pg.WaitingEndpoint{}},
		{"lease lapsed", `drain_until = $1 + interval '10 s'`, 10 * time.Second, pg.WaitingEndpoint{DrainDue: true}},
		{"breaker open", `probe_at = $1 + interval '10 s', failures = 1`, 9 * time.Second,
			pg.WaitingEndpoint{NeedsProbeTask: true}},
		{"its pause over", `probe_at = $1 + interval '10 s', failures = 1`, 10 * time.Second,
			pg.WaitingEndpoint{NeedsProbeTask: true, ProbeDue: true}},
		{"its pause over, leased", `probe_at = $1, drain_until = $1 + interval '10 s'`, 0, pg.WaitingEndpoint{}},
		{"its pause over, due later", `probe_at = $1 - interval '10 s'`, -time.Second,
			pg.WaitingEndpoint{NeedsProbeTask: true}},
		{"two failures", `failures = 2`, 0, pg.WaitingEndpoint{DrainDue: true}},
		{"three failures", `failures = 3`, 0, pg.WaitingEndpoint{DrainDue: true, NeedsProbeTask: true}},
		{"three failures, due later", `failures = 3`, -time.Second, pg.WaitingEndpoint{NeedsProbeTask: true}},
		{"three failures, leased", `failures = 3, drain_until = $1 + interval '10 s'`, 0, pg.WaitingEndpoint{}},
		{"disabled", `enabled = false, failures = 3`, 0, pg.WaitingEndpoint{NotEnabled: true}},
		{"deleted", `deleted_at = $1, probe_at = $1`, 0, pg.WaitingEndpoint{NotEnabled: true}},
	} {
		t.Run(c.what, func(t *testing.T) {
			d.exec(`update endpoints set enabled = true, deleted_at = null, drain_until = null, probe_at = null, failures = 0`)
			if c.set != "" {
				d.exec(`update endpoints set `+c.set+` where cast($1 as timestamptz) is not null`, d.now)
			}
			c.want.EndpointRef = pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID}
			if got := d.waiting(c.at); got == nil || *got != c.want {
				t.Errorf("WaitingEndpoints = %+v, want %+v", got, c.want)
			}
			if due := d.due(c.at); due != c.want.DrainDue {
				t.Errorf("DueEndpoints has it: %v, want %v", due, c.want.DrainDue)
			}
		})
	}
}

// However the deliveries are spread over workspaces, endpoints and partitions, page after page tells each endpoint
// once.
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
		d.mustEndpoint(true, webhook.LeadDeleted) // has nothing
		d.mustLeads(3)
		d.exec(
			`update deliveries set state = 'delivered' where id in (select id from deliveries where workspace_id = $1 and endpoint_id = $2 limit 2)`, d.ws, d.endpoint.ID)
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
	if page, err := db.WaitingEndpoints(t.Context(), pg.EndpointRef{Workspace: id.UUID{0xFF}}, time.Time{},
		5); err != nil || len(page) != 0 {
		t.Errorf("WaitingEndpoints after the last = %v, %v, want nothing", page, err)
	}
}
