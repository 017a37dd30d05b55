package pg_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// tenantEpoch is a moment the database can hold exactly.
var tenantEpoch = time.Date(2026, 1, 15, 10, 30, 0, 123456000, time.UTC)

func mustCreateWorkspace(t *testing.T, db *pg.DB, name string) tenant.Workspace {
	t.Helper()
	return pgtest.Workspace(t, db, func(w *tenant.Workspace) {
		w.Name, w.CreatedAt, w.UpdatedAt = name, tenantEpoch, tenantEpoch
	})
}

func TestWorkspaceSettings(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "Ünïcode & Söhne")
	want := w
	want.Settings = tenant.Settings{Rate: 7, Burst: 9, Statuses: []string{"neu", "alt"}}
	want.UpdatedAt = tenantEpoch.Add(time.Minute)
	mustUpdate(t, db, w.ID, func(w *tenant.Workspace) { w.Settings, w.UpdatedAt = want.Settings, want.UpdatedAt })
	got, err := db.GetWorkspace(t.Context(), w.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GetWorkspace (-want +got):\n%s", diff)
	}
}

func mustUpdate(t *testing.T, db *pg.DB, workspace id.UUID, change func(*tenant.Workspace)) {
	t.Helper()
	if _, err := db.UpdateWorkspace(t.Context(), workspace,
		func(w *tenant.Workspace) error { change(w); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestUnknownWorkspace(t *testing.T) {
	t.Parallel()
	db, unknown := pgtest.New(t), id.New()
	_, get := db.GetWorkspace(t.Context(), unknown)
	_, update := db.UpdateWorkspace(t.Context(), unknown, func(*tenant.Workspace) error { return nil })
	for name, err := range map[string]error{
		"GetWorkspace":    get,
		"UpdateWorkspace": update,
		"CreateChatbot": db.CreateChatbot(t.Context(), tenant.Chatbot{WorkspaceID: unknown, ID: id.New(), Name: "x",
			CreatedAt: tenantEpoch}),
		"CreateKey": db.CreateKey(t.Context(), tenant.Key{WorkspaceID: unknown, ID: id.New(), Name: "x",
			CreatedAt: tenantEpoch}, [32]byte{1}),
	} {
		t.Run(name, func(t *testing.T) {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s of an unknown workspace = %v, want NOT_FOUND", name, err)
			}
		})
	}
}

func TestListWorkspacesPages(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var want, got []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		want = append(want, mustCreateWorkspace(t, db, name).Name)
	}
	var after id.UUID
	for {
		all, err := db.ListWorkspaces(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			break
		}
		for _, w := range all {
			got, after = append(got, w.Name), w.ID
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ListWorkspaces in pages (-want +got):\n%s", diff)
	}
}

func TestChatbotsBelongToTheirWorkspace(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, theirs := mustCreateWorkspace(t, db, "mine"), mustCreateWorkspace(t, db, "theirs")
	want := []tenant.Chatbot{
		{WorkspaceID: mine.ID, ID: id.New(), Name: "first", CreatedAt: tenantEpoch},
		{WorkspaceID: mine.ID, ID: id.New(), Name: "second", CreatedAt: tenantEpoch},
	}
	for _, c := range want {
		if err := db.CreateChatbot(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.ListChatbots(t.Context(), mine.ID, id.UUID{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ListChatbots (-want +got):\n%s", diff)
	}
	if got, err := db.ListChatbots(t.Context(), theirs.ID, id.UUID{}, 10); len(got) != 0 || err != nil {
		t.Errorf("ListChatbots of the other workspace = %v, %v, want none", got, err)
	}
	for ws, want := range map[id.UUID]bool{mine.ID: true, theirs.ID: false} {
		if got, err := db.ChatbotExists(t.Context(), ws, got[0].ID); got != want || err != nil {
			t.Errorf("ChatbotExists = %v, %v, want %v", got, err, want)
		}
	}
}

func TestChatbotLimit(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "full")
	const fill = `
insert into chatbots (workspace_id, id, name, created_at)
select $1, gen_random_uuid(), '', now() from generate_series(1, 9999)`
	if _, err := db.ExecContext(t.Context(), fill, w.ID); err != nil {
		t.Fatal(err)
	}
	created := createAtOnce(t, 8, func(int) error { // of which one is the 10,000th
		return db.CreateChatbot(t.Context(), tenant.Chatbot{WorkspaceID: w.ID, ID: id.New(), CreatedAt: tenantEpoch})
	})
	if created != 1 {
		t.Errorf("CreateChatbot made %d chatbots beside 9,999, want 1 and CONFLICT for the others", created)
	}
}
