package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// SubmissionQuery asks for one page of a workspace's submissions, newest first. A zero field takes all.
type SubmissionQuery struct {
	Verdicts []lead.Verdict
	Outcome  lead.Outcome
	FormID   id.UUID
	LeadID   id.UUID
	From     time.Time // at this time or later
	Until    time.Time // and before this one
	Text     string    // it is in the email, the name or a field's value, in capitals or not
	Before   id.UUID   // the end of the page before; zero: from the newest
	Limit    int       // submissions on the page
	Scan     int       // rows scanned for it at most; 0: PageScan
}

// textStep is how many submissions are read at a time while a text is looked for.
const textStep = 250

// Where the rows of a page come from, in their order. $1 workspace, $2 id before which the page begins, $3 and $4
// times, $5 rows to scan, $6 lead, $7 verdicts. Verdicts that are few have an index of their own, with their names, so
// that Postgres knows that it may use it.
var (
	submissionsInOrder = `
        select s.* from submissions s
         where s.workspace_id = $1 and s.id < $2 and s.id >= uuid_floor($3) and s.id < uuid_floor($4)
           and cast($6 as uuid) is null
         order by s.id desc limit $5`

	submissionsByVerdict = `
        select s.* from submissions s
         where s.workspace_id = (select $1::uuid) and s.verdict in ('held', 'spam')
           and s.verdict between ($7::text[])[1] and ($7::text[])[1]
           and s.id < $2 and s.id >= uuid_floor($3) and s.id < uuid_floor($4) and cast($6 as uuid) is null
         order by s.verdict desc, s.id desc limit $5`

	// One that retention has kept may still be in its week, which is not dropped yet.
	submissionsOfLead = `
        select s.* from (
            (select ` + submissionColumns + ` from submissions
              where workspace_id = (select $1::uuid) and lead_id between $6 and $6
                and id < $2 and id >= uuid_floor($3) and id < uuid_floor($4)
              order by lead_id desc, id desc limit $5)
            union all
            (select ` + submissionColumns + ` from kept_submissions k
              where workspace_id = (select $1::uuid) and lead_id between $6 and $6
                and id < $2 and id >= uuid_floor($3) and id < uuid_floor($4)
                and not exists (
                    select from submissions s
                     where s.workspace_id = ` + conn.Either("k.workspace_id", "$1") + ` and s.id between k.id and k.id order by s.id offset 0)
              order by lead_id desc, id desc limit $5)) s
         order by s.lead_id desc, s.id desc limit $5`
)

// submissionsFrom returns the rows that match, and the last one that could be scanned, whether it matches or not, until
// they are enough or large enough. It goes in the order of the rows, so that it stops where it has enough. Beyond those
// of the rows: $8 outcome, $9 form, $10 rows to return, $11 bytes.
func submissionsFrom(rows, order string) string {
	const fits = `(cast($7 as text[]) is null or s.verdict = any($7)) and ($8 = '' or s.outcome = $8)
           and (cast($9 as uuid) is null or s.form_id = $9)`
	return `
select ` + submissionColumns + `, fits, nth
  from (select s.*, sum(octet_length(cast(fields as text))) over (
                order by ` + order + ` rows between unbounded preceding and 1 preceding) as bytes
          from (select s.*, ` + fits + ` as fits
                  from (select s.*, row_number() over (order by ` + order + `) as nth from (` + rows + `) s) s
                 where s.nth = $5 or ` + fits + `
                 order by ` + order + ` limit $10) s) s
 where coalesce(bytes, 0) < $11
 order by ` + order
}

var (
	submissionsPage        = submissionsFrom(submissionsInOrder, `s.id desc`)
	submissionsVerdictPage = submissionsFrom(submissionsByVerdict, `s.verdict desc, s.id desc`)
	submissionsLeadPage    = submissionsFrom(submissionsOfLead, `s.lead_id desc, s.id desc`)
)

// FindSubmissions returns a page of a workspace's submissions and, unless it is the last one, the id that ends it. A
// page scans a bounded number of rows and has a bounded number of bytes, so it may be short or empty and yet not the
// last.
func (db *DB) FindSubmissions(ctx context.Context, workspace id.UUID, q SubmissionQuery) (found []lead.Submission,
	next id.UUID, err error) {
	step := q.Limit + 1
	if q.Text != "" {
		step = textStep
	}
	next = orNewest(q.Before)
	for rows, bytes, held := scanBudget(q.Scan), 0, 0; rows > 0 && bytes < scanBudgetBytes && held < PageBytes; {
		page, err := db.scanSubmissions(ctx, workspace, &q, next, rows, step)
		if err != nil {
			return nil, next, err
		}
		rows, next = rows-page.scanned, page.next
		for i := range page.all {
			s := &page.all[i]
			bytes += len(s.Fields)
			if q.Text != "" && !s.Contains(q.Text) {
				continue
			}
			if len(found) == q.Limit || held >= PageBytes { // one more than asked for: there is another page
				return found, found[len(found)-1].ID, nil
			}
			found, held = append(found, *s), held+len(s.Fields)
		}
		if next == (id.UUID{}) {
			break
		}
	}
	return found, next, nil
}

// submissionRows are what one statement of a page read.
type submissionRows struct {
	all     []lead.Submission
	scanned int
	next    id.UUID // where more can be read; zero: there is none
}

func (db *DB) scanSubmissions(ctx context.Context, workspace id.UUID, q *SubmissionQuery, before id.UUID,
	rows, limit int) (page submissionRows, err error) {
	from, until := idRange(q.From, q.Until)
	query := submissionsPage
	switch {
	case q.LeadID != (id.UUID{}):
		query = submissionsLeadPage
	case len(q.Verdicts) == 1 && (q.Verdicts[0] == lead.Held || q.Verdicts[0] == lead.Spam):
		query = submissionsVerdictPage
	}
	bytes, last := 0, id.UUID{}
	each := func(row conn.Row) error {
		var fits bool
		s, err := scanSubmission(row, &fits, &page.scanned)
		bytes, last = bytes+len(s.Fields), s.ID
		if fits {
			page.all = append(page.all, s)
		}
		return err
	}
	err = db.inOrderOfIndex(ctx, func(tx *sqlx.Tx) error {
		return conn.Each(ctx, tx, "list submissions", each, query, workspace, before, from, until, rows,
			optionalID(q.LeadID), verdictList(q.Verdicts), string(q.Outcome), optionalID(q.FormID), limit, PageBytes)
	})
	if page.scanned == rows || len(page.all) == limit || bytes >= PageBytes {
		page.next = last
	}
	return page, err
}

// verdictList is verdicts as a text[]; none are null, which is all.
func verdictList(verdicts []lead.Verdict) any {
	if len(verdicts) == 0 {
		return nil
	}
	texts := make([]string, len(verdicts))
	for i, v := range verdicts {
		texts[i] = string(v)
	}
	return pqStrings(&texts)
}
