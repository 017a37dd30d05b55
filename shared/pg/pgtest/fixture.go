package pgtest

import (
	"fmt"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Workspace makes a workspace, as the changes make it.
func Workspace(t testing.TB, db *pg.DB, changes ...func(*tenant.Workspace)) tenant.Workspace {
	t.Helper()
	at := now()
	w := tenant.Workspace{ID: id.New(), Name: "Test", CreatedAt: at, UpdatedAt: at}
	apply(&w, changes)
	if err := db.CreateWorkspace(t.Context(), w); err != nil {
		t.Fatalf("pgtest: create workspace: %v", err)
	}
	return w
}

// Chatbot makes a chatbot in a workspace.
func Chatbot(t testing.TB, db *pg.DB, workspace id.UUID, changes ...func(*tenant.Chatbot)) tenant.Chatbot {
	t.Helper()
	c := tenant.Chatbot{WorkspaceID: workspace, ID: id.New(), Name: "Bot", CreatedAt: now()}
	apply(&c, changes)
	if err := db.CreateChatbot(t.Context(), c); err != nil {
		t.Fatalf("pgtest: create chatbot: %v", err)
	}
	return c
}

// Key makes a key that has every scope, and returns its secret too.
func Key(t testing.TB, db *pg.DB, workspace id.UUID, changes ...func(*tenant.Key)) (k tenant.Key, secret string) {
	t.Helper()
	secret = tenant.NewSecret()
	hash, ok := tenant.HashSecret(secret)
	if !ok {
		t.Fatal("pgtest: a new secret does not hash")
	}
	k = tenant.Key{WorkspaceID: workspace, ID: id.New(), Name: "key", Hint: tenant.Hint(secret), Scopes: tenant.Scopes(),
		CreatedAt: now()}
	apply(&k, changes)
	if err := db.CreateKey(t.Context(), k, hash); err != nil {
		t.Fatalf("pgtest: create key: %v", err)
	}
	return k, secret
}

// Endpoint makes an enabled endpoint for all events of leads.
func Endpoint(t testing.TB, db *pg.DB, workspace id.UUID, changes ...func(*webhook.Endpoint)) webhook.Endpoint {
	t.Helper()
	e := webhook.Endpoint{
		WorkspaceID: workspace, ID: id.New(), URL: "https://hooks.example.com/in", EventTypes: []string{"lead.*"},
		Secret:  webhook.NewSecret(),
		Enabled: true, CreatedAt: now(),
	}
	apply(&e, changes)
	if err := db.CreateEndpoint(t.Context(), e); err != nil {
		t.Fatalf("pgtest: create endpoint: %v", err)
	}
	return e
}

// Lead makes a lead with an email of its own, its lead.created event and the deliveries of that.
func Lead(t testing.TB, db *pg.DB, workspace id.UUID, changes ...func(*lead.Lead)) lead.Lead {
	t.Helper()
	return Leads(t, db, workspace, 1, changes...)[0].Lead
}

// Leads makes n leads as Lead does, in one statement, and returns them with the ids of their events, oldest first.
func Leads(t testing.TB, db *pg.DB, workspace id.UUID, n int, changes ...func(*lead.Lead)) []pg.NewLead {
	t.Helper()
	all := make([]pg.NewLead, n)
	for i := range all {
		at := now()
		l := lead.Lead{
			WorkspaceID: workspace, ID: id.New(), Source: "api", Status: "new", Metadata: []byte(`{}`), CreatedAt: at,
			UpdatedAt: at,
		}
		apply(&l, changes)
		if l.Email == "" {
			l.Email = fmt.Sprintf("%s@example.com", l.ID)
		}
		if l.UniqueKey == "" {
			_, key, ok := lead.ParseEmail(l.Email)
			if !ok {
				t.Fatalf("pgtest: %q is no email", l.Email)
			}
			l.UniqueKey = key // unique in the whole workspace, which is the default
		}
		all[i] = pg.NewLead{Lead: l, EventID: id.New()}
	}
	got, err := db.InsertLeads(t.Context(), all)
	if err != nil {
		t.Fatalf("pgtest: insert leads: %v", err)
	}
	for i, l := range got.Leads {
		if l.Taken {
			t.Fatalf("pgtest: a lead with the email %s is there already", all[i].Email)
		}
	}
	return all
}

func apply[T any](to *T, changes []func(*T)) {
	for _, change := range changes {
		change(to)
	}
}

// now is the time as Postgres and the API keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
