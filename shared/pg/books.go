package pg

import (
	"context"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// addBooks counts, in the transaction of what it counts. Entries are only inserted, so that nobody waits for anybody
// else's counter. Received is counted here: entries name only what became of it. What left no row is counted by
// FlushBooks instead.
func addBooks(ctx context.Context, on conn.Execer, entries ...tenant.BookEntry) error {
	const q = `
insert into book_entries (workspace_id, day, way, form_id, outcome, n)
select * from ` + bookInput + ` as i (workspace_id, day, way, form_id, outcome, n)`
	if len(entries) == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, on, "add to books", q, bookArrays(entries)...)
	return err
}

// bookInput has a row for each entry of bookArrays.
const bookInput = `unnest($1::uuid[], $2::date[], $3::text[], $4::uuid[], $5::text[], $6::bigint[])`

// bookArrays returns the columns of entries, with what was received in all of them, as arrays.
func bookArrays(entries []tenant.BookEntry) []any {
	type account struct {
		workspace, form id.UUID
		day             time.Time
		way             tenant.Way
	}
	c := newColumns(2*len(entries), uuids, dates, texts, uuids, texts, bigints)
	add := func(a account, o tenant.BookOutcome, n int64) {
		if n == 0 {
			return
		}
		c[0].uuid(a.workspace)
		c[1].date(a.day)
		c[2].string(string(a.way))
		c[3].uuid(a.form)
		c[4].string(string(o))
		c[5].int(n)
	}
	received := make(map[account]int64, 1)
	now := time.Now()
	for i := range entries {
		e := &entries[i]
		at := e.Day
		if at.IsZero() {
			at = now
		}
		a := account{e.WorkspaceID, e.FormID, at.UTC().Truncate(24 * time.Hour), e.Way}
		add(a, e.Outcome, e.N)
		if !e.Outcome.Informs() {
			received[a] += e.N
		}
	}
	for a, n := range received {
		add(a, tenant.BookReceived, n)
	}
	return arrays(c...)
}

// bookLeads counts the leads of the CTE "input" that are in "ins" or suppressed: what says neither was counted when it
// was made, or is counted by whoever is told that the email is taken. A lead without a way is counted by its caller.
const bookLeads = `book as (
    insert into book_entries (workspace_id, day, way, form_id, outcome, n)
    select i.workspace_id, i.day, i.way, i.form_id, o.outcome, i.n
      from (select i.workspace_id, cast(i.created_at at time zone 'UTC' as date) as day, i.way,
                   coalesce(i.form_id, '00000000-0000-0000-0000-000000000000') as form_id, ins.id is null as suppressed, count(*) as n
              from input i left join ins using (workspace_id, id)
             where i.way is not null and (ins.id is not null or i.suppressed)
             group by 1, 2, 3, 4, 5) i
     cross join lateral (values ('received'), (case when i.suppressed then 'suppressed' else 'new' end)) o (outcome)
)`

// FlushBooks writes what a process counted in memory since its last flush: what left no row. Flushes of a process have
// numbers that grow by one. One that comes again, because nobody knows whether it was written, does nothing if it was.
// It looks across workspaces.
func (db *DB) FlushBooks(ctx context.Context, process id.UUID, flush int64, entries []tenant.BookEntry) error {
	const q = `
with mine as (
    insert into book_flushes (process, flush, flushed_at) values ($7, $8, now())
    on conflict (process) do update set flush = excluded.flush, flushed_at = excluded.flushed_at
     where book_flushes.flush < excluded.flush
    returning process
)
insert into book_entries (workspace_id, day, way, form_id, outcome, n)
select i.workspace_id, i.day, i.way, i.form_id, i.outcome, i.n
  from mine cross join ` + bookInput + ` as i (workspace_id, day, way, form_id, outcome, n)`
	_, err := conn.Exec(ctx, db, "flush books", q, append(bookArrays(entries), process, flush)...)
	return err
}

// FoldBooks moves up to limit entries into books, in one statement: whoever reads both, in one snapshot, finds the same
// sums before and after. Workers that fold at the same time take different entries and go through books in one order.
// It returns how many entries it moved. It looks across workspaces.
func (db *DB) FoldBooks(ctx context.Context, limit int) (folded int, err error) {
	q := `
with taken as (
    ` + deleteFirst("book_entries", "true", "", "for update skip locked") + `
    returning workspace_id, day, way, form_id, outcome, n
), added as (
    insert into books (workspace_id, day, way, form_id, outcome, n)
    select workspace_id, day, way, form_id, outcome, sum(n) from taken
     group by 1, 2, 3, 4, 5
     order by 1, 2, 3, 4, 5
    on conflict (workspace_id, day, way, form_id, outcome) do update set n = books.n + excluded.n
)
select count(*) from taken`
	return conn.One(ctx, db, "fold books", conn.Value[int], nil, q, limit)
}

// flushKept is how long it is known how far a process has flushed: longer than any process tries one flush.
const flushKept = 7 * 24 * time.Hour

// DeleteOldBooks deletes, in batches, days that are older than tenant.BooksKept, and processes that flush no more. It
// looks across workspaces.
func (db *DB) DeleteOldBooks(ctx context.Context) (deleted int, err error) {
	old := deleteFirst("books", `day < current_date - cast($1 as integer)`, "order by day")
	gone := deleteFirst("book_flushes", `flushed_at < now() - cast($1 as interval)`, "")
	deleted, err = conn.DeleteInBatches(ctx, db, "delete old books", old, tenant.BooksKept)
	if err == nil {
		_, err = conn.DeleteInBatches(ctx, db, "delete old flushes", gone, interval(flushKept))
	}
	return deleted, err
}
