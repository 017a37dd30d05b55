package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// Updated is what became of a lead.
type Updated struct {
	Lead        lead.Lead     // as it is now, with what enrichment had found out
	Former      lead.Lead     // as it was
	Changed     bool          // false: there was nothing to change
	ReleasedKey string        // the unique key it gave up, of which Redis may have a reservation; "": none
	Wake        []EndpointRef // endpoints that got deliveries
}

// Taken says that another lead has the email of Lead, or its phone where it has no email.
type Taken struct {
	Lead   *lead.Lead
	Holder id.UUID
}

func (e *Taken) Error() string { return "the email or phone belongs to " + id.Lead.Format(e.Holder) }

// UpdateLead lets change alter a lead, one caller at a time, and returns what it is now. It is NOT_FOUND when there is
// none, *Taken when its new email is another lead's, and EMAIL_SUPPRESSED when that may not come back. The row,
// the enrichment that is pending again, and lead.updated with its deliveries are one commit. Where change alters
// nothing, nothing is written but the entries that books get.
func (db *DB) UpdateLead(ctx context.Context, workspace, leadID id.UUID, change func(*lead.Lead) error,
	books ...tenant.BookEntry) (Updated, error) {
	a := updating(change)
	a.books = books
	return db.alterLead(ctx, workspace, leadID, a)
}

// updateLeadTx is UpdateLead in a transaction that does more. Whoever changes several leads goes in the order of their
// ids, and moves none to another email: that would make the whole transaction fail where it is taken.
func updateLeadTx(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, change func(*lead.Lead) error) (Updated,
	error) {
	return alterLeadTx(ctx, tx, workspace, leadID, updating(change))
}

func updating(change func(*lead.Lead) error) alteration {
	return alteration{
		which:  liveLead,
		change: func(l *lead.Lead, _ time.Time) error { return change(l) },
		event:  webhook.LeadUpdated,
		data:   (*lead.Lead).AppendUpdated,
	}
}

// DeleteLead is a soft delete: the row stays as a tombstone. It hides a lead until it is restored or purged, and frees
// its email; check can refuse. NOT_FOUND when there is none.
func (db *DB) DeleteLead(ctx context.Context, workspace, leadID id.UUID, check func(*lead.Lead) error) (Updated,
	error) {
	return db.alterLead(ctx, workspace, leadID, deletion(check))
}

func deletion(check func(*lead.Lead) error) alteration {
	return alteration{
		which: liveLead,
		change: func(l *lead.Lead, now time.Time) error {
			if err := check(l); err != nil {
				return err
			}
			at := lead.NextUpdate(l.UpdatedAt, now)
			l.DeletedAt, l.UniqueKey = &at, tenant.FreedKey(l.AddressKey(), l.ID)
			return nil
		},
		event: webhook.LeadDeleted,
		data: func(l *lead.Lead, dst []byte, _ *lead.Lead) []byte {
			return l.AppendDeleted(dst, *l.DeletedAt, false)
		},
	}
}

// RestoreLead brings back a lead that was deleted less than lead.RestoreWithin ago. It is NOT_FOUND when there is none
// or it is being erased, *Taken when its email is another lead's since, EMAIL_SUPPRESSED when that may not come back.
func (db *DB) RestoreLead(ctx context.Context, workspace, leadID id.UUID, s tenant.Settings,
	check func(*lead.Lead) error) (
	Updated, error) {
	return db.alterLead(ctx, workspace, leadID, alteration{
		which: restorableLead,
		change: func(l *lead.Lead, _ time.Time) error {
			if err := check(l); err != nil {
				return err
			}
			l.DeletedAt, l.UniqueKey = nil, s.UniqueKey(l.AddressKey(), l.ChatbotID, l.ID)
			return nil
		},
		event: webhook.LeadRestored,
		data:  func(l *lead.Lead, dst []byte, _ *lead.Lead) []byte { return l.AppendJSON(dst, l.Enrichment != nil) },
	})
}

// alteration is one way to change a lead.
type alteration struct {
	which  string // a condition below
	change func(l *lead.Lead, now time.Time) error
	event  string
	data   func(l *lead.Lead, dst []byte, former *lead.Lead) []byte // of the event
	books  []tenant.BookEntry

	after func(ctx context.Context, tx *sqlx.Tx, u *Updated, now time.Time) error // whether it was altered or not; nil: nothing
}

// Which leads l are to be locked; $1 is the workspace, $2 the lead.
var (
	anyLead        = `true`
	liveLead       = `l.deleted_at is null`
	restorableLead = fmt.Sprintf(`l.deleted_at > now() - interval '%d seconds'`, int(lead.RestoreWithin.Seconds()))
	purgeableLead  = fmt.Sprintf(`l.deleted_at < now() - interval '%d seconds'`, int(lead.RestoreWithin.Seconds()))
)

// keyWait is how long a lead waits for another transaction that has its new email. While it waits it has both emails,
// so two can wait for each other. It is well below Postgres' deadlock_timeout: the change gives way and tries again,
// and never a batch of new leads.
const keyWait = 300 * time.Millisecond

// alterLead is alterLeadTx in a transaction of its own, again where it gave way to another.
func (db *DB) alterLead(ctx context.Context, workspace, leadID id.UUID, a alteration) (u Updated, err error) {
	err = conn.Retry(ctx, func() error {
		err := db.withPartitions(ctx, func() error {
			return db.InTx(ctx, func(tx *sqlx.Tx) (err error) {
				u, err = alterLeadTx(ctx, tx, workspace, leadID, a)
				return err
			})
		})
		if errors.Is(err, ErrUniqueViolation) {
			return emailTaken(ctx, db, &u.Lead)
		}
		return err
	})
	return u, err
}

// emailTaken returns why l cannot have its email. It is conn.ErrRetry when nobody has it any more.
func emailTaken(ctx context.Context, db conn.Queryer, l *lead.Lead) error {
	const q = `select id from leads where workspace_id = (select $1::uuid) and email_key = $2`
	if err := checkSuppression(ctx, db, l); err != nil {
		return err
	}
	holder, ok, err := conn.Find(ctx, db, "find holder", conn.Value[id.UUID], q, l.WorkspaceID, l.UniqueKey)
	if err == nil && !ok {
		return fmt.Errorf("the lead that had the email: %w", conn.ErrRetry)
	}
	if err == nil {
		err = &Taken{l, holder}
	}
	return err
}

func alterLeadTx(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, a alteration) (u Updated, err error) {
	l, now, err := lockLead(ctx, tx, workspace, leadID, a.which)
	if err != nil {
		return u, err
	}
	if l.DeletedAt != nil { // it is to be restored
		if err := checkErasing(ctx, tx, workspace, leadID); err != nil {
			return u, err
		}
	}
	u.Lead, u.Former = l, l
	if err := a.change(&u.Lead, now); err != nil {
		return u, err
	}
	if err := addBooks(ctx, tx, a.books...); err != nil {
		return u, err
	}
	if lead.Differs(&u.Lead, &u.Former) || (u.Lead.DeletedAt == nil) != (u.Former.DeletedAt == nil) {
		if err := changeLead(ctx, tx, &u, a, now); err != nil {
			return u, err
		}
	}
	if a.after != nil {
		err = a.after(ctx, tx, &u, now)
	}
	return u, err
}

// changeLead writes a lead that was altered, and the event that tells of it.
func changeLead(ctx context.Context, tx *sqlx.Tx, u *Updated, a alteration, now time.Time) (err error) {
	u.Changed, u.Lead.UpdatedAt = true, lead.NextUpdate(u.Former.UpdatedAt, now)
	if u.Lead.UniqueKey != u.Former.UniqueKey {
		u.ReleasedKey = reservedKey(&u.Former)
	}
	if err := writeLead(ctx, tx, u); err != nil {
		return err
	}
	u.Wake, err = emitLeadEvent(ctx, tx, u, a.event, a.data(&u.Lead, nil, &u.Former))
	return err
}

// checkErasing is NOT_FOUND when a lead is being erased as a job. The lead must be locked: an erasure becomes a job
// while it has the lock.
func checkErasing(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID) error {
	const q = `select exists (select from erasures where workspace_id = $1 and lead_id = $2)`
	erasing, err := conn.One(ctx, tx, "look up erasure", conn.Value[bool], nil, q, workspace, leadID)
	if err == nil && erasing {
		err = lead.NotFoundError()
	}
	return err
}

// reservedKey is the unique key that Redis reserves for l; "" when l is deleted, or its workspace lets an email come
// any number of times.
func reservedKey(l *lead.Lead) string {
	if l.DeletedAt != nil || l.UniqueKey == tenant.FreedKey(l.AddressKey(), l.ID) {
		return ""
	}
	return l.UniqueKey
}

// lockLead returns a lead that nobody else can change until tx ends, and what time it is once that is so. Enrichment
// locks the lead too, so that events of a lead are made one after the other; what it has just found out is seen by a
// second statement.
func lockLead(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, which string) (l lead.Lead, now time.Time,
	err error) {
	q := `
with l as materialized (
    select * from leads l where l.workspace_id = (select $1::uuid) and l.id = $2 and ` + which + ` for update
)
select ` + leadColumns + `, null, clock_timestamp() from l`
	const facts = `select facts from enrichments where workspace_id = (select $1::uuid) and lead_id = $2`
	l, err = conn.One(ctx, tx, "lock lead", func(row conn.Row) (l lead.Lead, err error) {
		err = row.Scan(append(leadTargets(&l), &now)...)
		return l, err
	}, lead.NotFoundError(), q, workspace, leadID)
	if err == nil {
		l.Enrichment, _, err = conn.Find(ctx, tx, "read facts", conn.Value[[]byte], facts, workspace, leadID)
	}
	return l, now, err
}

// writeLead stores the row of a lead that is locked. Whether its new email is suppressed is looked up once it has the
// email: by then it has waited for an erasure of the lead that had the email before.
func writeLead(ctx context.Context, tx *sqlx.Tx, u *Updated) error {
	const q = `
update leads
   set email = $3, email_key = $4, name = nullif($5, ''), phone = nullif($6, ''), source = $7, status = $8, metadata = $9,
       updated_at = $10, deleted_at = $11
 where workspace_id = (select $1::uuid) and id = $2`
	l, former := &u.Lead, &u.Former
	moves := l.UniqueKey != former.UniqueKey
	if moves {
		if err := setLockTimeout(ctx, tx, keyWait); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, tx, "change lead", q, l.WorkspaceID, l.ID, l.Email, l.UniqueKey, l.Name, l.Phone, l.Source,
		l.Status,
		string(l.Metadata), l.UpdatedAt, l.DeletedAt)
	if err == nil && moves {
		err = setLockTimeout(ctx, tx, 0)
	}
	if err == nil && l.DeletedAt == nil && (former.DeletedAt != nil || l.AddressKey() != former.AddressKey()) {
		err = checkSuppression(ctx, tx, l)
	}
	return err
}

// setLockTimeout bounds how long the next statements of tx wait for a lock; 0 is without end.
func setLockTimeout(ctx context.Context, tx *sqlx.Tx, wait time.Duration) error {
	_, err := conn.Exec(ctx, tx, "set lock timeout", fmt.Sprintf(
		conn.Either("", "set local citus.propagate_set_commands = 'local';")+`set local lock_timeout = %d`, wait.Milliseconds()))
	return err
}

// emitLeadEvent writes what goes with a change of a lead: its enrichment, pending unless it was deleted, the event and
// its deliveries.
func emitLeadEvent(ctx context.Context, tx *sqlx.Tx, u *Updated, event string, data []byte) ([]EndpointRef, error) {
	// $1 workspace, $2 lead, $3 whether enrichment is pending, $4 event, $5 its type, $6 chatbot, $7 data, $8 when it
	// happened, $9 its trace
	q := `
with owed as (
    insert into enrichments (workspace_id, lead_id, due_at) values ($1, $2, case when $3 then now() end)
    on conflict (workspace_id, lead_id) do update set due_at = excluded.due_at, attempts = 0
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at, trace)
    values ($1, $4, $5, $2, $6, $7, $8, nullif($9, ''))
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut("$1") + `
select workspace_id, endpoint_id from endpoints_to_wake`
	l := &u.Lead
	return conn.Collect(ctx, tx, "emit lead event", scanRef, q, l.WorkspaceID, l.ID, l.DeletedAt == nil, id.New(), event,
		optionalID(l.ChatbotID), string(data), l.UpdatedAt, trace.From(ctx).Text())
}
