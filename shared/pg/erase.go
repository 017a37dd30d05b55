package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Erasure is how a lead is erased.
type Erasure struct {
	Suppress bool                   // its email may not come back
	Note     *tenant.Audit          // its Details become what was erased; nil: it is not audited
	Check    func(*lead.Lead) error // can refuse; nil: nobody does
}

// Erased is what was erased of a lead, and what is to be done about it.
type Erased struct {
	Lead  lead.Lead // as it was
	At    time.Time
	Freed string // see Updated
	Wake  []EndpointRef

	Events     int // that told of it, and tell its id now
	Deliveries int // of those events that had not been made, and never will
	Attempts   int // at deliveries of those events, of which the receivers' answers are gone
	Answers    int // kept for an Idempotency-Key, that are gone
	Reports    int // rows of imports' reports that told of it
}

// EraseLead removes a lead, deleted before or not, and everything that tells who it was; NOT_FOUND when there is none. What stays is that there
// was something: ids, times, counts. All of it is one commit, with the audit and the lead.deleted event that says so.
//
// A delivery that a worker is sending at this moment arrives all the same. An address that Redis does not know to be free stays in releases
// until it does.
func (db *DB) EraseLead(ctx context.Context, workspace, leadID id.UUID, how Erasure) (e Erased, err error) {
	for try := 1; ; try++ {
		err = db.InTx(ctx, func(tx *sqlx.Tx) error {
			e, err = eraseLeadTx(ctx, tx, workspace, leadID, how)
			return err
		})
		if !gaveWay(err) {
			return e, err
		}
		if try == changeTries {
			return e, fault.Away(err, time.Second)
		}
		if err := pause(ctx, try); err != nil {
			return e, fault.Away(err, time.Second)
		}
	}
}

// eraseLeadTx locks whatever can make another event of the lead, the row and then its enrichment, before it looks for events.
func eraseLeadTx(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, how Erasure) (e Erased, err error) {
	l, now, err := lockLead(ctx, tx, workspace, leadID, `true`)
	if err != nil {
		return e, err
	}
	if how.Check != nil {
		if err := how.Check(&l); err != nil {
			return e, err
		}
	}
	e.Lead, e.At = l, now.UTC().Truncate(time.Millisecond)
	if l.DeletedAt == nil && l.EmailKey != tenant.FreedKey(l.Address(), l.ID) {
		e.Freed = l.EmailKey
	}
	if err := byKey(ctx, tx); err != nil {
		return e, fail(ctx, "erase lead", err)
	}
	for _, part := range []struct {
		query string
		args  []any
		count *int
	}{
		{`delete from enrichments where workspace_id = $1 and lead_id = $2`, nil, nil},
		{`delete from leads where workspace_id = $1 and id = $2`, nil, nil},
		{eraseEvents, []any{string(l.AppendErased(nil))}, &e.Events},
		{eraseDeliveries, nil, &e.Deliveries},
		{eraseAttempts, nil, &e.Attempts},
		{eraseAnswers, nil, &e.Answers},
		{eraseReports, nil, &e.Reports},
	} {
		res, err := tx.ExecContext(ctx, part.query, append([]any{workspace, leadID}, part.args...)...)
		if err != nil {
			return e, fail(ctx, "erase lead", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return e, fail(ctx, "erase lead", err)
		}
		if part.count != nil {
			*part.count = int(n)
		}
	}
	if e.Wake, err = tellErased(ctx, tx, &e, now); err != nil {
		return e, err
	}
	if note := how.Note; note != nil {
		note.Details = e.Details(how.Suppress)
		note.CreatedAt = e.At
		if err := insertAudit(ctx, tx, note); err != nil {
			return e, err
		}
	}
	if how.Suppress {
		return e, suppress(ctx, tx, workspace, l.Address())
	}
	return e, nil
}

// Details are what is told and kept of an erasure.
func (e *Erased) Details(suppressed bool) map[string]any {
	return map[string]any{"leads": 1, "events": e.Events, "deliveries": e.Deliveries, "attempts": e.Attempts, "answers": e.Answers, "reports": e.Reports, "suppressed": suppressed}
}

const eraseEvents = `update events set data = $3 where workspace_id = $1 and lead_id = $2`

// $1 is the workspace and $2 the lead. Deliveries are found by the range of ids that their event gives them, and locked in the order in which
// drains lock them.
var (
	eraseDeliveries = `
with owed as materialized (
    select o.id from (select id from events where workspace_id = $1 and lead_id = $2 order by id) v
     cross join lateral (
        select d.id from deliveries d
         where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + ` and d.state in ('` + string(hook.Pending) + `', '` + string(hook.Held) + `')
         order by d.id for update offset 0) o
)
update deliveries d set state = '` + string(hook.Cancelled) + `', next_at = null, updated_at = now()
  from owed where d.workspace_id = $1 and d.id = owed.id`

	eraseAttempts = `
update attempts a set response_head = null
  from events v
 cross join lateral (
    select d.id from deliveries d
     where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + ` offset 0) o
 where v.workspace_id = $1 and v.lead_id = $2 and a.workspace_id = $1 and a.delivery_id = o.id and a.response_head is not null`
)

// tellErased writes the last event of a lead and the release of its email.
func tellErased(ctx context.Context, tx *sqlx.Tx, e *Erased, now time.Time) ([]EndpointRef, error) {
	const q = `
with freed as (
    insert into releases (workspace_id, email_key, lead_id, created_at) select $1, $3, $2, now() where $3 <> '' on conflict do nothing
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at) values ($1, $4, '` + hook.LeadDeleted + `', $2, $5, $6, $7)
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut + `
select workspace_id, endpoint_id from awake`
	l := &e.Lead
	rows, err := tx.QueryContext(ctx, q, l.WorkspaceID, l.ID, e.Freed, id.New(), optionalID(l.ChatbotID), string(l.AppendDeleted(nil, e.At, true)), now)
	if err != nil {
		return nil, fail(ctx, "tell of erased lead", err)
	}
	wake, err := scanRefs(rows)
	return wake, fail(ctx, "tell of erased lead", err)
}

// eraseAnswers empties kept answers that tell of a lead. A request that made it and was never answered counts as answered: it is not to be made again.
const eraseAnswers = `
update idempotency set body = null, headers = null, status = coalesce(status, 201)
 where workspace_id = $1 and (id = $2 and (body is not null or status is null) or leads @> array[$2::uuid] and body is not null)`

// eraseReports empties rows of imports' reports. One that is being written waits for the lead's lock, and finds the lead gone.
const (
	eraseReports = `update import_errors set value = null, message = '` + erasedReport + `', lead_id = null where workspace_id = $1 and lead_id = $2`
	erasedReport = `The lead that had this email was erased`
)
