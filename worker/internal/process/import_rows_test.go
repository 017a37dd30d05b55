package process_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/task"
)

// A row of an export changes the lead that it names: also where emails are not unique, and to another email, unless
// that is another's.
func TestImportOfAnExport(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{"unique emails": `{}`, "emails of several leads": `{"dedupe":"none"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.mustExec(`update workspaces set settings = $2 where id = $1`, b.ws, settings)
			b.worker(options{})
			first := b.mustUpload("email,name\na@example.com,A\nb@example.com,B\nc@example.com,C\nd@example.com,D\n", 100, leadfile.Options{})
			b.mustWake(task.Import(b.ws, first.ID))
			b.awaitImport(first, leadfile.Done)
			var ids []id.UUID
			if err := b.db.SelectContext(t.Context(), &ids, `select id from leads where workspace_id = $1 order by email`, b.ws); err != nil {
				t.Fatal(err)
			}
			b.mustExec(`update leads set deleted_at = now(), email_key = email_key || ' x' where id = $1`, ids[3])
			row := func(n int, email, name string) string {
				return id.Lead.Format(ids[n]) + "," + name + "," + email + ",,,,,2026-01-15T10:30:00.000Z,2026-01-15T10:30:00.000Z,{}\n"
			}
			i := b.mustUpload("id,name,email,phone,source,status,chatbotId,createdAt,updatedAt,metadata\n"+row(0, "a@example.com", "A2")+
				row(1, "new@example.com", "B2")+row(2, "a@example.com", "C2")+row(3, "d@example.com", "D2"), 100,
				leadfile.Options{OnDuplicate: lead.UpdateDuplicate})
			b.mustWake(task.Import(b.ws, i.ID))
			got := b.awaitImport(i, leadfile.Done)
			want, leads := leadfile.Tally{Rows: 4, Created: 1, Updated: 2, Duplicates: 1}, "A2 a@, B2 new@, C c@, D2 d@"
			if name != "unique emails" {
				want, leads = leadfile.Tally{Rows: 4, Created: 1, Updated: 3}, "A2 a@, B2 new@, C2 a@, D2 d@"
			}
			var all string
			if err := b.db.GetContext(t.Context(), &all, `select string_agg(name || ' ' || split_part(email, '@', 1) || '@', ', ' order by name)
  from leads where workspace_id = $1 and deleted_at is null`, b.ws); err != nil {
				t.Fatal(err)
			}
			if got.Tally != want || all != leads {
				t.Errorf("import = %+v and leads %s, want %+v and %s; report %q", got.Tally, all, want, leads, b.report(i))
			}
		})
	}
}

// What is odd about a row that becomes a lead is counted and, up to a limit, reported with the lead; an erasure takes
// it out of the report.
func TestImportWarns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	i := b.mustUpload("email,status\na@example.com,Hot\nb@example.com,lost\na@example.com,Cold\nno,Hot\n", 100,
		leadfile.Options{OnDuplicate: lead.UpdateDuplicate})
	b.worker(options{})
	b.mustWake(task.Import(b.ws, i.ID))
	got := b.awaitImport(i, leadfile.Done)
	if want := (leadfile.Tally{Rows: 4, Created: 2, Updated: 1, Rejected: 1, Warnings: 2}); got.Tally != want {
		t.Errorf("import = %+v, want %+v", got.Tally, want)
	}
	want := []string{`1 WARNING status ""`, `3 WARNING status ""`, `4 VALIDATION_ERROR email "no"`}
	if diff := cmp.Diff(want, b.report(i)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if n := b.number(`select count(*) from import_errors e join leads l on l.id = e.lead_id where l.email = 'a@example.com'`); n != 2 {
		t.Errorf("%d warnings are the lead's, want both", n)
	}
	many := b.mustUpload("email,status\n"+strings.Repeat("a@example.com,Hot\n", 5), 100, leadfile.Options{OnDuplicate: "update"})
	b.mustExec(`update imports set warnings = $2 where id = $1`, many.ID, leadfile.MaxOdd-2)
	b.mustWake(task.Import(b.ws, many.ID))
	if got := b.awaitImport(many, leadfile.Done); got.Warnings != leadfile.MaxOdd+3 || len(b.report(many)) != 2 {
		t.Errorf("import = %+v, reports %q, want all counted and two reported", got.Tally, b.report(many))
	}
}
