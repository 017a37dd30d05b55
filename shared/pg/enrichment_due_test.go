package pg_test

import (
	"slices"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
)

// Workspaces are owed enrichment by what is due now, however much of them is due later. It is counted to a bound.
func TestDueEnrichments(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	var want []id.UUID
	counts := map[id.UUID]int{}
	for _, w := range []struct {
		now, later, done int
	}{{0, 3, 0}, {1, 0, 0}, {0, 0, 2}, {3, 3, 1}, {0, 1, 1}, {1, 1, 0}} {
		ws := pgtest.Workspace(t, d.db).ID
		for due, n := range map[string]int{"now() - interval '1 s'": w.now, "now() + interval '1 h'": w.later,
			"null": w.done} {
			d.mustExec(`insert into enrichments (workspace_id, lead_id, due_at) select $1, gen_random_uuid(), `+due+
				` from generate_series(1, $2)`, ws, n)
		}
		if w.now > 0 {
			want = append(want, ws)
			counts[ws] = min(w.now, 2)
		}
	}
	found := func(after id.UUID, limit int) (all []id.UUID) {
		t.Helper()
		due, err := d.db.DueEnrichments(t.Context(), after, limit, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range due {
			all = append(all, w.Workspace)
			if n := counts[w.Workspace]; w.Leads != n {
				t.Errorf("%d leads are due in a workspace, want %d", w.Leads, n)
			}
		}
		return all
	}
	if got := found(id.UUID{}, 100); !slices.Equal(got, want) {
		t.Errorf("DueEnrichments = %v, want %v", got, want)
	}
	if got := found(id.UUID{}, 2); !slices.Equal(got, want[:2]) {
		t.Errorf("the first two = %v, want %v", got, want[:2])
	}
	if got := found(want[1], 100); !slices.Equal(got, want[2:]) {
		t.Errorf("those after the second = %v, want %v", got, want[2:])
	}
}
