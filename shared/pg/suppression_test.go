package pg_test

import (
	"fmt"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// What changes nothing leaves no row in the audit log, and what is old leaves it.
func TestSuppressionsAreNotedOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	note := func(action string) *tenant.AuditEntry {
		return tenant.NewAuditEntry(b.ws, id.New(), action, id.Workspace.Format(b.ws), nil, time.Now())
	}
	for range 3 {
		if err := b.db.Suppress(t.Context(), b.ws, "a@example.com", note(tenant.SuppressionCreated)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := b.db.Unsuppress(t.Context(), b.ws, "a@example.com", note(tenant.SuppressionDeleted)); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.count(`select count(*) from audit where workspace_id = $1`, b.ws); n != 2 {
		t.Errorf("%d rows were noted, want 2", n)
	}
	b.mustExec(`update audit set created_at = now() - interval '401 days' where action = 'suppression.created'`)
	b.mustExec(`update audit set created_at = now() - interval '399 days' where action = 'suppression.deleted'`)
	if n, err := b.db.DeleteOldAudit(t.Context()); err != nil || n != 1 ||
		b.count(`select count(*) from audit where action = 'suppression.deleted'`) != 1 {
		t.Errorf("DeleteOldAudit = %d, %v, want the older one deleted", n, err)
	}
}

// Suppressions have a limit of their own, by the hour and in all; erasures have neither.
func TestSuppressionsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	tries := 0
	try := func() error {
		tries++
		return b.db.Suppress(t.Context(), b.ws, fmt.Sprintf("p%d@example.com", tries), tenant.NewAuditEntry(b.ws, id.New(),
			tenant.SuppressionCreated, "t", nil, time.Now()))
	}
	b.mustExec(`insert into audit (workspace_id, id, key_id, action, target, details, created_at)
select $1, delivery_id(uuid_floor(at), gen_random_uuid()), $1, 'suppression.created', 't', '{}', at from (select now() - interval '20 minutes' + n * interval '1 ms' from generate_series(1, $2) n) x (at)`, b.ws, pg.HourlySuppressions-1)
	if err := try(); err != nil {
		t.Errorf("the last of an hour = %v, want it done", err)
	}
	if err := try(); !fault.Is(err, fault.RateLimited) || b.count(`select count(*) from suppressions`) != 1 {
		t.Errorf("one more = %v, want RATE_LIMITED and nothing done", err)
	}
	changed := tenant.NewAuditEntry(b.ws, id.New(), tenant.ChatbotCreated, "t", nil, time.Now())
	if err := b.db.CreateChatbot(t.Context(), tenant.Chatbot{WorkspaceID: b.ws, ID: id.New(), Name: "c",
		CreatedAt: time.Now()}, changed); err != nil {
		t.Errorf("another change = %v, want it done", err)
	}
	b.mustExec(`delete from audit`)
	b.mustExec(`insert into suppressions (workspace_id, email_hash, created_at)
select $1, '\x00'::bytea || sha256(cast(cast(n as text) as bytea)), now() from generate_series(1, $2) n`, b.ws, lead.MaxSuppressions/256+10)
	if err := try(); !fault.Is(err, fault.Conflict) {
		t.Errorf("one more than a workspace can have = %v, want CONFLICT", err)
	}
	l := b.mustLead("x@example.com")
	if _, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{Suppress: true}); err != nil {
		t.Errorf("EraseLead that suppresses = %v, want it done", err)
	}
}

// An update to the email of a lead that is being erased and suppressed waits for the erasure, and is refused then.
func TestUpdateToSuppressedEmail(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l, erased := b.mustLead("a@example.com"), b.mustLead("b@example.com")
	update := func() error {
		_, err := b.db.UpdateLead(t.Context(), b.ws, l.ID, func(l *lead.Lead) error { move("b@example.com")(l); return nil })
		return err
	}
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `delete from leads where id = $1`, erased.ID); err != nil {
		t.Fatal(err)
	}
	const suppress = `insert into suppressions (workspace_id, email_hash, created_at) values ($1, $2, now())`
	if _, err := tx.ExecContext(t.Context(), suppress, b.ws, lead.SuppressionHash(b.ws, "b@example.com")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- update() }()
	await(t, b.db, `
select count(*) > 0 from pg_stat_activity
 where datname = current_database() and wait_event_type = 'Lock' and query like '%update leads%'`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !fault.Is(err, fault.Suppressed) {
		t.Errorf("UpdateLead() during the erasure = %v, want EMAIL_SUPPRESSED", err)
	}
	if err := update(); !fault.Is(err, fault.Suppressed) {
		t.Errorf("UpdateLead() after it = %v, want EMAIL_SUPPRESSED", err)
	}
}
