package pg_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// readBooks returns the counts of a workspace around today, by way and outcome, over all forms and days.
func readBooks(t testing.TB, db *pg.DB, workspace id.UUID) map[string]int64 {
	t.Helper()
	all, err := db.ReadBooks(t.Context(), workspace, time.Now().AddDate(0, 0, -40), time.Now().AddDate(0, 0, 40), id.UUID{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, e := range all {
		got[string(e.Way)+" "+string(e.Outcome)] += e.N
	}
	return got
}

// counted is a lead that books count.
func counted(ws id.UUID, way tenant.Way, form id.UUID, email string) pg.NewLead {
	leadID := id.New()
	at := id.Time(leadID)
	return pg.NewLead{EventID: id.New(), Way: way, FormID: form, Lead: lead.Lead{WorkspaceID: ws, ID: leadID, Email: email,
		UniqueKey: email, Source: "s", Status: "new", Metadata: []byte("{}"), CreatedAt: at, UpdatedAt: at}}
}

// Gateways write leads and flush refusals while two workers fold and one is cut off again and again. Whoever reads at any
// instant finds that what was received is the sum of what became of it, and that nothing is ever counted back.
func TestBooksBalanceAtEveryInstant(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws, other := pgtest.Workspace(t, db).ID, pgtest.Workspace(t, db).ID
	form := id.New()
	const writers, rounds, each = 4, 25, 8
	var writing, beside sync.WaitGroup
	var ended atomic.Bool
	for n := range writers {
		writing.Go(func() {
			process := id.New()
			for i := range rounds {
				var leads []pg.NewLead
				for k := range each {
					email := fmt.Sprintf("%d-%d-%d@example.com", n, i, k)
					way := []tenant.Way{tenant.WayAPI, tenant.WayForm}[k%2]
					leads = append(leads, counted(ws, way, form, email), counted(other, tenant.WayBatch, id.UUID{}, email))
				}
				if _, err := db.InsertLeads(t.Context(), leads); err != nil {
					t.Error(err)
				}
				for range 2 { // the second time it is written already
					err := db.FlushBooks(t.Context(), process, int64(i+1), []tenant.BookEntry{{WorkspaceID: ws, Way: tenant.WayAPI,
						Outcome: tenant.RefusedValidation.Outcome(), N: 3}, {WorkspaceID: ws, Way: tenant.WayForm, FormID: form,
						Outcome: tenant.BookHeldNotKept, N: 1}})
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	fold := func(within time.Duration) {
		for !ended.Load() {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			// Folds that are cut off end their connections, and on a busy machine a new one may not be had in time.
			if _, err := db.FoldBooks(ctx, 7); err != nil && ctx.Err() == nil && !fault.Is(err, fault.Unavailable) {
				t.Errorf("FoldBooks = %v", err)
			}
			cancel()
		}
	}
	beside.Go(func() { fold(time.Minute) })
	beside.Go(func() { fold(time.Minute) })
	beside.Go(func() { fold(2 * time.Millisecond) })
	beside.Go(func() {
		last := int64(0)
		for !ended.Load() {
			received, sum := int64(0), int64(0)
			for what, n := range readBooks(t, db, ws) {
				switch {
				case what == "api received" || what == "form received":
					received += n
				case what != "form held_not_kept":
					sum += n
				}
			}
			if received != sum || received < last {
				t.Errorf("received %d after %d, want as much as became of it: %d", received, last, sum)
			}
			last = received
		}
	})
	writing.Wait()
	ended.Store(true)
	beside.Wait()
	for folded := -1; folded != 0; {
		var err error
		if folded, err = db.FoldBooks(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
	}
	half := int64(writers * rounds * each / 2)
	want := map[string]int64{"api new": half, "api refused:validation": writers * rounds * 3,
		"api received": half + writers*rounds*3, "form new": half, "form received": half,
		"form held_not_kept": writers * rounds}
	if diff := cmp.Diff(want, readBooks(t, db, ws)); diff != "" {
		t.Errorf("books (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"batch new": 2 * half, "batch received": 2 * half}, readBooks(t, db, other)); diff != "" {
		t.Errorf("books of the other workspace (-want +got):\n%s", diff)
	}
}

// A fold that is cut off while it waits for another changes nothing, and the next one moves everything.
func TestFoldIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws := pgtest.Workspace(t, db).ID
	count := func(n int64) {
		err := db.FlushBooks(t.Context(), id.New(), 1, []tenant.BookEntry{{WorkspaceID: ws, Way: tenant.WayAPI,
			Outcome: tenant.BookLimited, N: n}})
		if err != nil {
			t.Fatal(err)
		}
	}
	count(1)
	if n, err := db.FoldBooks(t.Context(), 100); n != 2 || err != nil {
		t.Fatalf("FoldBooks = %d, %v, want the count and what was received", n, err)
	}
	count(10)
	tx, err := db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`select from books where workspace_id = $1 for update`, ws); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if n, err := db.FoldBooks(ctx, 100); err == nil {
		t.Errorf("FoldBooks = %d while another has the books, want an error", n)
	}
	want := map[string]int64{"api limited": 11, "api received": 11}
	if diff := cmp.Diff(want, readBooks(t, db, ws)); diff != "" {
		t.Errorf("books after the fold was cut off (-want +got):\n%s", diff)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := db.FoldBooks(t.Context(), 100); n != 2 || err != nil {
		t.Errorf("FoldBooks = %d, %v, want the entries of before", n, err)
	}
	if diff := cmp.Diff(want, readBooks(t, db, ws)); diff != "" {
		t.Errorf("books after the next fold (-want +got):\n%s", diff)
	}
}

// What a statement makes is counted once, by day, way and form; a lead that comes again with its own id is not.
func TestLeadsAreCountedWithTheirRows(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws, form := pgtest.Workspace(t, db).ID, id.New()
	if err := db.Suppress(t.Context(), ws, "gone@example.com", &tenant.AuditEntry{ID: id.New(), WorkspaceID: ws}); err != nil {
		t.Fatal(err)
	}
	leads := []pg.NewLead{counted(ws, tenant.WayAPI, id.UUID{}, "a@example.com"), counted(ws, tenant.WayForm, form, "b@example.com"),
		counted(ws, tenant.WayForm, form, "gone@example.com"), counted(ws, "", id.UUID{}, "uncounted@example.com")}
	yesterday := time.Now().AddDate(0, 0, -1)
	leads[1].CreatedAt = yesterday
	for range 2 { // as when the first answer was lost
		if _, err := db.InsertLeads(t.Context(), leads[:2]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.InsertLeads(t.Context(), leads[2:]); err != nil {
		t.Fatal(err)
	}
	taken := counted(ws, tenant.WayAPI, id.UUID{}, "a@example.com")
	if _, err := db.InsertLeadsWithin(t.Context(), []pg.NewLead{taken}, time.Second); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it changes nothing
		_, err := db.UpdateLead(t.Context(), ws, leads[0].ID, func(l *lead.Lead) error { l.Name = "Ann"; return nil },
			tenant.BookEntry{WorkspaceID: ws, Way: tenant.WayBatch, Outcome: tenant.BookUpdated, N: 1})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int64{"api received": 1, "api new": 1, "form received": 2, "form new": 1, "form suppressed": 1,
		"batch received": 2, "batch updated": 2}
	if diff := cmp.Diff(want, readBooks(t, db, ws)); diff != "" {
		t.Errorf("books (-want +got):\n%s", diff)
	}
	of, err := db.ReadBooks(t.Context(), ws, tenant.Day(yesterday), tenant.Day(time.Now()), form)
	day := tenant.Day(yesterday)
	if diff := cmp.Diff([]tenant.BookEntry{
		{WorkspaceID: ws, Day: day, Way: tenant.WayForm, FormID: form, Outcome: tenant.BookNew, N: 1},
		{WorkspaceID: ws, Day: day, Way: tenant.WayForm, FormID: form, Outcome: tenant.BookReceived, N: 1},
	}, of); diff != "" || err != nil {
		t.Errorf("yesterday of the form (-want +got), %v:\n%s", err, diff)
	}
}

// Old days and processes that are gone are deleted; usage is what versions without books counted, and the books.
func TestUsageOfBooksAndBefore(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws, today := pgtest.Workspace(t, db).ID, tenant.Day(time.Now())
	var entries []tenant.BookEntry
	for i, o := range []tenant.BookOutcome{tenant.BookNew, tenant.BookUpdated, tenant.RefusedDuplicate.Outcome(),
		tenant.RefusedCaptcha.Outcome(), tenant.BookLimited, tenant.BookHeld, tenant.BookSuppressed, tenant.BookAppended} {
		entries = append(entries, tenant.BookEntry{WorkspaceID: ws, Way: tenant.WayForm, FormID: id.New(), Outcome: o, N: 1 << i})
	}
	entries = append(entries, tenant.BookEntry{WorkspaceID: ws, Way: tenant.WayAPI, Outcome: tenant.BookNew, N: 1,
		Day: today.AddDate(0, 0, -tenant.BooksKept-2)})
	for n, half := range [][]tenant.BookEntry{entries[:5], entries[5:]} {
		if err := db.FlushBooks(t.Context(), id.New(), 1, half); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			if _, err := db.FoldBooks(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
		}
	}
	const former = `insert into usage (workspace_id, day, accepted, duplicates, rejected, limited) values ($1, $2, 1000, 2000, 3000, 4000)`
	for _, w := range []id.UUID{ws, id.New()} {
		if _, err := db.ExecContext(t.Context(), former, w, today); err != nil {
			t.Fatal(err)
		}
	}
	read := func() []tenant.Usage {
		got, err := db.ReadUsage(t.Context(), ws, today.AddDate(-4, 0, 0), today.AddDate(0, 0, 1))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	now := tenant.Usage{WorkspaceID: ws, Day: today, Accepted: 1001, Duplicates: 2006, Rejected: 3008, Limited: 4016, Held: 32,
		Suppressed: 64, Appended: 128}
	old := tenant.Usage{WorkspaceID: ws, Day: today.AddDate(0, 0, -tenant.BooksKept-2), Accepted: 1}
	if diff := cmp.Diff([]tenant.Usage{now, old}, read()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	if _, err := db.FoldBooks(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `update book_flushes set flushed_at = now() - interval '8 days'`); err != nil {
		t.Fatal(err)
	}
	if n, err := db.DeleteOldBooks(t.Context()); n != 2 || err != nil {
		t.Errorf("DeleteOldBooks = %d, %v, want the two rows of the old day", n, err)
	}
	if diff := cmp.Diff([]tenant.Usage{now}, read()); diff != "" {
		t.Errorf("usage without what is old (-want +got):\n%s", diff)
	}
	left := 0
	if err := db.GetContext(t.Context(), &left, `select count(*) from book_flushes`); err != nil || left != 0 {
		t.Errorf("%d processes left, %v, want none", left, err)
	}
}
