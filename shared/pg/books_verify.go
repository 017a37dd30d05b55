package pg

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// maxVerified is how many submissions are counted against books at a time.
const maxVerified = 250_000

// VerifyQuery asks for the days from one to before another.
type VerifyQuery struct {
	From, Until time.Time
	FormID      id.UUID // zero: all
	Scan        int     // submissions counted at most; 0: 250,000
}

// VerifiedBook is a day of a form: how many submissions its books say were kept, and how many are.
type VerifiedBook struct {
	Day           time.Time
	FormID        id.UUID
	Counted, Kept int64
}

// VerifyBooks counts the submissions of days against the books, in one snapshot: newest day first. VALIDATION_ERROR of
// "from" where they are more than may be counted, of whatever form.
func (db *DB) VerifyBooks(ctx context.Context, workspace id.UUID, v VerifyQuery) (all []VerifiedBook, err error) {
	// $1 workspace, $2 and $3 days, $4 form, $5 rows. Ids are as old as the request, and rows as their lead, which may be
	// of the next day.
	const q = `
with kept as materialized (
    select day, form_id, count(*) as n
      from (select cast(created_at at time zone 'UTC' as date) as day, form_id from submissions
             where workspace_id = $1 and id < uuid_floor(cast($3::date as timestamp) at time zone 'UTC')
               and id >= uuid_floor((cast($2::date as timestamp) - interval '1 minute') at time zone 'UTC')
             order by id limit $5) s
     group by 1, 2
), counted as (
    select day, form_id, sum(case outcome when '` + string(tenant.BookHeldNotKept) + `' then -n else n end) as n
      from (select day, form_id, outcome, n from books
             where workspace_id = $1 and day >= $2::date and day < $3::date and way = '` + string(tenant.WayForm) + `'
             union all
            select day, form_id, outcome, n from book_entries
             where workspace_id = $1 and day >= $2::date and day < $3::date and way = '` + string(tenant.WayForm) + `') b
     where outcome in ('` + string(tenant.BookNew) + `', '` + string(tenant.BookAppended) + `', '` + string(tenant.BookUpdated) + `', '` + string(tenant.BookHeld) + `',
                       '` + string(tenant.BookSuppressed) + `', 'refused:` + string(tenant.RefusedDuplicate) + `', '` + string(tenant.BookHeldNotKept) + `')
     group by 1, 2
)
select t.looked, b.day, b.form_id, b.counted, b.kept
  from (select cast(coalesce(sum(n), 0) as bigint) as looked from kept) t
  left join (
        select day, form_id, cast(coalesce(c.n, 0) as bigint) as counted, coalesce(k.n, 0) as kept
          from counted c full join kept k using (day, form_id)
         where day >= $2::date and day < $3::date and (cast($4 as uuid) is null or form_id = $4)) b on true
 order by day desc, form_id
 limit $6`
	from, most := v.From.Format(time.DateOnly), cmp.Or(v.Scan, maxVerified)
	var looked int
	each := func(row conn.Row) error {
		var day *time.Time // null: there is nothing
		var form *id.UUID
		var counted, kept *int64
		err := row.Scan(&looked, &day, &form, &counted, &kept)
		if err == nil && day != nil {
			all = append(all, VerifiedBook{day.UTC(), *form, *counted, *kept})
		}
		return err
	}
	err = db.inOrderOfIndex(ctx, func(tx *sqlx.Tx) error {
		return conn.Each(ctx, tx, "verify books", each, q, workspace, from, v.Until.Format(time.DateOnly),
			optionalID(v.FormID), most+1, maxBookRows+1)
	})
	if err == nil && (looked > most || len(all) > maxBookRows) {
		return nil, fault.InvalidField("from", from, fmt.Sprintf(
			"Must be nearer to until: to verify books at most %d submissions are counted, and these days have more", most))
	}
	return all, err
}
