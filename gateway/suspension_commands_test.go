package main

import (
	"archive/zip"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

func TestTheEndOfAWorkspaceByCommandLine(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": pgtest.URL(t)}
	ws := field(must(t, env, "workspace", "create", "Acme"), "ws_")
	db, err := pg.Open(env["DATABASE_URL"], pg.Options{MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	of, err := id.Workspace.Parse(ws)
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Lead(t, db, of, func(l *lead.Lead) { l.Email = "ann@example.com" })
	must(t, env, "workspace", "suspend", "--workspace", ws, "--reason", "unpaid")
	if text := must(t, env, "workspace", "list", "--json"); !strings.Contains(text, `"reason": "unpaid"`) {
		t.Errorf("workspace list = %s, want the reason", text)
	}
	must(t, env, "workspace", "resume", "--workspace", ws)
	for _, wrong := range [][]string{{"suspend", "--reason", ""}, {"delete", "--name", "Acme", "--without-export"}} {
		if text, err := command(env, append([]string{"workspace", wrong[0], "--workspace", ws}, wrong[1:]...)...); err == nil {
			t.Errorf("workspace %v = %s, want an error", wrong, text)
		}
	}
	must(t, env, "workspace", "suspend", "--workspace", ws, "--reason", "left")
	if _, err := command(env, "workspace", "delete", "--workspace", ws, "--name", "Acme"); err == nil ||
		!strings.Contains(err.Error(), "export") {
		t.Errorf("workspace delete before an export = %v, want that there is none", err)
	}
	out := filepath.Join(t.TempDir(), "acme.zip")
	must(t, env, "workspace", "export", "--workspace", ws, "--out", out)
	z, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	leads, err := z.Open("leads.csv")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(leads); err != nil || !strings.Contains(string(text), "ann@example.com") {
		t.Errorf("leads.csv = %s, %v, want the lead", text, err)
	}
	if _, err := command(env, "workspace", "export", "--workspace", ws, "--out", out); err == nil {
		t.Error("workspace export over a file = nil, want that it is kept")
	}
	must(t, env, "workspace", "delete", "--workspace", ws, "--name", "Acme")
	if text := must(t, env, "workspace", "deletions"); !strings.Contains(text, ws+"  erasing") {
		t.Errorf("workspace deletions = %s, want %s among them", text, ws)
	}
}
