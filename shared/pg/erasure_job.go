package pg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
)

// handOver makes a job of what is left of an erasure. The lead is deleted at once. Where there is a job for it already,
// that goes on for both.
func (e *erasing) handOver(ctx context.Context, tx *sqlx.Tx) (more bool, err error) {
	const q = `
insert into erasures (workspace_id, id, lead_id, key_id, suppressed, events, deliveries, attempts, created_at, trace)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, ''))
on conflict (workspace_id, lead_id) do update
   set suppressed = erasures.suppressed or excluded.suppressed, events = erasures.events + excluded.events,
       deliveries = erasures.deliveries + excluded.deliveries, attempts = erasures.attempts + excluded.attempts
returning id`
	l, now, err := e.lock(ctx, tx)
	if err != nil {
		return false, err
	}
	if e.At = now; l.DeletedAt == nil {
		u, err := alterLeadTx(ctx, tx, e.workspace, e.lead, deletion(func(*lead.Lead) error { return nil }))
		if err != nil {
			return false, err
		}
		e.Wake, e.ReleasedKey = u.Wake, u.ReleasedKey
	}
	e.Running, err = conn.One(ctx, tx, "hand erasure over", conn.Value[id.UUID], nil, q, e.workspace, e.Note.ID, e.lead,
		optionalID(e.Note.KeyID), e.Suppress, e.Events, e.Deliveries, e.Attempts, e.Note.CreatedAt,
		trace.From(ctx).Text())
	return false, err
}

// checkAddressErasing is a CONFLICT when a lead with the address of a submission is being erased as a job, which will
// delete the submission. Whoever wants to make a lead of it has the email before: the job is there before the email is
// free.
func checkAddressErasing(ctx context.Context, tx *sqlx.Tx, s lead.Submission) error {
	const q = `
select exists (
    select from erasures e
     cross join lateral (
        select email_key from leads where workspace_id = (select $1::uuid) and id between e.lead_id and e.lead_id order by id limit 1) l
     where e.workspace_id = $1 and starts_with(l.email_key, $2))`
	erasing, err := conn.One(ctx, tx, "look up erasures", conn.Value[bool], nil, q, s.WorkspaceID,
		tenant.FreedKeys(s.EmailKey))
	if err == nil && erasing {
		err = lead.ErasingError()
	}
	return err
}

// progress adds to the job what a step of it erased, and counts anew.
func (e *erasing) progress(ctx context.Context, tx *sqlx.Tx) error {
	const q = `
update erasures set events = events + $3, deliveries = deliveries + $4, attempts = attempts + $5
 where workspace_id = $1 and lead_id = $2`
	_, err := conn.Exec(ctx, tx, "count erasure", q, e.workspace, e.lead, e.Events, e.Deliveries, e.Attempts)
	e.Events, e.Deliveries, e.Attempts = 0, 0, 0
	return err
}

// endJob writes the receipt of the job that there is for a lead, if there is one, whoever has erased the rest.
func (e *erasing) endJob(ctx context.Context, tx *sqlx.Tx) error {
	const q = `
delete from erasures where workspace_id = $1 and lead_id = $2
returning id, key_id, suppressed, events, deliveries, attempts`
	done := e.Erased
	note := &tenant.AuditEntry{WorkspaceID: e.workspace, Action: tenant.LeadErased, Target: id.Lead.Format(e.lead),
		CreatedAt: e.At}
	_, there, err := conn.Find(ctx, tx, "end erasure", func(row conn.Row) (_ struct{}, err error) {
		var key uuid.NullUUID
		var suppressed bool
		var events, deliveries, attempts int
		err = row.Scan(&note.ID, &key, &suppressed, &events, &deliveries, &attempts)
		done.Events, done.Deliveries, done.Attempts = done.Events+events, done.Deliveries+deliveries, done.Attempts+attempts
		note.KeyID, note.Details = key.UUID, done.Details(suppressed)
		return struct{}{}, err
	}, q, e.workspace, e.lead)
	if err != nil || !there {
		return err
	}
	return insertAudit(ctx, tx, note)
}

// EndErasure ends the job of a lead that was erased without it, by a version that knew of no jobs.
func (db *DB) EndErasure(ctx context.Context, l LeadRef) error {
	e := erasing{workspace: l.Workspace, lead: l.Lead}
	e.At = time.Now()
	return db.InTx(ctx, func(tx *sqlx.Tx) error { return e.endJob(ctx, tx) })
}

// ErasureJob is a lead that is being erased as a job.
type ErasureJob struct {
	LeadRef
	Trace string // of the request that asked for it, as it is kept; "": nobody follows that
}

// RunningErasures returns up to limit leads that are being erased as jobs, in any order, so that those that fail keep
// no others waiting. It looks across workspaces.
func (db *DB) RunningErasures(ctx context.Context, limit int) ([]ErasureJob, error) {
	const q = `select workspace_id, lead_id, coalesce(trace, '') from erasures order by random() limit $1`
	return conn.Collect(ctx, db, "running erasures", func(row conn.Row) (j ErasureJob, err error) {
		err = row.Scan(&j.Workspace, &j.Lead, &j.Trace)
		return j, err
	}, q, limit)
}

// endErasing ends the span of a job's work.
func endErasing(span *trace.Span, j *ErasureJob, err error) {
	if !span.Recording() {
		return
	}
	span.Add(trace.String(trace.WorkspaceID, id.Workspace.Format(j.Workspace)),
		trace.String(trace.LeadID, id.Lead.Format(j.Lead)))
	failure := ""
	if err != nil {
		failure = "store"
	}
	span.End(failure)
}

// ErasureReceipt is what an erasure came to: its audit entry, or what that will be, with what was erased so far.
type ErasureReceipt struct {
	tenant.AuditEntry
	Running bool
}

// GetErasure returns the receipt of an erasure.
func (db *DB) GetErasure(ctx context.Context, workspace, receipt id.UUID) (ErasureReceipt, error) {
	const q = `
select false, target, null::uuid, details, created_at from audit
 where workspace_id = $1 and id = $2 and action = '` + tenant.LeadErased + `'
union all
select true, '', lead_id,
       json_build_object('events', events, 'deliveries', deliveries, 'attempts', attempts, 'suppressed', suppressed), created_at
  from erasures
 where workspace_id = $1 and id = $2`
	scan := func(row conn.Row) (r ErasureReceipt, err error) {
		var of uuid.NullUUID
		var details []byte
		r.WorkspaceID, r.ID = workspace, receipt
		if err = row.Scan(&r.Running, &r.Target, &of, &details, &r.CreatedAt); err == nil {
			err = json.Unmarshal(details, &r.Details)
		}
		if r.Running {
			r.Target = id.Lead.Format(of.UUID)
		}
		return r, err
	}
	return conn.One(ctx, db, "get erasure", scan, fault.New(fault.NotFound, "Receipt not found"), q, workspace, receipt)
}
