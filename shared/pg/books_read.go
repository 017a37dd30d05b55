package pg

import (
	"context"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// maxBookRows is how many counts ReadBooks returns at most.
const maxBookRows = 20_000

// ReadBooks returns what the books of a workspace say of the days from one to before another, and of one form unless
// that is zero: newest day first, the counts of a way and form together. What is folded and what is not yet are read in
// one snapshot. VALIDATION_ERROR of "from" where that is too much.
func (db *DB) ReadBooks(ctx context.Context, workspace id.UUID, from, until time.Time, form id.UUID) (
	[]tenant.BookEntry, error) {
	const q = `
select day, way, form_id, outcome, cast(sum(n) as bigint)
  from (select day, way, form_id, outcome, n from books
         where workspace_id = $1 and day >= $2::date and day < $3::date
         union all
        select day, way, form_id, outcome, n from book_entries
         where workspace_id = $1 and day >= $2::date and day < $3::date) b
 where cast($4 as uuid) is null or form_id = $4
 group by 1, 2, 3, 4
 order by day desc, way, form_id, outcome
 limit $5`
	scan := func(row conn.Row) (e tenant.BookEntry, err error) {
		err = row.Scan(&e.Day, &e.Way, &e.FormID, &e.Outcome, &e.N)
		e.WorkspaceID, e.Day = workspace, e.Day.UTC()
		return e, err
	}
	all, err := conn.Collect(ctx, db, "read books", scan, q, workspace, from.Format(time.DateOnly),
		until.Format(time.DateOnly), optionalID(form), maxBookRows+1)
	if err == nil && len(all) > maxBookRows {
		return nil, fault.InvalidField("from", from.Format(time.DateOnly),
			"Must be nearer to until: these days have more lines than one answer shows; or ask for one form")
	}
	return all, err
}

// ReadUsage returns the days of a workspace from one day to before another, newest first, without those that have no
// requests: what its books say, and what versions without books counted.
func (db *DB) ReadUsage(ctx context.Context, workspace id.UUID, from, until time.Time) ([]tenant.Usage, error) {
	const q = `
select day, cast(sum(n) filter (where outcome = 'new') as bigint),
       cast(sum(n) filter (where outcome in ('updated', 'refused:duplicate')) as bigint),
       cast(sum(n) filter (where outcome like 'refused:%' and outcome <> 'refused:duplicate') as bigint),
       cast(sum(n) filter (where outcome = 'limited') as bigint),
       cast(sum(n) filter (where outcome = 'held') as bigint),
       cast(sum(n) filter (where outcome = 'suppressed') as bigint),
       cast(sum(n) filter (where outcome = 'appended') as bigint)
  from (select day, outcome, n from books
         where workspace_id = $1 and day >= $2::date and day < $3::date
         union all
        select day, outcome, n from book_entries
         where workspace_id = $1 and day >= $2::date and day < $3::date
         union all
        select u.day, o.outcome, o.n
          from usage u
         cross join lateral (values ('new', u.accepted), ('refused:duplicate', u.duplicates), ('refused:', u.rejected),
               ('limited', u.limited)) o (outcome, n)
         where u.workspace_id = $1 and u.day >= $2::date and u.day < $3::date) b
 group by day
 order by day desc
 limit $4`
	scan := func(row conn.Row) (u tenant.Usage, err error) {
		counts := [7]*int64{}
		err = row.Scan(&u.Day, &counts[0], &counts[1], &counts[2], &counts[3], &counts[4], &counts[5], &counts[6])
		u.WorkspaceID, u.Day = workspace, u.Day.UTC()
		for i, to := range [7]*int64{&u.Accepted, &u.Duplicates, &u.Rejected, &u.Limited, &u.Held, &u.Suppressed, &u.Appended} {
			if counts[i] != nil {
				*to = *counts[i]
			}
		}
		return u, err
	}
	return conn.Collect(ctx, db, "read usage", scan, q,
		workspace, from.Format(time.DateOnly), until.Format(time.DateOnly), maxPage)
}
