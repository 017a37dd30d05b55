package pg_test

import (
	"slices"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
)

// Workspaces are owed enrichment by what is due now, however much of them is due later.
func TestDueEnrichments(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	var want []id.UUID
	for _, w := range []struct {
		now, later, done int
	}{{0, 3, 0}, {1, 0, 0}, {0, 0, 2}, {2, 3, 1}, {0, 1, 1}, {1, 1, 0}} {
		ws := pgtest.Workspace(t, d.db).ID
		for due, n := range map[string]int{"now() - interval '1 s'": w.now, "now() + interval '1 h'": w.later,
			"null": w.done} {
			d.mustExec(`insert into enrichments (workspace_id, lead_id, due_at) select $1, gen_random_uuid(), `+due+
				` from generate_series(1, $2)`, ws, n)
		}
		if w.now > 0 {
			want = append(want, ws)
		}
	}
	got, err := d.db.DueEnrichments(t.Context(), 100)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("DueEnrichments = %v, %v, want %v", got, err, want)
	}
	if got, err := d.db.DueEnrichments(t.Context(), 2); err != nil || len(got) != 2 {
		t.Errorf("DueEnrichments of two = %v, %v", got, err)
	}
}
