package pg_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// mustImport makes an import whose file is there.
func (d *desk) mustImport(file string) leadfile.Import {
	d.Helper()
	i := leadfile.Import{WorkspaceID: d.ws, ID: id.New(), Format: leadfile.NDJSON, CreatedAt: time.Now()}
	if err := d.db.CreateImport(d.Context(), i); err != nil {
		d.Fatal(err)
	}
	if err := d.db.AddImportChunk(d.Context(), d.ws, i.ID, 0, []byte(file)); err != nil {
		d.Fatal(err)
	}
	if _, err := d.db.CompleteImport(d.Context(), d.ws, i.ID); err != nil {
		d.Fatal(err)
	}
	i, _, ok, err := d.db.BeginImport(d.Context(), d.ws, i.ID)
	if err != nil || !ok {
		d.Fatalf("BeginImport = %v, %v, want it running", ok, err)
	}
	return i
}

// round is a round of rows with these emails, numbered from first.
func (d *desk) round(i leadfile.Import, from int64, first int, emails ...string) *pg.ImportBatch {
	r := &pg.ImportBatch{Workspace: d.ws, Import: i.ID, From: from, To: from + int64(len(emails))}
	for n, email := range emails {
		draft := lead.Draft{Name: fmt.Sprintf("row %d", first+n), Email: email, AddressKey: email, Source: "api",
			NoSource: true, Status: "new", NoStatus: true, Metadata: fmt.Appendf(nil, `{"row":%d}`, first+n)}
		l := lead.Lead{WorkspaceID: d.ws, ID: id.New(), Name: draft.Name, Email: email, UniqueKey: email, Source: "api",
			Status: "new", Metadata: draft.Metadata, CreatedAt: d.now, UpdatedAt: d.now}
		r.Rows = append(r.Rows, pg.ImportRow{NewLead: pg.NewLead{Lead: l, EventID: id.New()}, Number: first + n,
			Patch: draft.Patch()})
	}
	return r
}

func (d *desk) mustRound(r *pg.ImportBatch) pg.ImportResult {
	d.Helper()
	out, err := d.db.ImportRows(d.Context(), r)
	if err != nil {
		d.Fatal(err)
	}
	return out
}

func (d *desk) number(q string, args ...any) (n int) {
	d.Helper()
	if err := d.db.GetContext(d.Context(), &n, q, args...); err != nil {
		d.Fatal(err)
	}
	return n
}

func (d *desk) tally(i leadfile.Import) (leadfile.Tally, leadfile.Import) {
	d.Helper()
	got, err := d.db.GetImport(d.Context(), d.ws, i.ID)
	if err != nil {
		d.Fatal(err)
	}
	return got.Tally, got
}

// Enrichment would take the processor from an import, and waits; what is imported is enriched once that ends.
func TestEnrichmentWaitsForTheEndOfAnImport(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	i := d.mustImport("..")
	wantDue := func(want int) {
		t.Helper()
		due, err := d.db.DueEnrichments(t.Context(), id.UUID{}, 1, 10)
		if got := len(due); err != nil || got != min(want, 1) || got == 1 && due[0].Leads != want {
			t.Errorf("DueEnrichments() = %+v, %v, want %d leads", due, err, want)
		}
	}
	d.mustRound(d.round(i, 0, 1, "a@example.com"))
	wantDue(0)
	last := d.round(i, 1, 2, "b@example.com")
	last.End = leadfile.Done
	d.mustRound(last)
	wantDue(2)
}

// However many work on the same round, it counts once, and so do its leads, events and mistakes.
func TestARoundCountsOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	i := d.mustImport("....")
	var done, lost atomic.Int32
	inParallel(4, func() {
		r := d.round(i, 0, 1, "a@example.com", "b@example.com")
		r.To, r.Mistakes = 3, []leadfile.Mistake{{Row: 3, Code: "VALIDATION_ERROR", Field: "email",
			Message: "Must be a valid email address"}}
		out, err := d.db.ImportRows(t.Context(), r)
		switch {
		case err != nil:
			t.Error(err)
		case out.Lost:
			lost.Add(1)
		default:
			done.Add(1)
		}
	})
	if done.Load() != 1 || lost.Load() != 3 {
		t.Errorf("done %d, lost %d, want 1 and 3", done.Load(), lost.Load())
	}
	got, now := d.tally(i)
	if want := (leadfile.Tally{Rows: 3, Created: 2, Rejected: 1}); got != want || now.Position != 3 ||
		now.State != leadfile.Running {
		t.Errorf("import = %+v at %d, want %+v at 3", got, now.Position, want)
	}
	if leads, events, deliveries := d.number(`select count(*) from leads`), d.number(`select count(*) from events`),
		d.number(`select count(*) from deliveries`); leads != 2 || events != 2 || deliveries != 2 {
		t.Errorf("%d leads, %d events, %d deliveries, want 2 of each", leads, events, deliveries)
	}
	want := map[string]int64{"import received": 3, "import new": 2, "import refused:validation": 1}
	if diff := cmp.Diff(want, readBooks(t, d.db, d.ws)); diff != "" {
		t.Errorf("books (-want +got):\n%s", diff)
	}
	if _, _, ok, err := d.db.BeginImport(t.Context(), id.New(), i.ID); ok || err != nil {
		t.Errorf("BeginImport in another workspace = %v, %v, want nothing", ok, err)
	}
	last := d.round(i, 3, 4)
	last.To, last.End = 4, leadfile.Done
	d.mustRound(last)
	if _, now := d.tally(i); now.State != leadfile.Done || now.FinishedAt == nil || now.Reason != "" {
		t.Errorf("import = %+v, want it done", now)
	}
	if due, err := d.db.DueImports(t.Context(), 10); err != nil || len(due) != 0 {
		t.Errorf("DueImports = %v, %v, want none", due, err)
	}
}

// A round of which one statement fails leaves nothing at all.
func TestARoundIsAllOrNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	i := d.mustImport("..")
	r := d.round(i, 0, 1, "a@example.com")
	r.Mistakes = []leadfile.Mistake{{Row: 2, Code: "c", Field: "f", Message: "no text to Postgres: \x00"}}
	if out, err := d.db.ImportRows(t.Context(), r); err == nil {
		t.Errorf("ImportRows = %+v, want an error", out)
	}
	if got, now := d.tally(i); got != (leadfile.Tally{}) || now.Position != 0 ||
		d.number(`select (select count(*) from leads) + (select count(*) from events) + (select count(*) from book_entries)`) != 0 {
		t.Errorf("import = %+v at %d, want no leads, no events and no counts", got, now.Position)
	}
}

func TestDuplicatesOfAnImport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on     lead.OnDuplicate
		quiet  bool
		want   leadfile.Tally
		report []string
		first  string // what the lead of the file's first row has in the end
		events string
	}{
		{lead.RefuseDuplicate, false, leadfile.Tally{Rows: 5, Created: 2, Duplicates: 3}, []string{"2 old", "3 new", "5 old"},
			`row 1 {"row":1}`, "lead.created 3"},
		{lead.ReturnDuplicate, false, leadfile.Tally{Rows: 5, Created: 2, Duplicates: 3}, nil, `row 1 {"row":1}`,
			"lead.created 3"},
		{lead.UpdateDuplicate, false, leadfile.Tally{Rows: 5, Created: 2, Updated: 3}, nil, `row 3 {"row":3}`,
			"lead.created 3, lead.updated 3"},
		{lead.UpdateDuplicate, true, leadfile.Tally{Rows: 5, Created: 2, Updated: 3}, nil, `row 3 {"row":3}`,
			"lead.created 1"},
	} {
		t.Run(fmt.Sprintf("%s, quiet %v", c.on, c.quiet), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, pgtest.New(t))
			old := d.round(d.mustImport("."), 0, 1, "old@example.com")
			d.mustRound(old)
			d.mustExec(`update enrichment_queue set due_at = now()`) // imports let it wait
			seen := 0
			if _, err := d.db.Enrich(t.Context(), []id.UUID{d.ws}, 10, canned(pg.Finding{Facts: []byte(`{}`)}, &seen)); err != nil || seen != 1 {
				t.Fatalf("Enrich looked at %d, %v, want the old lead", seen, err)
			}
			i := d.mustImport(".....")
			r := d.round(i, 0, 1, "new@example.com", "old@example.com", "new@example.com", "other@example.com",
				"old@example.com")
			r.OnDuplicate, r.Quiet = c.on, c.quiet
			for n := range r.Rows {
				if c.quiet {
					r.Rows[n].EventID = id.UUID{}
				}
			}
			out := d.mustRound(r)
			if got, _ := d.tally(i); got != c.want || out.Tally != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			ids := map[string]id.UUID{"old": old.Rows[0].ID, "new": r.Rows[0].ID}
			mistakes, err := d.db.ImportErrors(t.Context(), d.ws, i.ID, 0)
			if err != nil {
				t.Fatal(err)
			}
			var report []string
			for _, m := range mistakes {
				for who, lead := range ids {
					if strings.HasSuffix(m.Message, id.Lead.Format(lead)) && m.Code == "DUPLICATE_EMAIL" {
						report = append(report, fmt.Sprint(m.Row, " ", who))
					}
				}
			}
			if diff := cmp.Diff(c.report, report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			l, err := d.db.GetLead(t.Context(), d.ws, ids["new"])
			if got := l.Name + " " + string(l.Metadata); err != nil || got != c.first {
				t.Errorf("lead = %q, %v, want %q", got, err, c.first)
			}
			var events string
			if err := d.db.GetContext(t.Context(), &events,
				`select string_agg(type || ' ' || n, ', ' order by type) from (select type, count(*) as n from events where type like 'lead.%' and type <> 'lead.enriched' group by 1) as e`); err != nil || events != c.events {
				t.Errorf("events = %q, %v, want %q", events, err, c.events)
			}
			if owed := d.number(`select count(*) from enrichments where due_at is not null and lead_id = $1`,
				ids["old"]); (owed == 1) != (c.on == lead.UpdateDuplicate) {
				t.Errorf("the old lead is owed enrichment %d times", owed)
			}
		})
	}
}

// A round for an import that was cancelled does nothing, and neither does more of a file.
func TestACancelledImport(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	i := d.mustImport("..")
	if _, err := d.db.CancelImport(t.Context(), id.New(), i.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("cancelling another workspace's = %v, want NOT_FOUND", err)
	}
	for range 2 {
		if got, err := d.db.CancelImport(t.Context(), d.ws, i.ID); err != nil || got.State != leadfile.Cancelled ||
			got.FinishedAt == nil {
			t.Errorf("CancelImport = %+v, %v, want it cancelled", got, err)
		}
	}
	if out := d.mustRound(d.round(i, 0, 1, "a@example.com")); !out.Lost || d.number(`select count(*) from leads`) != 0 {
		t.Errorf("ImportRows = %+v, want nothing done", out)
	}
	coming := leadfile.Import{WorkspaceID: d.ws, ID: id.New(), Format: leadfile.CSV, CreatedAt: time.Now()}
	if err := d.db.CreateImport(t.Context(), coming); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.CancelImport(t.Context(), d.ws, coming.ID); err != nil {
		t.Fatal(err)
	}
	if err := d.db.AddImportChunk(t.Context(), d.ws, coming.ID, 0, []byte("x")); !fault.Is(err, fault.Conflict) {
		t.Errorf("AddImportChunk = %v, want CONFLICT", err)
	}
	if _, err := d.db.CompleteImport(t.Context(), d.ws, coming.ID); !fault.Is(err, fault.Conflict) {
		t.Errorf("CompleteImport = %v, want CONFLICT", err)
	}
	done := d.mustImport(".")
	end := d.round(done, 0, 1)
	end.End, end.Reason = leadfile.Failed, "Row 1: no"
	d.mustRound(end)
	if got, err := d.db.CancelImport(t.Context(), d.ws, done.ID); !fault.Is(err, fault.Conflict) ||
		got.Reason != "Row 1: no" {
		t.Errorf("cancelling what failed = %+v, %v, want CONFLICT", got, err)
	}
}

func TestImportsAreBounded(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d, other := newDesk(t, db), newDesk(t, db)
	create := func(d *desk) error {
		return db.CreateImport(t.Context(), leadfile.Import{WorkspaceID: d.ws, ID: id.New(), Format: leadfile.CSV,
			CreatedAt: time.Now()})
	}
	var made, refused atomic.Int32
	inParallel(pg.MaxImports+4, func() {
		switch err := create(d); {
		case err == nil:
			made.Add(1)
		case fault.Is(err, fault.Conflict):
			refused.Add(1)
		default:
			t.Error(err)
		}
	})
	if made.Load() != pg.MaxImports || refused.Load() != 4 {
		t.Errorf("made %d, refused %d, want %d and 4", made.Load(), refused.Load(), pg.MaxImports)
	}
	d.mustExec(`update imports set state = 'done', finished_at = now()`)
	d.mustExec(`insert into imports (workspace_id, id, state, format, options, created_at, updated_at, finished_at)
select $1, delivery_id(uuid_floor(at), gen_random_uuid()), 'done', 'csv', '{}', at, at, at from (select now() - interval '10 minutes' + n * interval '1 ms' from generate_series(1, $2) as n) as x (at)`, d.ws, pg.HourlyImports-pg.MaxImports-1)
	if err := create(d); err != nil {
		t.Errorf("the last of an hour = %v, want it made", err)
	}
	var f *fault.Error
	if err := create(d); !errors.As(err, &f) || f.Kind != fault.RateLimited || f.RetryAfter < 49*time.Minute {
		t.Errorf("one more = %v, want RATE_LIMITED", err)
	}
	if err := create(other); err != nil {
		t.Errorf("another workspace's = %v, want it made", err)
	}
}

func TestTheFileOfAnImport(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	i := leadfile.Import{WorkspaceID: d.ws, ID: id.New(), Format: leadfile.CSV, CreatedAt: time.Now()}
	if err := d.db.CreateImport(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	file := bytes.Repeat([]byte("0123456789\x00\xff\\"), 100)
	for at := 0; at < len(file); at += 500 {
		if err := d.db.AddImportChunk(t.Context(), d.ws, i.ID, int64(at), file[at:min(at+500, len(file))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.db.AddImportChunk(t.Context(), d.ws, i.ID, 500, []byte("again")); !fault.Is(err, fault.Conflict) {
		t.Errorf("a piece that does not go on where the last one ended = %v, want CONFLICT", err)
	}
	i, err := d.db.CompleteImport(t.Context(), d.ws, i.ID)
	if err != nil || i.Bytes != int64(len(file)) {
		t.Fatalf("CompleteImport = %+v, %v, want %d bytes", i, err, len(file))
	}
	for _, from := range []int64{0, 1, 499, 500, 1250, i.Bytes - 1, i.Bytes} {
		i.Position = from
		if got, err := io.ReadAll(d.db.OpenImport(t.Context(), &i)); err != nil || !bytes.Equal(got, file[from:]) {
			t.Errorf("the file from %d = %d bytes, %v, want %d", from, len(got), err, len(file)-int(from))
		}
	}
	if err := d.db.DeleteReadChunks(t.Context(), d.ws, i.ID, 1000); err != nil {
		t.Fatal(err)
	}
	i.Position = 1000
	if got, err := io.ReadAll(d.db.OpenImport(t.Context(), &i)); err != nil || !bytes.Equal(got, file[1000:]) {
		t.Errorf("what was not read is gone: %d bytes, %v", len(got), err)
	}
	i.Position = 999
	if _, err := io.ReadAll(d.db.OpenImport(t.Context(), &i)); !errors.Is(err, pg.ErrImportFileGone) {
		t.Errorf("what was read = %v, want ErrImportFileGone", err)
	}
	if err := d.db.DeleteImportFile(t.Context(), d.ws, i.ID); err != nil ||
		d.number(`select count(*) from import_chunks`) != 1 {
		t.Errorf("the file of an import that waits was deleted (%v)", err)
	}
}

func TestOldImportsAreDeleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	old, kept, stale := d.mustImport("."), d.mustImport("."), leadfile.Import{WorkspaceID: d.ws, ID: id.New(),
		Format: leadfile.CSV, CreatedAt: time.Now()}
	for _, i := range []leadfile.Import{old, kept} {
		r := d.round(i, 0, 1)
		r.Mistakes, r.End = []leadfile.Mistake{{Row: 1, Code: "c", Field: "f", Message: "m"}}, leadfile.Done
		d.mustRound(r)
	}
	if err := d.db.CreateImport(t.Context(), stale); err != nil {
		t.Fatal(err)
	}
	running := d.mustImport(".")
	if n, err := d.db.FailStaleUploads(t.Context()); err != nil || n != 0 {
		t.Errorf("FailStaleUploads = %d, %v, want none", n, err)
	}
	d.mustExec(`update imports set updated_at = now() - interval '11 minutes'`)
	d.mustExec(`update imports set finished_at = now() - interval '31 days' where id = $1`, old.ID)
	if n, err := d.db.FailStaleUploads(t.Context()); err != nil || n != 1 {
		t.Errorf("FailStaleUploads = %d, %v, want the one that waits for its file", n, err)
	}
	if n, err := d.db.DeleteOldImports(t.Context(), 30*24*time.Hour); err != nil || n != 1 {
		t.Errorf("DeleteOldImports = %d, %v, want 1", n, err)
	}
	if _, err := d.db.GetImport(t.Context(), d.ws, old.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("the old import = %v, want NOT_FOUND", err)
	}
	if _, now := d.tally(kept); now.State != leadfile.Done {
		t.Errorf("the new one = %+v, want it kept", now)
	}
	if _, now := d.tally(stale); now.State != leadfile.Failed || now.Reason != "The upload broke off" {
		t.Errorf("the stale upload = %+v, want it failed", now)
	}
	if errors, chunks := d.number(`select count(*) from import_errors`),
		d.number(`select count(*) from import_chunks where import_id = $1`, running.ID); errors != 1 || chunks != 1 ||
		d.number(`select count(*) from import_chunks`) != 1 {
		t.Errorf("%d errors and %d pieces are left, want those of the kept import and of the running one", errors, chunks)
	}
}
