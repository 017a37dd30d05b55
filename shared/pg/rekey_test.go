package pg_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// Leads whose emails had other keys in versions to 0.1.0 get those of today, and two that turn out to have one email
// both stay; a second run has nothing left to do but to tell of them again.
func TestMigrateRenewsEmailKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	other := pgtest.Workspace(t, d.db).ID
	made := map[string]id.UUID{}
	insert := func(ws id.UUID, email, key string) {
		t.Helper()
		l := lead.Lead{WorkspaceID: ws, ID: id.New(), Email: email, UniqueKey: key, Source: "api", Status: "new",
			Metadata: []byte(`{}`), CreatedAt: time.Now()}
		if _, err := d.db.InsertLeads(t.Context(), []pg.NewLead{{Lead: l}}); err != nil {
			t.Fatal(err)
		}
		made[key] = l.ID
	}
	insert(d.ws, "ｂｏｂ@example.com", "ｂｏｂ@example.com")
	insert(d.ws, "JÜRGEN@example.com", "jürgen@example.com")
	insert(d.ws, "ﬁnn@example.com", "ﬁnn@example.com cb_0")
	insert(d.ws, "ａｎｎ@example.com", "ａｎｎ@example.com")
	insert(d.ws, "ann@example.com", "ann@example.com")
	insert(d.ws, "ｃａｔ@example.com", "ｃａｔ@example.com")
	insert(d.ws, "Ｃａｔ@example.com", "ｃat@example.com")
	insert(d.ws, "\ufdfa@example.com", "\ufdfa@example.com")
	insert(other, "ｂｏｂ@example.com", "ｂｏｂ@example.com ")
	enrich(d, 20)
	var log bytes.Buffer
	migrate := func() string {
		t.Helper()
		log.Reset()
		if n, err := d.db.Migrate(t.Context(), slog.New(slog.NewTextHandler(&log, nil))); err != nil || n != 0 {
			t.Fatalf("Migrate() = %d, %v, want nothing to apply", n, err)
		}
		return log.String()
	}
	said := migrate()
	want := map[string]string{"ｂｏｂ@example.com": "bob@example.com", "jürgen@example.com": "jürgen@example.com",
		"ﬁnn@example.com cb_0": "finn@example.com cb_0", "ａｎｎ@example.com": "ａｎｎ@example.com",
		"ann@example.com": "ann@example.com", "ｃａｔ@example.com": "cat@example.com", "ｃat@example.com": "ｃat@example.com",
		"\ufdfa@example.com": "\ufdfa@example.com", "ｂｏｂ@example.com ": "bob@example.com "}
	check := func(when string) {
		t.Helper()
		for former, key := range want {
			var got string
			const q = `select email_key from leads where id = $1`
			if err := d.db.GetContext(t.Context(), &got, q, made[former]); err != nil || got != key {
				t.Errorf("%s: the key %q is %q, %v, want %q", when, former, got, err, key)
			}
		}
	}
	check("after a migration")
	for _, lead := range []string{"ａｎｎ@example.com", "ｃat@example.com"} {
		if !strings.Contains(said, id.Lead.Format(made[lead])) {
			t.Errorf("the log does not tell of %s, whose key is taken:\n%s", lead, said)
		}
	}
	if strings.Contains(said, "@") || !strings.Contains(said, "leads=4 taken=2") {
		t.Errorf("the log has an email, or not how many keys were renewed:\n%s", said)
	}
	if said := migrate(); !strings.Contains(said, "leads=0 taken=2") {
		t.Errorf("a second run says:\n%s\nwant that two keys are taken", said)
	}
	check("after a second one")
	for range 2 {
		byEmail := pg.LeadQuery{Query: lead.Query{AddressKey: "bob@example.com"}, Limit: 10, DuplicatesAllowed: true}
		found, _, err := d.db.FindLeads(t.Context(), d.ws, byEmail)
		if err != nil || len(found) != 1 || found[0].ID != made["ｂｏｂ@example.com"] {
			t.Errorf("by its new key = %+v, %v, want the lead", found, err)
		}
		enrich(d, 20)
	}
}

// A lead that somebody holds is waited for, and what it became meanwhile stays.
func TestMigrateWaitsForALead(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	l := lead.Lead{WorkspaceID: d.ws, ID: id.New(), Email: "ｂｏｂ@example.com", UniqueKey: "ｂｏｂ@example.com", Source: "api",
		Status: "new", Metadata: []byte(`{}`), CreatedAt: time.Now()}
	if _, err := d.db.InsertLeads(t.Context(), []pg.NewLead{{Lead: l}}); err != nil {
		t.Fatal(err)
	}
	held, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := d.db.UpdateLead(context.WithoutCancel(t.Context()), d.ws, l.ID, func(l *lead.Lead) error {
			close(held)
			time.Sleep(500 * time.Millisecond) // the migration overlaps
			l.Email, l.UniqueKey = "eve@example.com", tenant.Settings{}.UniqueKey("eve@example.com", l.ChatbotID, l.ID)
			return nil
		})
		done <- err
	}()
	<-held
	if _, err := d.db.Migrate(t.Context(), quiet); err != nil {
		t.Errorf("Migrate() = %v", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	const q = `select count(*) from leads where workspace_id = $1 and email_key = 'eve@example.com'`
	if n := d.number(q, d.ws); n != 1 {
		t.Errorf("%d leads have the key of the change, want the one", n)
	}
}
