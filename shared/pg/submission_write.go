package pg

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// submitLeads keeps the submissions of the leads of the CTE "input" that are in "ins" or suppressed. Of a suppressed
// one nothing of the person is kept. submissionArrays begin with the parameter $20.
var submitLeads = `came as (
    select * from ` + submissionInputAt(20) + ` as i (` + submissionColumns + `)
), sub as (
    insert into submissions (` + submissionColumns + `)
    select s.* from came s join ins on ins.workspace_id = s.workspace_id and ins.id = s.lead_id
    union all
    select ` + suppressedColumns + `
      from came s join input i on i.workspace_id = s.workspace_id and i.id = s.lead_id
     where i.suppressed
    on conflict (workspace_id, id) do nothing
)`

// submissionInputAt is submissionInput whose first parameter has the number first.
func submissionInputAt(first int) string {
	var b strings.Builder
	for part := range strings.SplitSeq(submissionInput, "$") {
		digits := 0
		for digits < len(part) && part[digits] >= '0' && part[digits] <= '9' {
			digits++
		}
		if digits > 0 {
			n, _ := strconv.Atoi(part[:digits])
			b.WriteString("$" + strconv.Itoa(first+n-1))
		}
		b.WriteString(part[digits:])
	}
	return b.String()
}

// submissionsOf returns the submissions that leads come by, as submitLeads wants them.
func submissionsOf(leads []NewLead) (all []lead.Submission) {
	for i := range leads {
		if l := &leads[i]; l.Submission != nil {
			s := *l.Submission
			s.LeadID, s.Outcome, s.CreatedAt = l.ID, lead.OutcomeNew, l.CreatedAt // the day that books count it on
			all = append(all, s)
		}
	}
	return all
}

// bookOutcome is how books count a submission.
func bookOutcome(o lead.Outcome) tenant.BookOutcome {
	switch o {
	case lead.OutcomeIgnored:
		return tenant.RefusedDuplicate.Outcome()
	case lead.OutcomeAppended:
		return tenant.BookAppended
	case lead.OutcomeUpdated:
		return tenant.BookUpdated
	case lead.OutcomeSuppressed:
		return tenant.BookSuppressed
	case lead.OutcomeHeld:
		return tenant.BookHeld
	}
	return tenant.BookNew
}

// AppendSubmission keeps a submission with the lead that has its email, which change fills in or, where the outcome is
// updated, changes. The lead, lead.updated where change altered it, the submission, its place in books and, where the
// outcome is appended, lead.submitted are one commit. NOT_FOUND: there is no such lead, change says that it has another
// email, or that may not come back: no lead is to be found by it.
func (db *DB) AppendSubmission(ctx context.Context, s lead.Submission, change func(*lead.Lead) error) (u Updated,
	err error) {
	a := updating(change)
	a.after = func(ctx context.Context, tx *sqlx.Tx, u *Updated, now time.Time) error {
		return keepSubmission(ctx, tx, u, s, now)
	}
	return db.alterLead(ctx, s.WorkspaceID, s.LeadID, a)
}

// keepSubmission writes a submission of the lead u that is locked, its place in books, and the event that tells of it.
// It adds the endpoints that got deliveries to u.
func keepSubmission(ctx context.Context, tx *sqlx.Tx, u *Updated, s lead.Submission, now time.Time) error {
	// $20 event; null: there is none, $21 its type, $22 chatbot, $23 data, $24 when it happened, $25 outcome for books
	// and $26 lead.SuppressionHash
	var q = `
with came as (
    select * from ` + submissionInput + ` as i (` + submissionColumns + `)
), sub as (
    insert into submissions (` + submissionColumns + `) select * from came on conflict (workspace_id, id) do nothing
    returning workspace_id, lead_id, form_id, created_at
), book as (
    insert into book_entries (workspace_id, day, way, form_id, outcome, n)
    select workspace_id, cast(created_at at time zone 'UTC' as date), '` + string(tenant.WayForm) + `', form_id, o.outcome, 1
      from sub cross join (values ('` + string(tenant.BookReceived) + `'), (cast($25 as text))) o (outcome)
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at)
    select workspace_id, cast($20 as uuid), $21, lead_id, cast($22 as uuid), cast($23 as json), cast($24 as timestamptz)
      from sub where cast($20 as uuid) is not null
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut + `
select workspace_id, endpoint_id from endpoints_to_wake
union all
select i.workspace_id, null
  from (select workspace_id, cast($26 as bytea) as email_hash from came) i
 cross join lateral (
    select from suppressions s
     where s.workspace_id = i.workspace_id and s.email_hash between i.email_hash and i.email_hash
     order by s.email_hash limit 1) s`
	l := &u.Lead
	s.LeadID = l.ID
	args, err := submissionArrays([]lead.Submission{s})
	if err != nil {
		return err
	}
	event, data := id.UUID{}, []byte("{}")
	if s.Outcome == lead.OutcomeAppended {
		event, data = id.New(), l.AppendSubmitted(nil, &s)
	}
	if now.Before(l.UpdatedAt) {
		now = l.UpdatedAt
	}
	args = append(args, optionalID(event), webhook.LeadSubmitted, optionalID(l.ChatbotID), string(data), now,
		string(bookOutcome(s.Outcome)), lead.SuppressionHash(s.WorkspaceID, s.EmailKey))
	wake, err := conn.Collect(ctx, tx, "keep submission", func(row conn.Row) (r EndpointRef, err error) {
		var endpoint *id.UUID
		if err = row.Scan(&r.Workspace, &endpoint); err != nil {
			return r, err
		}
		if endpoint == nil { // it is suppressed
			return r, lead.NotFoundError()
		}
		r.Endpoint = *endpoint
		return r, nil
	}, q, args...)
	u.addWake(wake)
	return err
}

// addWake adds endpoints that got deliveries.
func (u *Updated) addWake(wake []EndpointRef) {
	for _, w := range wake {
		if !slices.Contains(u.Wake, w) {
			u.Wake = append(u.Wake, w)
		}
	}
}
