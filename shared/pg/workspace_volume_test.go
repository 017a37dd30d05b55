package pg_test

import (
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

func TestWorkspacesAreFoundByName(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	named := func(name string) id.UUID {
		return pgtest.Workspace(t, db, func(w *tenant.Workspace) { w.Name = name }).ID
	}
	first, second := named("Acme Shoes"), named("50 % Acme")
	named("Other")
	all, err := db.FindWorkspaces(t.Context(), "aCme", id.UUID{}, 10)
	if err != nil || len(all) != 2 || all[0].ID != first || all[1].ID != second {
		t.Errorf("FindWorkspaces(aCme) = %+v, %v, want the two, oldest first", all, err)
	}
	if all, err = db.FindWorkspaces(t.Context(), "%", id.UUID{}, 10); err != nil || len(all) != 1 || all[0].ID != second {
		t.Errorf("FindWorkspaces(%%) = %+v, %v, want the one with that in its name", all, err)
	}
	if all, err = db.FindWorkspaces(t.Context(), "acme", first, 10); err != nil || len(all) != 1 || all[0].ID != second {
		t.Errorf("FindWorkspaces after the first = %+v, %v, want the second", all, err)
	}
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	silent := pgtest.Workspace(t, d.db).ID
	today := time.Date(2026, 3, 31, 23, 0, 0, 0, time.UTC)
	d.exec(`
insert into books (workspace_id, day, way, form_id, outcome, n)
select $1, cast(day as date), 'api', '00000000-0000-0000-0000-000000000000', outcome, n
  from (values ('2026-03-31', 'received', 5), ('2026-03-31', 'new', 4), ('2026-03-02', 'received', 10),
               ('2026-03-30', 'refused:invalid', 6), ('2026-03-30', 'refused:duplicate', 50), ('2026-03-30', 'limited', 3),
               ('2026-03-01', 'received', 100), ('2026-04-01', 'received', 1000)) v (day, outcome, n)`, d.ws)
	d.exec(`
insert into book_entries (workspace_id, day, way, form_id, outcome, n)
values ($1, '2026-03-31', 'api', '00000000-0000-0000-0000-000000000000', 'received', 2)`, d.ws)
	all, err := d.db.Volumes(t.Context(), []id.UUID{d.ws, silent}, today)
	if err != nil {
		t.Fatal(err)
	}
	if v := all[d.ws]; v.Today != 7 || v.Month != 17 || v.Refused != 6 || v.Limited != 3 || v.LastLeadAt == nil {
		t.Errorf("Volumes = %+v, want 7 today, 17, 6 refused and 3 limited in 30 days, and when the last lead came", v)
	}
	if v := all[silent]; v.Today != 0 || v.Month != 0 || v.LastLeadAt != nil {
		t.Errorf("Volumes of a workspace without leads = %+v, want nothing", v)
	}
}
