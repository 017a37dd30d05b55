package pg_test

import (
	"testing"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// A workspace keeps its newest imports, and whatever has not ended; how many others have does not matter.
func TestSurplusImportsAreDeleted(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	few, many := newDesk(t, db), newDesk(t, db)
	made := func(d *desk, n int, state string, age string) {
		d.mustExec(`insert into imports (workspace_id, id, state, format, options, created_at, updated_at, finished_at)
select $1, delivery_id(uuid_floor(at), gen_random_uuid()), $3, 'csv', '{}', at, at, case when $3 = 'done' then at end
  from (select now() - cast($4 as interval) + n * interval '1 ms' from generate_series(1, $2) n) as x (at)`, d.ws, n, state, age)
	}
	made(few, 5, "done", "2 days")
	made(many, 2, "running", "4 days")
	made(many, 3, "done", "3 days")
	made(many, pg.KeptImports, "done", "2 days")
	if n, err := db.DeleteOldImports(t.Context(), 30*24*time.Hour); err != nil || n != 3 {
		t.Errorf("DeleteOldImports = %d, %v, want 3", n, err)
	}
	for _, w := range []struct {
		d    *desk
		want int
	}{{few, 5}, {many, pg.KeptImports + 2}} {
		if n := w.d.number(`select count(*) from imports where workspace_id = $1`, w.d.ws); n != w.want {
			t.Errorf("%d imports are kept, want %d", n, w.want)
		}
	}
	if n, err := db.DeleteOldImports(t.Context(), 24*time.Hour); err != nil || n != pg.KeptImports {
		t.Errorf("DeleteOldImports = %d, %v, want as many as it deletes at a time", n, err)
	}
}

// However many pieces of a file were read: all go, and no statement deletes many.
func TestReadPiecesGoInBatches(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it needs a trigger")
	d := newDesk(t, pgtest.New(t))
	i := d.mustImport("x")
	d.mustExec(
		`insert into import_chunks (workspace_id, import_id, start, data) select $1, $2, n, 'x' from generate_series(1, 299) n`, d.ws, i.ID)
	d.mustExec(`
create function few() returns trigger language plpgsql as $$ begin
    if (select count(*) from gone) > 64 then raise exception 'too many at once'; end if;
    return null;
end $$`)
	d.mustExec(
		`create trigger few after delete on import_chunks referencing old table as gone for each statement execute function few()`)
	if err := d.db.DeleteReadChunks(t.Context(), d.ws, i.ID, 250); err != nil {
		t.Fatal(err)
	}
	if n := d.number(`select count(*) from import_chunks where start >= 250`); n != 50 ||
		d.number(`select count(*) from import_chunks`) != n {
		t.Errorf("%d pieces that were not read are left, want 50 and no other", n)
	}
}
