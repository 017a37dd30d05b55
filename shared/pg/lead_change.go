package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Updated is what became of a lead.
type Updated struct {
	Lead        lead.Lead     // as it is now, with what enrichment had found out
	Former      lead.Lead     // as it was
	Changed     bool          // false: there was nothing to change
	ReleasedKey string        // the unique key it gave up; "": none. Redis is to be told, and then ForgetReleases
	Wake        []EndpointRef // endpoints that got deliveries
}

// EmailTaken says that another lead has the email.
type EmailTaken struct {
	Email  string
	Holder id.UUID
}

func (e *EmailTaken) Error() string { return "the email belongs to " + id.Lead.Format(e.Holder) }

// UpdateLead lets change alter a lead, one caller at a time, and tells what it is now; NOT_FOUND when there is none, *EmailTaken when its new
// email is another lead's. The row, the enrichment it is owed again, lead.updated with its deliveries, and the release of a former email
// are one commit. Where change alters nothing, nothing is written.
func (db *DB) UpdateLead(ctx context.Context, workspace, leadID id.UUID, change func(*lead.Lead) error) (Updated, error) {
	return db.alterLead(ctx, workspace, leadID, updating(change))
}

// updateLeadTx is UpdateLead in a transaction that does more. Whoever changes several leads goes in the order of their ids, and moves none to
// another email: that would make the whole transaction fail where it is taken.
func updateLeadTx(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, change func(*lead.Lead) error) (Updated, error) {
	return alterLeadTx(ctx, tx, workspace, leadID, updating(change))
}

func updating(change func(*lead.Lead) error) alteration {
	return alteration{
		which:  `l.deleted_at is null`,
		change: func(_ *sqlx.Tx, l *lead.Lead, _ time.Time) error { return change(l) },
		event:  webhook.LeadUpdated,
		data:   (*lead.Lead).AppendUpdated,
	}
}

// DeleteLead takes a lead out of everything but what can be restored, and frees its email; check can refuse. NOT_FOUND when there is none.
func (db *DB) DeleteLead(ctx context.Context, workspace, leadID id.UUID, check func(*lead.Lead) error) (Updated, error) {
	return db.alterLead(ctx, workspace, leadID, alteration{
		which: `l.deleted_at is null`,
		change: func(_ *sqlx.Tx, l *lead.Lead, now time.Time) error {
			if err := check(l); err != nil {
				return err
			}
			at := lead.NextUpdate(l.UpdatedAt, now)
			l.DeletedAt, l.UniqueKey = &at, tenant.FreedKey(l.AddressKey(), l.ID)
			return nil
		},
		event: webhook.LeadDeleted,
		data:  func(l *lead.Lead, dst []byte, _ *lead.Lead) []byte { return l.AppendDeleted(dst, *l.DeletedAt, false) },
	})
}

// RestoreLead brings back a lead that was deleted less than lead.RestoreWithin ago. NOT_FOUND when there is none, *EmailTaken when
// its email is another lead's since, EMAIL_SUPPRESSED when it may not come back.
func (db *DB) RestoreLead(ctx context.Context, workspace, leadID id.UUID, s tenant.Settings, check func(*lead.Lead) error) (Updated, error) {
	return db.alterLead(ctx, workspace, leadID, alteration{
		which: fmt.Sprintf(`l.deleted_at > now() - interval '%d seconds'`, int(lead.RestoreWithin.Seconds())),
		change: func(tx *sqlx.Tx, l *lead.Lead, _ time.Time) error {
			if err := check(l); err != nil {
				return err
			}
			l.DeletedAt, l.UniqueKey = nil, s.UniqueKey(l.AddressKey(), l.ChatbotID, l.ID)
			suppressed, err := suppressedOf(ctx, tx, workspace, []string{l.AddressKey()})
			if err == nil && len(suppressed) > 0 {
				err = fault.New(fault.Suppressed, lead.SuppressedMessage)
			}
			return err
		},
		event: webhook.LeadRestored,
		data:  func(l *lead.Lead, dst []byte, _ *lead.Lead) []byte { return l.AppendJSON(dst, l.Enrichment != nil) },
	})
}

// alteration is one way to change a lead.
type alteration struct {
	which  string // condition of the leads it is for
	change func(tx *sqlx.Tx, l *lead.Lead, now time.Time) error
	event  string
	data   func(l *lead.Lead, dst []byte, former *lead.Lead) []byte // of the event
}

// Bounds of a change.
const (
	// keyWait is how long a lead waits for another transaction that has its new email. While it waits it has both emails, so two can wait for
	// each other. It is well below Postgres' deadlock_timeout: the change gives way and tries again, and never a batch of new leads.
	keyWait = 300 * time.Millisecond
)

// alterLead is alterLeadTx in a transaction of its own, again where it gave way to another.
func (db *DB) alterLead(ctx context.Context, workspace, leadID id.UUID, a alteration) (u Updated, err error) {
	for try := 1; ; try++ {
		err = db.InTx(ctx, func(tx *sqlx.Tx) error {
			u, err = alterLeadTx(ctx, tx, workspace, leadID, a)
			return err
		})
		if errors.Is(err, ErrUniqueViolation) {
			holder, failed := db.holder(ctx, workspace, u.Lead.UniqueKey)
			if failed != nil {
				return u, failed
			}
			if holder != (id.UUID{}) {
				return u, &EmailTaken{u.Lead.Email, holder}
			}
		} else if !gaveWay(err) {
			return u, err
		}
		if try == changeTries {
			return u, fault.StoreUnavailable(err, time.Second)
		}
		if err := pause(ctx, try); err != nil {
			return u, fault.StoreUnavailable(err, time.Second)
		}
	}
}

func (db *DB) holder(ctx context.Context, workspace id.UUID, emailKey string) (holder id.UUID, err error) {
	const q = `select id from leads where workspace_id = $1 and email_key = $2`
	err = db.QueryRowContext(ctx, q, workspace, emailKey).Scan(&holder)
	if errors.Is(err, sql.ErrNoRows) {
		return holder, nil
	}
	return holder, fail(ctx, "find holder", err)
}

func alterLeadTx(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, a alteration) (u Updated, err error) {
	l, now, err := lockLead(ctx, tx, workspace, leadID, a.which)
	if err != nil {
		return u, err
	}
	u.Lead, u.Former = l, l
	if err := a.change(tx, &u.Lead, now); err != nil {
		return u, err
	}
	if !lead.Differs(&u.Lead, &u.Former) && (u.Lead.DeletedAt == nil) == (u.Former.DeletedAt == nil) {
		return u, nil
	}
	u.Changed, u.Lead.UpdatedAt = true, lead.NextUpdate(l.UpdatedAt, now)
	if u.Lead.UniqueKey != u.Former.UniqueKey && u.Former.DeletedAt == nil && u.Former.UniqueKey != tenant.FreedKey(u.Former.AddressKey(), l.ID) {
		u.ReleasedKey = u.Former.UniqueKey
	}
	if err := writeLead(ctx, tx, &u); err != nil {
		return u, err
	}
	u.Wake, err = tellLead(ctx, tx, &u, now, a.event, a.data(&u.Lead, nil, &u.Former))
	return u, err
}

// lockLead returns a lead that nobody else can change until tx ends, and the database's clock.
func lockLead(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, which string) (l lead.Lead, now time.Time, err error) {
	q := `
select l.workspace_id, l.id, coalesce(l.chatbot_id, '00000000-0000-0000-0000-000000000000'), coalesce(l.name, ''), l.email, l.email_key, coalesce(l.phone, ''),
       l.source, l.status, l.metadata, l.created_at, l.updated_at, l.deleted_at, now(),
       (select facts from enrichments where workspace_id = $1 and lead_id = $2)
  from leads l
 where l.workspace_id = $1 and l.id = $2 and ` + which + ` for update`
	err = tx.QueryRowContext(ctx, q, workspace, leadID).Scan(&l.WorkspaceID, &l.ID, &l.ChatbotID, &l.Name, &l.Email, &l.UniqueKey, &l.Phone,
		&l.Source, &l.Status, &l.Metadata, &l.CreatedAt, &l.UpdatedAt, &l.DeletedAt, &now, &l.Enrichment)
	if errors.Is(err, sql.ErrNoRows) {
		return l, now, leadNotFound()
	}
	return l, now, fail(ctx, "lock lead", err)
}

func leadNotFound() error { return fault.New(fault.NotFound, "Lead not found") }

// writeLead stores the row of a lead that is locked.
func writeLead(ctx context.Context, tx *sqlx.Tx, u *Updated) error {
	const q = `
update leads set email = $3, email_key = $4, name = nullif($5, ''), phone = nullif($6, ''), source = $7, status = $8, metadata = $9, updated_at = $10, deleted_at = $11
 where workspace_id = $1 and id = $2`
	moves := u.Lead.UniqueKey != u.Former.UniqueKey
	if err := waitAtMost(ctx, tx, moves, keyWait); err != nil {
		return err
	}
	l := &u.Lead
	if _, err := tx.ExecContext(ctx, q, l.WorkspaceID, l.ID, l.Email, l.UniqueKey, l.Name, l.Phone, l.Source, l.Status, string(l.Metadata), l.UpdatedAt, l.DeletedAt); err != nil {
		return fail(ctx, "change lead", err)
	}
	return waitAtMost(ctx, tx, moves, 0)
}

// waitAtMost bounds, if that is asked for, how long the next statements of tx wait for a lock; 0 is without end.
func waitAtMost(ctx context.Context, tx *sqlx.Tx, ask bool, wait time.Duration) error {
	if !ask {
		return nil
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`set local lock_timeout = %d`, wait.Milliseconds()))
	return fail(ctx, "set lock timeout", err)
}

// tellLead writes what goes with a change of a lead: the enrichment it is owed unless it was deleted, the release of its former email, the event and its deliveries.
func tellLead(ctx context.Context, tx *sqlx.Tx, u *Updated, now time.Time, event string, data []byte) ([]EndpointRef, error) {
	const q = `
with owed as (
    insert into enrichments (workspace_id, lead_id, due_at) values ($1, $2, case when $3 then now() end)
    on conflict (workspace_id, lead_id) do update set due_at = excluded.due_at, attempts = 0
), freed as (
    insert into releases (workspace_id, email_key, lead_id, created_at) select $1, $4, $2, now() where $4 <> '' on conflict do nothing
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at) values ($1, $5, $6, $2, $7, $8, $9)
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut + `
select workspace_id, endpoint_id from endpoints_to_wake`
	l := &u.Lead
	rows, err := tx.QueryContext(ctx, q, l.WorkspaceID, l.ID, l.DeletedAt == nil, u.ReleasedKey, id.New(), event, optionalID(l.ChatbotID), string(data), now)
	if err != nil {
		return nil, fail(ctx, "tell of lead", err)
	}
	wake, err := scanRefs(rows)
	return wake, fail(ctx, "tell of lead", err)
}
