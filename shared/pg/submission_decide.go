package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// Release is what becomes of a submission that its owner believes to be a person's.
type Release struct {
	New     NewLead                // the lead that it makes where no other has the email; books counted it as held
	Outcome lead.Outcome           // where another lead has the email
	Change  func(*lead.Lead) error // of that lead; NOT_FOUND: it has the email no longer
	Audit   *tenant.AuditEntry     // its details are filled in; nil: there is none
}

// Released is what became of a Release.
type Released struct {
	Done    bool     // false: there was nothing to do
	New     Inserted // of the one lead
	Updated Updated  // the lead that has the email, where that was another
}

// ReleaseSubmission makes the lead of a submission, or keeps it with the lead that has its email, as release says,
// which gets the submission as it is and may be called again; nil: there is nothing to do. The lead, its events, the
// verdict and its audit entry are one commit. EMAIL_SUPPRESSED or PHONE_SUPPRESSED: the address may not come back.
// CONFLICT: a lead of the address is being erased.
func (db *DB) ReleaseSubmission(ctx context.Context, workspace, submission id.UUID,
	release func(lead.Submission) (*Release, error)) (out Released, err error) {
	stmts, err := db.Prepare(ctx, insertFor(ctx), selectDurableHolders)
	if err != nil {
		return out, err
	}
	err = conn.Retry(ctx, func() error {
		out = Released{}
		s, err := db.GetSubmission(ctx, workspace, submission)
		if err != nil {
			return err
		}
		r, err := release(s)
		if err != nil || r == nil {
			return err
		}
		return db.withPartitions(ctx, func() error {
			return db.InTx(ctx, func(tx *sqlx.Tx) (err error) {
				out, err = releaseTx(ctx, tx, stmts.In(tx), s, r)
				return err
			})
		})
	})
	return out, err
}

// releaseTx has the lead before it changes the submission, as erasures do.
func releaseTx(ctx context.Context, tx *sqlx.Tx, prepared conn.Queryer, s lead.Submission, r *Release) (
	out Released, err error) {
	out.Done, r.New.Trace = true, trace.From(ctx)
	if out.New, err = runInsertLeads(ctx, prepared, []NewLead{r.New}, insertWaits{}); err != nil {
		return out, err
	}
	if err = checkAddressErasing(ctx, tx, s); err != nil {
		return out, err
	}
	done := out.New.Leads[0]
	if !done.Taken && !done.Suppressed {
		return out, decide(ctx, tx, s, decision{lead.Released, lead.OutcomeNew, r.New.ID}, r.Audit)
	}
	if done.Suppressed {
		return out, lead.SuppressedError(&r.New.Lead)
	}
	a := updating(r.Change)
	a.after = func(ctx context.Context, tx *sqlx.Tx, u *Updated, now time.Time) error {
		err := decide(ctx, tx, s, decision{lead.Released, r.Outcome, u.Lead.ID}, r.Audit)
		if err != nil || r.Outcome != lead.OutcomeAppended {
			return err
		}
		s.Verdict = lead.Released
		return emitSubmission(ctx, tx, u, webhook.LeadSubmitted, &s, now)
	}
	out.Updated, err = alterLeadTx(ctx, tx, r.New.WorkspaceID, done.Holder, a)
	if fault.Is(err, fault.NotFound) {
		err = fmt.Errorf("the lead that had the email: %w", conn.ErrRetry)
	}
	return out, err
}

// MarkSpam marks a submission as spam and returns it. Where it has a lead that is not deleted, lead.marked_spam is in
// the commit, and so is the audit entry, whose details are filled in. A submission that is marked already stays as it
// is.
func (db *DB) MarkSpam(ctx context.Context, workspace, submission id.UUID, audit *tenant.AuditEntry) (s lead.Submission,
	u Updated, err error) {
	err = conn.Retry(ctx, func() error {
		if s, err = db.GetSubmission(ctx, workspace, submission); err != nil || s.Verdict == lead.Spam {
			u = Updated{}
			return err
		}
		return db.withPartitions(ctx, func() error {
			return db.InTx(ctx, func(tx *sqlx.Tx) (err error) {
				u, err = markSpamTx(ctx, tx, s, audit)
				return err
			})
		})
	})
	if err == nil && s.Verdict != lead.Spam {
		s, err = db.GetSubmission(ctx, workspace, submission)
	}
	return s, u, err
}

func markSpamTx(ctx context.Context, tx *sqlx.Tx, s lead.Submission, audit *tenant.AuditEntry) (u Updated, err error) {
	spam := decision{lead.Spam, s.Outcome, s.LeadID}
	if s.LeadID != (id.UUID{}) {
		l, now, err := lockLead(ctx, tx, s.WorkspaceID, s.LeadID, liveLead)
		if err == nil {
			u.Lead, u.Former = l, l
			if err = decide(ctx, tx, s, spam, audit); err != nil {
				return u, err
			}
			s.Verdict = lead.Spam
			return u, emitSubmission(ctx, tx, &u, webhook.LeadMarkedSpam, &s, now)
		}
		if !fault.Is(err, fault.NotFound) {
			return u, err
		}
	}
	return u, decide(ctx, tx, s, spam, audit)
}

var errDecided = errors.New("the submission was decided or deleted")

// decision is what becomes of a submission by what its owner decided.
type decision struct {
	verdict lead.Verdict
	outcome lead.Outcome
	lead    id.UUID // zero: it has none
}

// decide writes a decision about a submission, and its audit entry; nil: there is none. It is conn.ErrRetry when s is
// not as it was read.
func decide(ctx context.Context, tx *sqlx.Tx, s lead.Submission, d decision, audit *tenant.AuditEntry) error {
	const q = `
with sub as (
    update submissions set verdict = $3, outcome = $4, lead_id = $5, decided_at = now()
     where workspace_id = (select $1::uuid) and id between $2 and $2 and verdict = $6 and lead_id is not distinct from $7
    returning id
), kept as (
    update kept_submissions set verdict = $3, outcome = $4, lead_id = $5, decided_at = now()
     where workspace_id = (select $1::uuid) and id between $2 and $2 and verdict = $6 and lead_id is not distinct from $7
    returning id
)
select exists (select from sub) or exists (select from kept)`
	done, err := conn.One(ctx, tx, "decide submission", conn.Value[bool], nil, q, s.WorkspaceID, s.ID, string(d.verdict),
		string(d.outcome), optionalID(d.lead), string(s.Verdict), optionalID(s.LeadID))
	if err == nil && !done {
		err = fmt.Errorf("%w: %w", errDecided, conn.ErrRetry)
	}
	if err != nil || audit == nil {
		return err
	}
	audit.Details = map[string]any{"formerVerdict": string(s.Verdict), "outcome": string(d.outcome)}
	if d.lead != (id.UUID{}) {
		audit.Details["leadId"] = id.Lead.Format(d.lead)
	}
	return insertAudit(ctx, tx, audit)
}

// emitSubmission writes an event that tells of a submission of the lead u that is locked, and its deliveries.
func emitSubmission(ctx context.Context, tx *sqlx.Tx, u *Updated, event string, s *lead.Submission, now time.Time) error {
	q := `
with ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at, trace)
    values ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''))
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut("$1") + `
select workspace_id, endpoint_id from endpoints_to_wake`
	l := &u.Lead
	if now.Before(l.UpdatedAt) {
		now = l.UpdatedAt
	}
	wake, err := conn.Collect(ctx, tx, "emit submission", scanRef, q, l.WorkspaceID, id.New(), event, l.ID,
		optionalID(l.ChatbotID), string(l.AppendSubmitted(nil, s)), now, trace.From(ctx).Text())
	u.addWake(wake)
	return err
}
