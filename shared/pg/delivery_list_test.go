package pg_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// archive is a workspace with deliveries in every state: of endpoints enabled, disabled and deleted.
type archive struct {
	*desk
	off, gone webhook.Endpoint
	lead      id.UUID // of some of the events
	middle    time.Time
	all       []webhook.Delivery // newest first
}

func newArchive(t *testing.T, db *pg.DB, leads int) *archive {
	t.Helper()
	a := &archive{desk: newDesk(t, db)}
	a.off, a.gone = a.mustEndpoint(true), a.mustEndpoint(true, webhook.LeadCreated)
	for range leads {
		a.mustLeads(1)
	}
	enrich(a.desk, leads/2)
	states := []string{"pending", "delivered", "exhausted", "held"}
	for i, s := range states {
		a.mustExec(
			`update deliveries set state = $2, next_at = case when $2 = 'pending' then now() end where workspace_id = $1 and get_byte(uuid_send(id), 15) % $3 = $4`, a.ws, s, len(states), i)
	}
	a.mustExec(`update endpoints set enabled = false where id = $1`, a.off.ID)
	a.mustExec(`update endpoints set enabled = false, deleted_at = now() where id = $1`, a.gone.ID)
	a.read()
	a.lead = a.all[len(a.all)/2].LeadID
	sec, ms := a.all[len(a.all)/2].ID.Time().UnixTime()
	a.middle = time.Unix(sec, ms).Truncate(time.Millisecond)
	return a
}

// enrich lets n leads' facts be found.
func enrich(d *desk, n int) {
	d.Helper()
	find := func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		found := make([]pg.Finding, len(leads))
		for i := range found {
			found[i].Facts = []byte(`{}`)
		}
		return found
	}
	if _, err := d.db.Enrich(d.Context(), []id.UUID{d.ws}, n, find); err != nil {
		d.Fatal(err)
	}
}

// read reads everything, as plainly as can be.
func (a *archive) read() {
	a.Helper()
	const q = `
select d.id, d.endpoint_id, v.type, v.lead_id, d.state, e.enabled, e.deleted_at is not null from deliveries d
  join events v on v.id = d.event_id join endpoints e on e.id = d.endpoint_id where d.workspace_id = $1 order by d.id desc`
	rows, err := a.db.QueryContext(a.Context(), q, a.ws)
	if err != nil {
		a.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var d webhook.Delivery
		var enabled, deleted bool
		if err := rows.Scan(&d.ID, &d.EndpointID, &d.EventType, &d.LeadID, &d.State, &enabled, &deleted); err != nil {
			a.Fatal(err)
		}
		if (d.State == webhook.Pending || d.State == webhook.Held) && deleted {
			d.State = webhook.Cancelled
		} else if d.State == webhook.Pending && !enabled {
			d.State = webhook.Held
		}
		a.all = append(a.all, d)
	}
	if err := rows.Err(); err != nil {
		a.Fatal(err)
	}
}

// want picks from all what a filter picks.
func (a *archive) want(f webhook.Filter) (ids []id.UUID) {
	for _, d := range a.all {
		sec, ns := d.ID.Time().UnixTime()
		at := time.Unix(sec, ns).Truncate(time.Millisecond)
		if (f.EndpointID == id.UUID{} || f.EndpointID == d.EndpointID) && (f.States == nil || slices.Contains(f.States,
			d.State)) &&
			(f.EventType == "" || f.EventType == d.EventType) && (f.LeadID == id.UUID{} || f.LeadID == d.LeadID) &&
			!at.Before(f.From) && (f.Until.IsZero() || at.Before(f.Until)) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// find goes through all pages.
func (a *archive) find(q pg.DeliveryQuery) (ids []id.UUID, pages, empty int) {
	a.Helper()
	for {
		some, next, err := a.db.FindDeliveries(a.Context(), a.ws, q)
		if err != nil {
			a.Fatal(err)
		}
		if len(some) > q.Limit {
			a.Errorf("a page of %d, want %d at most", len(some), q.Limit)
		}
		for _, d := range some {
			ids = append(ids, d.ID)
		}
		pages++
		if len(some) == 0 {
			empty++
		}
		if next == (id.UUID{}) {
			return ids, pages, empty
		}
		if q.Before != (id.UUID{}) && slices.Compare(next[:], q.Before[:]) >= 0 {
			a.Fatalf("the page before %v ends at %v: it does not get on", q.Before, next)
		}
		q.Before = next
	}
}

// Every filter finds the same, in the same order, as a look at every row would, however small the pages and the scans
// are.
func TestFindDeliveries(t *testing.T) {
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	t.Parallel()
	a := newArchive(t, pgtest.New(t), 12)
	for _, endpoint := range []id.UUID{{}, a.endpoint.ID, a.off.ID, a.gone.ID} {
		for _, states := range [][]webhook.State{
			nil, {webhook.Pending}, {webhook.Delivered}, {webhook.Exhausted}, {webhook.Held}, {webhook.Cancelled}, {webhook.Held,
				webhook.Exhausted}, {webhook.Pending, webhook.Delivered},
		} {
			for name, f := range map[string]webhook.Filter{
				"all":  {},
				"type": {EventType: webhook.LeadEnriched},
				"lead": {LeadID: a.lead},
				"time": {From: a.middle.Add(-5 * time.Microsecond), Until: a.middle.Add(time.Microsecond)},
				"from": {From: a.middle},
				"late": {Until: a.middle, EventType: webhook.LeadCreated},
			} {
				t.Run(fmt.Sprint(name, states), func(t *testing.T) {
					f.EndpointID, f.States = endpoint, states
					want := a.want(f)
					for _, size := range [][2]int{{1000, 0}, {3, 0}, {1000, 7}, {2, 1}} {
						got, _, _ := a.find(pg.DeliveryQuery{Filter: f, Limit: size[0], Scan: size[1]})
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("%s of %v in %v, pages of %d, scans of %d (-want +got):\n%s", name, endpoint, states, size[0], size[1],
								diff)
						}
					}
				})
			}
		}
	}
}

// A page of a lead's deliveries reads as many as it may, however many endpoints its events went to.
func TestDeliveriesOfALeadAreBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	for range 5 {
		d.mustEndpoint(true)
	}
	l := pgtest.Lead(t, d.db, d.ws)
	for n := range 3 {
		if _, err := d.db.UpdateLead(t.Context(), d.ws, l.ID, func(l *lead.Lead) error {
			l.Name = fmt.Sprint(n)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[id.UUID]bool{}
	q := pg.DeliveryQuery{Filter: webhook.Filter{LeadID: l.ID}, Limit: 100, Scan: 5}
	for pages := 1; ; pages++ {
		found, next, err := d.db.FindDeliveries(t.Context(), d.ws, q)
		if err != nil || len(found) > q.Scan || pages > 10 {
			t.Fatalf("page %d = %d deliveries, %v, want %d at most", pages, len(found), err, q.Scan)
		}
		for _, f := range found {
			seen[f.ID] = true
		}
		if q.Before = next; next == (id.UUID{}) {
			break
		}
	}
	if want := d.count(`select from deliveries where workspace_id = $1`, d.ws); len(seen) != want || want < 20 {
		t.Errorf("%d deliveries on all pages, want %d", len(seen), want)
	}
}
