package pg_test

import (
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// ahead is LeaseDue in mode LeaseAhead, of what follows after.
func (d *desk) ahead(workspace, token id.UUID, at time.Duration, after pg.DueKey) pg.LeasedBatch {
	d.Helper()
	b, err := d.db.LeaseDue(d.Context(), pg.LeaseRequest{Workspace: workspace, Endpoint: d.endpoint.ID, Token: token,
		Lease: time.Minute, Limit: 2, Mode: pg.LeaseAhead, Now: d.now.Add(at), After: after,
		Patience: 10 * time.Millisecond})
	if err != nil {
		d.Fatal(err)
	}
	return b
}

// What follows a lease is read by who has it, also while somebody has the endpoint's row locked, and renews nothing.
func TestLeaseAhead(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	events := d.mustLeads(5)
	token := id.New()
	last := d.take(token, 0, 2)[1]
	after := pg.DueKey{NextAt: last.NextAt, ID: last.DeliveryID}
	release := mustHold(t, d.db, `select from endpoints where workspace_id = $1 and id = $2 for no key update`, d.ws, d.endpoint.ID)
	b := d.ahead(d.ws, token, 0, after)
	release()
	if len(b.Due) != 2 || b.Due[0].EventID != events[2] || b.Due[1].EventID != events[3] || !b.More ||
		b.Endpoint.URL != d.endpoint.URL || b.Endpoint.Secret != d.endpoint.Secret {
		t.Errorf("LeaseDue ahead = %+v, want the third and fourth event, more, and the endpoint", b)
	}
	other := mustCreateWorkspace(t, d.db, "other")
	for name, c := range map[string]struct {
		workspace, token id.UUID
		at               time.Duration
	}{
		"another token":            {d.ws, id.New(), 0},
		"another workspace":        {other.ID, token, 0},
		"a lease that is over":     {d.ws, token, 31 * time.Second},
		"no token, which none has": {d.ws, id.UUID{}, 0},
	} {
		if got := d.ahead(c.workspace, c.token, c.at, after).Due; len(got) > 0 {
			t.Errorf("%s: LeaseDue ahead = %d deliveries, want none", name, len(got))
		}
	}
	if got := d.take(id.New(), 31*time.Second, 5); len(got) != 5 {
		t.Errorf("LeaseDue when the lease is over = %d deliveries, want 5: nothing has renewed it", len(got))
	}
}
