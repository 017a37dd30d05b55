package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Erasure is how a lead is erased.
type Erasure struct {
	Suppress bool                   // its email may not come back
	Note     *tenant.AuditEntry     // its Details become what was erased; nil: it is not audited
	Check    func(*lead.Lead) error // can refuse; nil: nobody does
	Old      bool                   // only if it was deleted so long ago that it cannot be restored, or else it is NOT_FOUND
}

// Erased is what was erased of a lead, and what is to be done about it.
type Erased struct {
	Lead        lead.Lead // as it was
	At          time.Time
	ReleasedKey string // see Updated
	Wake        []EndpointRef

	Events     int // that told of it, and tell its id now
	Deliveries int // of those events that had not been made, and never will
	Attempts   int // at deliveries of those events, of which the receivers' answers are gone
	Answers    int // kept for an Idempotency-Key, that are gone
	Reports    int // rows of imports' reports that told of it
}

// EraseLead removes a lead, deleted before or not, and everything that tells who it was; NOT_FOUND when there is none. What stays is that there
// was something: ids, times, counts. All of it is one commit, with the audit and the lead.deleted event that says so; only where more than
// erasePart events tell of the lead, these go first, part by part.
//
// A delivery that a worker is sending at this moment arrives all the same. An address that Redis does not know to be free stays in releases
// until it does.
func (db *DB) EraseLead(ctx context.Context, workspace, leadID id.UUID, how Erasure) (Erased, error) {
	e := erasing{Erasure: how, workspace: workspace, lead: leadID}
	for try := 1; ; try++ {
		step, more := e, false // a part that is undone counts nothing
		err := db.InTx(ctx, func(tx *sqlx.Tx) (err error) {
			more, err = step.step(ctx, tx)
			return err
		})
		switch {
		case err == nil && !more:
			return step.Erased, nil
		case err == nil:
			e, try = step, 0
			continue
		case !gaveWay(err):
			return Erased{}, err
		case try == changeTries:
			return Erased{}, fault.StoreUnavailable(err, time.Second)
		}
		if err := pause(ctx, try); err != nil {
			return Erased{}, fault.StoreUnavailable(err, time.Second)
		}
	}
}

// purgeable are the leads that nobody can restore.
var purgeable = fmt.Sprintf(`l.deleted_at < now() - interval '%d seconds'`, int(lead.RestoreWithin.Seconds()))

// step locks whatever can make another event of the lead, the row and then its enrichment, before it looks for events. Where those it finds are all,
// it ends the erasure.
func (e *erasing) step(ctx context.Context, tx *sqlx.Tx) (more bool, err error) {
	const lock = `select from enrichments where workspace_id = $1 and lead_id = $2 for update`
	const again = `set local enable_material = off` // or old statistics make it go through all deliveries of the workspace for each event
	which := `true`
	if e.Old {
		which = purgeable
	}
	l, now, err := lockLead(ctx, tx, e.workspace, e.lead, which)
	if err != nil {
		return false, err
	}
	if e.Check != nil {
		if err := e.Check(&l); err != nil {
			return false, err
		}
	}
	e.Lead, e.At = l, now.UTC().Truncate(time.Millisecond)
	if err := byKey(ctx, tx); err != nil {
		return false, fail(ctx, "erase lead", err)
	}
	if _, err := tx.ExecContext(ctx, again); err != nil {
		return false, fail(ctx, "erase lead", err)
	}
	if err := e.run(ctx, tx, lock, []any{e.lead}, nil); err != nil {
		return false, err
	}
	if more, err = e.events(ctx, tx); err != nil || more {
		return more, err
	}
	return false, e.end(ctx, tx, now)
}

// end erases the lead itself, and what tells of it beside its events.
func (e *erasing) end(ctx context.Context, tx *sqlx.Tx, now time.Time) error {
	l := &e.Lead
	if l.DeletedAt == nil && l.UniqueKey != tenant.FreedKey(l.AddressKey(), l.ID) {
		e.ReleasedKey = l.UniqueKey
	}
	claims, err := claimsOf(ctx, tx, e.workspace, e.lead)
	if err != nil {
		return err
	}
	made := newColumn(len(claims)+1, 36)
	for _, c := range append(claims, e.lead) {
		made.uuid(c)
	}
	for _, part := range []struct {
		query string
		args  []any
		count *int
	}{
		{`delete from enrichments where workspace_id = $1 and lead_id = $2`, nil, nil},
		{`delete from leads where workspace_id = $1 and id = $2`, nil, nil},
		{eraseAnswers, []any{made.done()}, &e.Answers},
		{eraseReports, nil, &e.Reports},
	} {
		if err := e.run(ctx, tx, part.query, append([]any{e.lead}, part.args...), part.count); err != nil {
			return err
		}
	}
	if e.Wake, err = tellErased(ctx, tx, &e.Erased, now); err != nil {
		return err
	}
	if note := e.Note; note != nil {
		note.Details = e.Details(e.Suppress)
		note.CreatedAt = e.At
		if err := insertAudit(ctx, tx, note); err != nil {
			return err
		}
	}
	if e.Suppress {
		_, err = suppress(ctx, tx, e.workspace, l.AddressKey())
	}
	return err
}

// Details are what is told and kept of an erasure.
func (e *Erased) Details(suppressed bool) map[string]any {
	return map[string]any{"leads": 1, "events": e.Events, "deliveries": e.Deliveries, "attempts": e.Attempts, "answers": e.Answers, "reports": e.Reports, "suppressed": suppressed}
}

// tellErased writes the last event of a lead and the release of its email.
func tellErased(ctx context.Context, tx *sqlx.Tx, e *Erased, now time.Time) ([]EndpointRef, error) {
	const q = `
with freed as (
    insert into releases (workspace_id, email_key, lead_id, created_at) select $1, $3, $2, now() where $3 <> '' on conflict do nothing
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at) values ($1, $4, '` + webhook.LeadDeleted + `', $2, $5, $6, $7)
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut + `
select workspace_id, endpoint_id from endpoints_to_wake`
	l := &e.Lead
	rows, err := tx.QueryContext(ctx, q, l.WorkspaceID, l.ID, e.ReleasedKey, id.New(), optionalID(l.ChatbotID), string(l.AppendDeleted(nil, e.At, true)), now)
	if err != nil {
		return nil, fail(ctx, "tell of erased lead", err)
	}
	wake, err := scanRefs(rows)
	return wake, fail(ctx, "tell of erased lead", err)
}

// eraseAnswers empties kept answers that tell of a lead. A request that made it, alone or as one of many ($3), and was never answered counts as
// answered: it is not to be made again.
const eraseAnswers = `
update idempotency set body = null, headers = null, status = coalesce(status, 201)
 where workspace_id = $1 and (id = any($3::uuid[]) and (body is not null or status is null) or leads @> array[$2::uuid] and body is not null)`

// eraseReports empties rows of imports' reports. One that is being written waits for the lead's lock, and finds the lead gone.
const (
	eraseReports = `update import_errors set value = null, message = '` + erasedReport + `', lead_id = null where workspace_id = $1 and lead_id = $2`
	erasedReport = leadfile.ErasedLead
)
