package process_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// mustUpload stores a file as a gateway does, in pieces of so many bytes.
func (b *bundle) mustUpload(file string, piece int, o leadfile.Options) leadfile.Import {
	b.Helper()
	i := leadfile.Import{WorkspaceID: b.ws, ID: id.New(), Format: leadfile.CSV, CreatedAt: time.Now()}
	read, start, err := leadfile.ReadHeader([]byte(file), leadfile.Said{})
	if err != nil {
		b.Fatal(err)
	}
	read.Source, read.OnDuplicate, read.Quiet, read.ChatbotID = o.Source, o.OnDuplicate, o.Quiet, o.ChatbotID
	i.Options, i.Position = read, start
	if err := b.db.CreateImport(b.Context(), i); err != nil {
		b.Fatal(err)
	}
	for at := 0; at < len(file); at += piece {
		if err := b.db.AddImportChunk(b.Context(), b.ws, i.ID, int64(at),
			[]byte(file[at:min(at+piece, len(file))])); err != nil {
			b.Fatal(err)
		}
	}
	if i, err = b.db.CompleteImport(b.Context(), b.ws, i.ID); err != nil {
		b.Fatal(err)
	}
	return i
}

func (b *bundle) imported(i leadfile.Import) leadfile.Import {
	b.Helper()
	got, err := b.db.GetImport(b.Context(), b.ws, i.ID)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

// awaitImport waits until an import has ended so.
func (b *bundle) awaitImport(i leadfile.Import, state leadfile.State) leadfile.Import {
	b.Helper()
	testwait.Until(b, "the import to be "+string(state), func() bool { return b.imported(i).State == state })
	return b.imported(i)
}

func (b *bundle) number(q string, args ...any) (n int) {
	b.Helper()
	if err := b.db.GetContext(b.Context(), &n, q, args...); err != nil {
		b.Fatal(err)
	}
	return n
}

// report is what an import's report says, a line for each row.
func (b *bundle) report(i leadfile.Import) (lines []string) {
	b.Helper()
	all, err := b.db.ImportErrors(b.Context(), b.ws, i.ID, 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range all {
		lines = append(lines, fmt.Sprintf("%d %s %s %q", m.Row, m.Code, m.Field, m.Value))
	}
	return lines
}

// people is a file of n leads that each know their row.
func people(n int) string {
	var f strings.Builder
	f.WriteString("Email,Name,Row\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&f, "p%d@example.com,Ann %d,%d\n", i, i, i)
	}
	return f.String()
}

// Rows become leads with their events and deliveries; each that cannot is reported with its reason, and Redis knows the
// emails.
func TestImportArrives(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpoint(rec.URL)
	b.mustLeads(1)
	b.mustExec(`update deliveries set state = 'cancelled', next_at = null`)
	b.mustExec(`update leads set email = 'Old@example.com', email_key = 'old@example.com'`)
	b.mustExec(`update workspaces set settings = '{"statuses":["open","won"],"suppressing":true}' where id = $1`, b.ws)
	if err := b.db.Suppress(t.Context(), b.ws, "erased@example.com", nil); err != nil {
		t.Fatal(err)
	}
	elsewhere := id.Chatbot.Format(id.New())
	file := "\xEF\xBB\xBFE-Mail;First Name;Last Name;Mobile;Status;Chatbot ID;Plan\r\n" +
		"ann@example.com;Ann;Lee;+1-555-0100;Won;;pro\r\n" +
		"nobody;;;;;;\r\n" +
		"OLD@example.com;;;;;;\r\n" +
		"Ann@Example.com;;;;;;\r\n" +
		"erased@example.com;;;;;;\r\n" +
		"bot@example.com;;;;;" + elsewhere + ";\r\n" +
		";;;;;;\r\n" +
		"bob@example.com;\"Bob\r\n\";;;;;\r\n" +
		"eve@example.com;Eve;;;;;\"a \"\"b\"\"; c\"\r\n"
	i := b.mustUpload(file, 50, leadfile.Options{Source: "fair", OnDuplicate: lead.RefuseDuplicate})
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	got := b.awaitImport(i, leadfile.Done)
	if want := (leadfile.Tally{Rows: 8, Created: 4, Duplicates: 2, Rejected: 2, Warnings: 1}); got.Tally != want ||
		got.Position != got.Bytes || got.FinishedAt == nil {
		t.Errorf("import = %+v, want %+v and all of the file", got, want)
	}
	want := []string{
		`2 VALIDATION_ERROR E-Mail "nobody"`, `3 DUPLICATE_EMAIL email "OLD@example.com"`,
		`4 DUPLICATE_EMAIL email "Ann@Example.com"`,
		`5 EMAIL_SUPPRESSED email ""`, `6 WARNING chatbotId ""`,
	}
	if diff := cmp.Diff(want, b.report(i)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	var ann struct {
		ID                                           id.UUID
		Email, Name, Phone, Source, Status, Metadata string
	}
	if err := b.db.GetContext(t.Context(), &ann,
		`select id, email, name, phone, source, status, metadata::text from leads where email_key = 'ann@example.com'`); err != nil {
		t.Fatal(err)
	}
	if ann.Name != "Ann Lee" || ann.Phone != "+1-555-0100" || ann.Source != "fair" || ann.Status != "won" ||
		ann.Metadata != `{"Plan":"pro"}` {
		t.Errorf("lead = %+v, want what the row says", ann)
	}
	for range 4 {
		verify(t, e, rec.mustNext(t))
	}
	testwait.Until(t, "the deliveries to be recorded", func() bool {
		states, _ := b.states(e)
		return states[webhook.Delivered] == 4
	})
	if n := b.number(`select count(*) from import_chunks`); n != 0 {
		t.Errorf("%d pieces of the file are left", n)
	}
}

func TestImportWithoutEventsAndUnique(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustEndpoint("http://127.0.0.1:1/")
	b.mustExec(`update workspaces set settings = '{"dedupe":"none"}' where id = $1`, b.ws)
	i := b.mustUpload("email\na@example.com\na@example.com\n", 100, leadfile.Options{Quiet: true})
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	if got := b.awaitImport(i, leadfile.Done); got.Created != 2 || b.number(`select count(*) from leads`) != 2 ||
		b.number(`select count(*) from events`) != 0 {
		t.Errorf("import = %+v, want two leads with one email and no events", got)
	}
}

// A file that cannot be read on fails with a reason; what stands before stays.
func TestImportFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.worker(options{})
	i := b.mustUpload("email\na@example.com\n"+strings.Repeat("b", 2<<20), 1<<20, leadfile.Options{})
	b.mustWake(task.Import(b.ws, i.ID))
	got := b.awaitImport(i, leadfile.Failed)
	if got.Reason != "Row 2: it is longer than 1048576 bytes: this is no list of rows" || got.Rows != 1 || got.Created != 1 {
		t.Errorf("import = %+v, want one row and why", got)
	}
	gone := b.mustUpload("email\na@example.com\n", 100, leadfile.Options{})
	b.mustExec(`delete from import_chunks`)
	b.mustWake(task.Import(b.ws, gone.ID))
	if got := b.awaitImport(gone, leadfile.Failed); got.Reason != "The file no longer exists" {
		t.Errorf("import = %+v, want it to fail for its file", got)
	}
}

// Slices, a stopped worker, a forgotten Redis and several wake-ups: every row is a lead once, and counted once.
func TestImportSurvives(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 30_000
	i := b.mustUpload(people(n)+"p1@example.com,again,1\nbad,,2\n", 100_000, leadfile.Options{Quiet: true})
	stop := b.worker(options{maxRun: 50 * time.Millisecond})
	b.mustWake(task.Import(b.ws, i.ID))
	testwait.Until(t, "some rows", func() bool { return b.imported(i).Rows > 0 })
	stop(0)
	if got := b.imported(i); got.State != leadfile.Running {
		t.Fatalf("import = %+v after the stop, want it in the middle", got)
	}
	if err := b.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	b.worker(options{sweep: 50 * time.Millisecond})
	got := b.awaitImport(i, leadfile.Done)
	if want := (leadfile.Tally{Rows: n + 2, Created: n, Duplicates: 1, Rejected: 1}); got.Tally != want {
		t.Errorf("import = %+v, want %+v", got.Tally, want)
	}
	if all, rows := b.number(`select count(*) from leads`),
		b.number(`select count(distinct metadata ->> 'Row') from leads`); all != n || rows != n {
		t.Errorf("%d leads of %d rows, want %d of each", all, rows, n)
	}
	want := []string{fmt.Sprintf(`%d DUPLICATE_EMAIL email "p1@example.com"`, n+1),
		fmt.Sprintf(`%d VALIDATION_ERROR Email "bad"`, n+2)}
	if diff := cmp.Diff(want, b.report(i)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// One row that Postgres refuses costs no other.
func TestImportOfARowThatPostgresRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustExec(`
create function refuse() returns trigger language plpgsql as $$ begin
    if new.email like 'p7@%' or new.email like 'p1203@%' then raise exception using errcode = '22000'; end if;
    return new;
end $$`)
	b.mustExec(`create trigger refuse before insert on leads for each row execute function refuse()`)
	i := b.mustUpload(strings.Replace(people(1500), "p9@example.com", "bad", 1), 10_000, leadfile.Options{Quiet: true})
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	got := b.awaitImport(i, leadfile.Done)
	if want := (leadfile.Tally{Rows: 1500, Created: 1497, Rejected: 3}); got.Tally != want {
		t.Errorf("import = %+v, want %+v", got.Tally, want)
	}
	want := []string{`7 INTERNAL row ""`, `9 VALIDATION_ERROR Email "bad"`, `1203 INTERNAL row ""`}
	if diff := cmp.Diff(want, b.report(i)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// Blank rows are worked on as others are: the position moves through them, and no turn begins them anew.
func TestImportOfBlankRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	i := b.mustUpload("Email\na@example.com\n"+strings.Repeat(" \n", 3<<20/2)+"b@example.com\n", 1<<20,
		leadfile.Options{Quiet: true})
	b.mustExec(`create table moves (position bigint)`)
	b.mustExec(
		`create function note() returns trigger language plpgsql as $$ begin insert into moves values (new.position); return new; end $$`)
	b.mustExec(
		`create trigger note after update of position on imports for each row when (new.position > old.position) execute function note()`)
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	got := b.awaitImport(i, leadfile.Done)
	if want := (leadfile.Tally{Rows: 2, Created: 2}); got.Tally != want || got.Position != got.Bytes {
		t.Errorf("import = %+v, want %+v and all of the file", got, want)
	}
	if n := b.number(`select count(*) from moves`); n < 3 {
		t.Errorf("the position moved %d times, want once in each megabyte", n)
	}
}

// What takes Postgres too long at once is done in parts.
func TestImportOfRoundsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustExec(`
create function slow() returns trigger language plpgsql as $$ begin
    if (select count(*) from made) > 300 then raise exception 'canceling statement due to statement timeout' using errcode = '57014'; end if;
    return null;
end $$`)
	b.mustExec(
		`create trigger slow after insert on leads referencing new table as made for each statement execute function slow()`)
	i := b.mustUpload(people(1500), 10_000, leadfile.Options{Quiet: true})
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	got := b.awaitImport(i, leadfile.Done)
	if want := (leadfile.Tally{Rows: 1500, Created: 1500}); got.Tally != want {
		t.Errorf("import = %+v, want %+v", got.Tally, want)
	}
}

// What Postgres refuses although no lead is in it ends the import, and the owner can read why.
func TestImportThatIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustExec(
		`create function refuse() returns trigger language plpgsql as $$ begin raise exception using errcode = '22000'; end $$`)
	b.mustExec(`create trigger refuse before insert on import_errors for each row execute function refuse()`)
	i := b.mustUpload("Email\nbad\nworse\n", 10_000, leadfile.Options{})
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	if got := b.awaitImport(i, leadfile.Failed); !strings.Contains(got.Reason, "could not be stored") ||
		got.FinishedAt == nil {
		t.Errorf("import = %+v, want it failed with the reason", got)
	}
	testwait.Until(t, "the file to be deleted", func() bool { return b.number(`select count(*) from import_chunks`) == 0 })
}

func TestImportIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// A round takes a while, so that the import is under way when it is cancelled.
	b.mustExec(
		`create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return null; end $$`)
	b.mustExec(`create trigger wait before insert on leads for each statement execute function wait()`)
	i := b.mustUpload(people(30_000), 100_000, leadfile.Options{Quiet: true})
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	testwait.Until(t, "some rows", func() bool { return b.imported(i).Rows > 0 })
	cancelled, err := b.db.CancelImport(t.Context(), b.ws, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the file to be deleted", func() bool { return b.number(`select count(*) from import_chunks`) == 0 })
	if got := b.imported(i); got.State != leadfile.Cancelled || got.Tally != cancelled.Tally ||
		b.number(`select count(*) from leads`) != got.Created {
		t.Errorf("import = %+v, want it as it was when it was cancelled", got)
	}
}

// A commit has fewer rows where each makes many deliveries, so that nobody has to wait for its emails for long.
func TestImportRoundsAreSmallWithManyEndpoints(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		endpoints int
		options   leadfile.Options
		most      int // rows of the largest round
	}{
		"no endpoint":              {0, leadfile.Options{}, 300},
		"50 endpoints":             {50, leadfile.Options{}, 98},
		"50 endpoints, no events":  {50, leadfile.Options{Quiet: true}, 300},
		"50 endpoints, and update": {50, leadfile.Options{OnDuplicate: lead.UpdateDuplicate}, 98},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for range tc.endpoints {
				b.mustEndpoint("http://127.0.0.1:1/")
			}
			b.mustExec(`update endpoints set enabled = false`)
			b.mustExec(`create table rounds (rows integer)`)
			b.mustExec(`
create function note() returns trigger language plpgsql as $$ begin
    insert into rounds values (new.rows - old.rows);
    return new;
end $$`)
			b.mustExec(`create trigger note after update of position on imports for each row execute function note()`)
			i := b.mustUpload(people(300), 10_000, tc.options)
			b.worker(options{})
			b.mustWake(task.Import(b.ws, i.ID))
			if got := b.awaitImport(i, leadfile.Done); got.Created != 300 {
				t.Errorf("import = %+v, want 300 leads", got.Tally)
			}
			if most := b.number(`select max(rows) from rounds`); most != tc.most {
				t.Errorf("the largest round has %d rows, want %d", most, tc.most)
			}
			if n := b.number(`select count(*) from deliveries`); !tc.options.Quiet && n != 300*tc.endpoints {
				t.Errorf("%d deliveries, want %d", n, 300*tc.endpoints)
			}
		})
	}
}

// An import that comes upon an email that another transaction has does not keep the emails of its own round meanwhile:
// the rows before it become leads, and the one waits alone.
func TestImportWaitsForAHeldEmailAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `
insert into leads (workspace_id, id, email, email_key, source, status, metadata, created_at, updated_at)
values ($1, $2, 'p60@example.com', 'p60@example.com', 'api', 'new', '{}', now(), now())`, b.ws, id.New()); err != nil {
		t.Fatal(err)
	}
	i := b.mustUpload(people(100), 10_000, leadfile.Options{Quiet: true})
	b.worker(options{sweep: 100 * time.Millisecond})
	b.mustWake(task.Import(b.ws, i.ID))
	testwait.Until(t, "the rows before the held one", func() bool { return b.imported(i).Rows == 59 })
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := b.awaitImport(i, leadfile.Done); got.Created != 100 {
		t.Errorf("import = %+v, want 100 leads", got.Tally)
	}
}
