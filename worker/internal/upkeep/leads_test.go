package upkeep_test

import (
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/worker/internal/upkeep"
)

// mustInsert stores a lead with this email.
func mustInsert(t *testing.T, db *pg.DB, ws id.UUID, email string) id.UUID {
	t.Helper()
	l := lead.Lead{WorkspaceID: ws, ID: id.New(), Email: email, UniqueKey: email, Source: "api", Status: "new",
		Metadata: []byte(`{}`), CreatedAt: time.Now()}
	if got, err := db.InsertLeads(t.Context(), []pg.NewLead{{Lead: l, EventID: id.New()}}); err != nil ||
		got.Leads[0].Taken {
		t.Fatalf("InsertLeads = %+v, %v, want it inserted", got, err)
	}
	return l.ID
}

func mustCount(t *testing.T, db *pg.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.GetContext(t.Context(), &n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}

// What can be restored no longer is erased, what can be stays, and old answers go.
func TestSweepClears(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, _ := mustOwe(t, db)
	old, fresh, live := mustInsert(t, db, ws, "x@example.com"), mustInsert(t, db, ws, "y@example.com"), mustInsert(t, db,
		ws, "z@example.com")
	for _, l := range []id.UUID{old, fresh} {
		if _, err := db.DeleteLead(t.Context(), ws, l, func(*lead.Lead) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, db, `update leads set deleted_at = now() - interval '30 days 1 minute' where id = $1`, old)
	mustExec(t, db, `update leads set deleted_at = now() - interval '29 days 23 hours' where id = $1`, fresh)
	mustExec(t, db, `insert into idempotency (workspace_id, key_hash, request_hash, id, taken_at, created_at)
select $1, cast(n as text)::bytea, '', $1, now(), now() - n * interval '1 hour' from generate_series(1, 48) n`, ws)
	metrics := sweeper(t, db, c, 100*time.Millisecond)
	testwait.Until(t, "the lead to be purged", func() bool { return counted(t, metrics, "leadgate_leads_purged_total", "") == 1 })
	testwait.Until(t, "the keys to be deleted", func() bool {
		return counted(t, metrics, "leadgate_idempotency_keys_deleted_total",
			"") == 25
	})
	for name, c := range map[string]struct {
		got, want int
	}{
		"rows of the purged lead": {mustCount(t, db, `select count(*) from leads where id = $1`, old), 0},
		"of its events that tell the email": {mustCount(t, db,
			`select count(*) from events where lead_id = $1 and data::text like '%example.com%'`, old), 0},
		"of its events that tell of the erasure": {mustCount(t, db,
			`select count(*) from events where lead_id = $1 and data ->> 'erased' = 'true' and type = 'lead.deleted' and data ->> 'deletedAt' is not null`, old), 1},
		"rows of other leads": {mustCount(t, db, `select count(*) from leads where id in ($1, $2)`, fresh,
			live), 2},
		"keys": {mustCount(t, db, `select count(*) from idempotency`), 23},
	} {
		if c.got != c.want {
			t.Errorf("%s = %d, want %d", name, c.got, c.want)
		}
	}
}

// What one sweep does not get done the next one does, and not one in an hour.
func TestSweepsClearABacklog(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, _ := mustOwe(t, db)
	for _, email := range []string{"u@example.com", "v@example.com", "w@example.com", "x@example.com"} {
		mustInsert(t, db, ws, email)
	}
	mustExec(t, db, `update leads set deleted_at = now() - interval '31 days' where email <> 'a@example.com'`)
	mustExec(t, db, `insert into idempotency (workspace_id, key_hash, request_hash, id, taken_at, created_at)
select $1, cast(n as text)::bytea, '', $1, now(), now() - interval '25 hours' from generate_series(1, 6) n`, ws)
	sweeper(t, db, c, 50*time.Millisecond, (*upkeep.Upkeep).PurgeOne)
	testwait.Until(t, "all leads and keys to go", func() bool {
		return mustCount(t, db, `select (select count(*) from leads) + (select count(*) from idempotency)`) == 1
	})
}

// Leads that cannot be erased keep no others waiting, however many they are.
func TestSweepPassesLeadsThatCannotBeErased(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, _ := mustOwe(t, db)
	for _, email := range []string{"bad1@example.com", "bad2@example.com", "bad3@example.com"} {
		mustInsert(t, db, ws, email)
	}
	good := mustInsert(t, db, ws, "good@example.com")
	mustExec(t, db, `update leads set deleted_at = now() - interval '32 days' where email like 'bad%'`)
	mustExec(t, db, `update leads set deleted_at = now() - interval '31 days' where id = $1`, good)
	mustExec(t, db, `
create function refuse() returns trigger language plpgsql as $$ begin
    if old.email like 'bad%' then raise exception 'no'; end if;
    return old;
end $$`)
	mustExec(t, db, `create trigger refuse before delete on leads for each row execute function refuse()`)
	sweeper(t, db, c, 50*time.Millisecond, (*upkeep.Upkeep).PurgeOne)
	testwait.Until(t, "the other lead to go", func() bool {
		return mustCount(t, db, `select count(*) from leads where id = $1`,
			good) == 0
	})
	if n := mustCount(t, db, `select count(*) from leads`); n != 4 {
		t.Errorf("%d leads are left, want 4", n)
	}
}

// An erasure that a request has begun is ended by the sweep, and so is one whose lead is gone already.
func TestSweepEndsErasures(t *testing.T) {
	t.Parallel()
	db, c := pgtest.New(t), redistest.New(t)
	ws, _ := mustOwe(t, db)
	l := mustInsert(t, db, ws, "x@example.com")
	const begun = `
insert into erasures (workspace_id, id, lead_id, suppressed, events, deliveries, attempts, created_at) values ($1, $2, $3, false, 7, 0, 0, now())`
	receipt, gone := id.New(), id.New()
	mustExec(t, db, begun, ws, receipt, l)
	mustExec(t, db, begun, ws, gone, id.New())
	metrics := sweeper(t, db, c, 100*time.Millisecond)
	testwait.Until(t, "the erasures to end", func() bool {
		return mustCount(t, db, `select count(*) from erasures`) == 0
	})
	testwait.Until(t, "one to be counted", func() bool { return counted(t, metrics, "leadgate_leads_erased_total", "") == 1 })
	for receipt, want := range map[id.UUID]int{receipt: 8, gone: 7} {
		got, err := db.GetErasure(t.Context(), ws, receipt)
		if err != nil || got.Running || got.Details["events"] != float64(want) {
			t.Errorf("GetErasure() = %+v, %v, want it done with %d events", got, err, want)
		}
	}
}

// What was counted is folded into books, and says the same afterwards.
func TestSweepFoldsBooks(t *testing.T) {
	t.Parallel()
	db, c, ws := pgtest.New(t), redistest.New(t), id.New()
	for n := range 3 {
		err := db.FlushBooks(t.Context(), id.New(), 1, []tenant.BookEntry{{WorkspaceID: ws, Way: tenant.WayAPI,
			Outcome: tenant.BookLimited, N: int64(n + 1)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	sweeper(t, db, c, 100*time.Millisecond)
	testwait.Until(t, "entries to be folded", func() bool {
		left := 0
		if err := db.GetContext(t.Context(), &left, `select count(*) from book_entries`); err != nil {
			t.Fatal(err)
		}
		return left == 0
	})
	got, err := db.ReadUsage(t.Context(), ws, time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, 2))
	if err != nil || len(got) != 1 || got[0].Limited != 6 {
		t.Errorf("ReadUsage = %+v, %v, want 6 limited", got, err)
	}
}
