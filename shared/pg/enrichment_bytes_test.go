package pg_test

import (
	"context"
	"slices"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// One batch reads leads until it has a megabyte of them, and says that there are more; none is left out in the end.
func TestEnrichIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws := pgtest.Workspace(t, db).ID
	const leads = 80
	pgtest.Leads(t, db, ws, leads, func(l *lead.Lead) { l.Metadata = noise(30_000) })
	most, seen, batches := 0, 0, 0
	find := func(_ context.Context, _ tenant.Settings, all []lead.Lead) []pg.Finding {
		size := 0
		for i := range all {
			size += len(all[i].Metadata)
		}
		most, seen = max(most, size), seen+len(all)
		return slices.Repeat([]pg.Finding{{Facts: []byte(`{"found":true}`)}}, len(all))
	}
	for more := true; more; batches++ {
		out, err := db.Enrich(t.Context(), []id.UUID{ws}, 200, find)
		if err != nil || out.Done != out.Taken {
			t.Fatalf("Enrich() = %+v, %v, want facts for all that were taken", out, err)
		}
		more = out.More
	}
	if seen != leads || batches < 3 || most > 1<<20+30_000 {
		t.Errorf("%d batches of up to %d bytes had %d leads, want all %d in some of a megabyte", batches, most, seen, leads)
	}
}
