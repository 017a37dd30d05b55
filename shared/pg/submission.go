package pg

import (
	"context"
	"database/sql"
	"encoding/json"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// InsertSubmissions writes submissions that change no lead, held and ignored ones, and counts them in books. Those
// whose address may not come back get the outcome suppressed, also in all, and nothing of the person is kept of them.
// One that is there already, because a request came again, stays as it is. Rows go in one order, so that concurrent
// batches cannot deadlock.
func (db *DB) InsertSubmissions(ctx context.Context, all []lead.Submission) error {
	outcomes, err := splitBatch(ctx, db, all, func(s *lead.Submission) id.UUID { return s.WorkspaceID },
		func(part []lead.Submission) ([]lead.Outcome, error) { return db.insertSubmissions(ctx, part) })
	for i := range outcomes {
		all[i].Outcome = outcomes[i]
	}
	return err
}

// insertSubmissions returns the outcomes.
func (db *DB) insertSubmissions(ctx context.Context, all []lead.Submission) ([]lead.Outcome, error) {
	args, err := submissionArrays(all)
	if err != nil {
		return nil, err
	}
	hashes := newColumn(byteas, len(all))
	for i := range all {
		hashes.bytes(lead.SuppressionHash(all[i].WorkspaceID, all[i].EmailKey))
	}
	args = append(args, hashes.done())
	suppressed := map[id.UUID]bool{}
	err = db.withPartitions(ctx, func() error {
		clear(suppressed)
		return conn.Each(ctx, db.Prepared(), "insert submissions", func(row conn.Row) error {
			var which id.UUID
			err := row.Scan(&which)
			suppressed[which] = true
			return err
		}, insertSubmissions, args...)
	})
	if err != nil {
		return nil, err
	}
	outcomes := make([]lead.Outcome, len(all))
	for i := range all {
		if outcomes[i] = all[i].Outcome; suppressed[all[i].ID] {
			outcomes[i] = lead.OutcomeSuppressed
		}
	}
	return outcomes, nil
}

// insertSubmissions has submissionArrays and lead.SuppressionHash of each.
var insertSubmissions = `
with ` + barredOnCitus("$20") + `came as materialized (
    select i.*, ` + suppressedNow + ` as suppressed
      from unnest(` + submissionParams + `, $20::bytea[]) as i (` + submissionColumns + `, email_hash)
), sub as (
    insert into submissions (` + submissionColumns + `)
    select ` + submissionColumns + ` from came where suppressed is null
    union all
    select ` + suppressedColumns + ` from came s where suppressed
     order by workspace_id, id
    on conflict (workspace_id, id) do nothing
    returning workspace_id, form_id, created_at, outcome
), book as (
    insert into book_entries (workspace_id, day, way, form_id, outcome, n)
    select s.workspace_id, s.day, '` + string(tenant.WayForm) + `', s.form_id, o.outcome, s.n
      from (select workspace_id, form_id, cast(created_at at time zone 'UTC' as date) as day, outcome, count(*) as n
              from sub group by 1, 2, 3, 4) s
     cross join lateral (values ('` + string(tenant.BookReceived) + `'),
           (case s.outcome when '` + string(lead.OutcomeIgnored) + `' then '` + string(tenant.RefusedDuplicate.Outcome()) + `' else s.outcome end)) o (outcome)
)
select id from came where suppressed`

// submissionColumns are the columns of a submission, for submissionArrays and scanSubmission.
const submissionColumns = `workspace_id, id, form_id, lead_id, outcome, verdict, points, reasons, email, email_key, name, fields,
       page, referrer, campaign, user_agent, address_hash, created_at, decided_at`

// submissionInput has a row for each submission of submissionArrays.
const submissionInput = `unnest(` + submissionParams + `)`

const submissionParams = `$1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::integer[], $8::json[],
       $9::text[], $10::text[], $11::text[], $12::json[], $13::text[], $14::text[], $15::json[], $16::text[], $17::bytea[],
       $18::timestamptz[], $19::timestamptz[]`

// submissionArrayCount is how many arrays submissionArrays returns.
const submissionArrayCount = 19

// suppressedColumns are submissionColumns of a submission s whose address may not come back: nothing of the person.
const suppressedColumns = `s.workspace_id, s.id, s.form_id, null, '` + string(lead.OutcomeSuppressed) + `', s.verdict, s.points, s.reasons, null, null,
       null, null, null, null, null, null, null, s.created_at, s.decided_at`

// submissionArrays returns the columns of submissions as arrays.
func submissionArrays(all []lead.Submission) ([]any, error) {
	c := newColumns(len(all), uuids, uuids, uuids, uuids, texts, texts, ints, jsons, texts, texts, texts, payloads, texts, texts, jsons,
		texts, byteas, times, times)
	for i := range all {
		s := &all[i]
		reasons, err := json.Marshal(s.Reasons)
		if err != nil {
			return nil, err
		}
		if len(s.Reasons) == 0 {
			reasons = []byte("[]")
		}
		campaign, err := json.Marshal(s.Campaign)
		if err != nil {
			return nil, err
		}
		c[0].uuid(s.WorkspaceID)
		c[1].uuid(s.ID)
		c[2].uuid(s.FormID)
		c[3].optionalUUID(s.LeadID)
		c[4].string(string(s.Outcome))
		c[5].string(string(s.Verdict))
		c[6].int(int64(s.Points))
		c[7].bytes(reasons)
		c[8].optionalString(s.Email)
		c[9].optionalString(s.EmailKey)
		c[10].optionalString(s.Name)
		c[11].optionalString(string(s.Fields))
		c[12].optionalString(s.Page)
		c[13].optionalString(s.Referrer)
		if len(s.Campaign) == 0 {
			c[14].null()
		} else {
			c[14].bytes(campaign)
		}
		c[15].optionalString(s.UserAgent)
		if s.AddressHash == nil {
			c[16].null()
		} else {
			c[16].bytes(s.AddressHash)
		}
		c[17].time(s.CreatedAt)
		if s.DecidedAt.IsZero() {
			c[18].null()
		} else {
			c[18].time(s.DecidedAt)
		}
	}
	return arrays(c...), nil
}

// scanSubmission reads a row of submissionColumns, and more after them.
func scanSubmission(row conn.Row, more ...any) (s lead.Submission, err error) {
	var leadID *id.UUID
	var email, key, name, page, referrer, agent sql.NullString
	var reasons, fields, campaign []byte
	var decided sql.NullTime
	err = row.Scan(append([]any{&s.WorkspaceID, &s.ID, &s.FormID, &leadID, &s.Outcome, &s.Verdict, &s.Points, &reasons, &email, &key, &name,
		&fields, &page, &referrer, &campaign, &agent, &s.AddressHash, &s.CreatedAt, &decided}, more...)...)
	if err != nil {
		return s, err
	}
	if leadID != nil {
		s.LeadID = *leadID
	}
	s.Email, s.EmailKey, s.Name = email.String, key.String, name.String
	s.Page, s.Referrer, s.UserAgent, s.DecidedAt, s.Fields = page.String, referrer.String, agent.String, decided.Time, fields
	if string(reasons) != "[]" {
		err = json.Unmarshal(reasons, &s.Reasons)
	}
	if err == nil && campaign != nil {
		err = json.Unmarshal(campaign, &s.Campaign)
	}
	return s, err
}

// GetSubmission returns a submission of a workspace, also one that retention has kept; NOT_FOUND when there is none.
func (db *DB) GetSubmission(ctx context.Context, workspace, submission id.UUID) (lead.Submission, error) {
	const q = `
(select ` + submissionColumns + ` from submissions
  where workspace_id = (select $1::uuid) and id between $2 and $2
  order by id limit 1)
union all
(select ` + submissionColumns + ` from kept_submissions
  where workspace_id = (select $1::uuid) and id between $2 and $2
  order by id limit 1)
limit 1`
	scan := func(row conn.Row) (lead.Submission, error) { return scanSubmission(row) }
	return conn.One(ctx, db, "get submission", scan, lead.SubmissionNotFoundError(), q, workspace, submission)
}
