package pg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/hook"
	"leadgate/shared/pg/pgtest"
)

// states counts an endpoint's deliveries by state.
func (d *desk) states(e hook.Endpoint) map[hook.State]int {
	d.Helper()
	var rows []struct {
		State hook.State
		N     int
	}
	const q = `select state, count(*) as n from deliveries where workspace_id = $1 and endpoint_id = $2 group by state`
	if err := d.db.SelectContext(d.Context(), &rows, q, e.WorkspaceID, e.ID); err != nil {
		d.Fatal(err)
	}
	all := map[hook.State]int{}
	for _, r := range rows {
		all[r.State] = r.N
	}
	return all
}

// What still waits for an endpoint that gets nothing any more is held or cancelled, so many at a time; another endpoint's is left alone.
func TestSettlePending(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	off, gone := d.mustEndpoint(true), d.mustEndpoint(true)
	d.mustLeads(5)
	other.mustLeads(3)
	// As they are when a commit of leads and a disabling cross.
	db.MustExecContext(t.Context(), `update endpoints set enabled = false where id = $1`, off.ID)
	db.MustExecContext(t.Context(), `update endpoints set enabled = false, deleted_at = now() where id = $1`, gone.ID)
	var batches []int
	for {
		n, err := db.SettlePending(t.Context(), 4)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, n)
		if n == 0 {
			break
		}
	}
	if diff := cmp.Diff([]int{4, 4, 2, 0}, batches); diff != "" {
		t.Errorf("settled at a time (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		e    hook.Endpoint
		want map[hook.State]int
	}{
		"disabled":             {off, map[hook.State]int{hook.Held: 5}},
		"deleted":              {gone, map[hook.State]int{hook.Cancelled: 5}},
		"enabled":              {d.endpoint, map[hook.State]int{hook.Pending: 5}},
		"of another workspace": {other.endpoint, map[hook.State]int{hook.Pending: 3}},
	} {
		if diff := cmp.Diff(c.want, d.states(c.e)); diff != "" {
			t.Errorf("deliveries of the endpoint %s (-want +got):\n%s", name, diff)
		}
	}
}
