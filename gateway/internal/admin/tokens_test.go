package admin_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/admin"
	"leadgate/shared/config"
	"leadgate/shared/id"
)

// Each administrator has a token: pages and the audit say whose it was, and taking it out of the file ends what it
// opened, and nothing else.
func TestTokensHaveNames(t *testing.T) {
	t.Parallel()
	const alice, ci = "a-token-of-alice-for-tests", "a-token-of-ci-for-tests"
	file := filepath.Join(t.TempDir(), "tokens")
	b := setup(t, func(d *admin.Deps) {
		d.Token = config.WatchedSecret{Secret: config.Secret("admin=" + token + " alice=" + alice + " ci=" + ci), File: file}
	})
	session := func(token string) []string {
		value, _, _ := strings.Cut(b.login(token, "").header.Get("Set-Cookie"), ";")
		return []string{"Cookie", value, "Accept", "text/html"}
	}
	ofAlice, ofCI := session(alice), session(ci)
	for _, path := range []string{"/admin/", "/admin/workspaces/" + id.Workspace.Format(id.New())} { // a page, and a failure
		if a := b.do(b.request("GET", path, "", ofAlice...)); !strings.Contains(a.body, "Signed in as alice") {
			t.Errorf("GET %s of alice = %d %s, want her name", path, a.status, a.body)
		}
	}
	ws := b.named("Acme")
	path := "/admin/workspaces/" + id.Workspace.Format(ws)
	for _, form := range []string{"/chatbots", "/console", ""} {
		if a := b.do(b.request("POST", path+form, "name=Site", append(ofAlice, "Content-Type",
			"application/x-www-form-urlencoded")...)); a.status >= 400 {
			t.Fatalf("POST %s%s = %d %s", path, form, a.status, a.body)
		}
	}
	entries, err := b.db.ListAudit(t.Context(), ws, id.UUID{}, 10)
	if err != nil || len(entries) != 4 {
		t.Fatalf("audit = %+v, %v, want four entries", entries, err)
	}
	for i, want := range []string{"alice", "alice", "alice", "admin"} {
		if got := entries[i].Details["administrator"]; got != want {
			t.Errorf("%s was done by %v, want %s", entries[i].Action, got, want)
		}
	}
	if err := os.WriteFile(file, []byte("ci="+ci+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.clock.Forward(time.Second)
	for name, c := range map[string]struct {
		header []string
		want   int
	}{"a session of alice": {ofAlice, http.StatusUnauthorized}, "a session of ci": {ofCI, http.StatusOK},
		"the token of alice": {[]string{"Authorization", "Bearer " + alice}, http.StatusUnauthorized},
		"the token of ci":    {[]string{"Authorization", "Bearer " + ci}, http.StatusOK}} {
		if a := b.do(b.request("GET", "/admin/", "", c.header...)); a.status != c.want {
			t.Errorf("GET with %s once alice is out of the file = %d, want %d", name, a.status, c.want)
		}
	}
}
