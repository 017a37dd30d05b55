package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

func TestWorkspacesAreSearched(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	acme, other := b.named("Acme"), b.named("Other <i>")
	pgtest.Lead(t, b.db, acme)
	slow := limit.NewRate(1, time.Hour, 1) // so that it is still in use when the list is read
	rdb.Admit(t.Context(), b.redis, []rdb.AdmissionRequest{{Workspace: acme, Rate: slow}})
	for q, want := range map[string]string{"acm": "Acme", id.Workspace.Format(other): "Other &lt;i&gt;"} {
		a := b.look("/admin/workspaces?q=" + q)
		if a.status != http.StatusOK || !strings.Contains(a.body, ">"+want+"</a>") || strings.Count(a.body, "<small>ws_") != 1 {
			t.Errorf("GET workspaces?q=%s = %d %s, want %s alone", q, a.status, a.body, want)
		}
	}
	if a := b.look("/admin/workspaces?q=nobody"); !strings.Contains(a.body, "No workspace has that") {
		t.Errorf("GET workspaces that are not there = %s, want a page that says so", a.body)
	}
	var all []struct {
		Name   string
		Volume *struct {
			ReceivedToday int
			LastLeadAt    *string

			RateUsedPercent *int
		}
	}
	b.call("GET", "/admin/api/v1/workspaces?q=acme&volume=true", "", http.StatusOK, &all)
	if len(all) != 1 || all[0].Volume == nil || all[0].Volume.LastLeadAt == nil || all[0].Volume.RateUsedPercent == nil ||
		*all[0].Volume.RateUsedPercent == 0 {
		t.Errorf("GET workspaces with their volume = %+v, want Acme, when its last lead came, and that its rate is used", all)
	}
	b.call("GET", "/admin/api/v1/workspaces?volume=x", "", http.StatusBadRequest, nil)
	b.call("GET", "/admin/api/v1/workspaces?q="+strings.Repeat("x", 201), "", http.StatusBadRequest, nil)
	if a := b.look("/admin/workspaces?limit=1"); !strings.Contains(a.body, `rel="next"`) {
		t.Errorf("GET workspaces one by one = %s, want a link to the next page", a.body)
	}
}

func TestAWorkspaceIsMadeAndChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	made := b.post("/admin/workspaces", "name=Acme&rate=7")
	page, _, _ := strings.Cut(made.header.Get("Location"), "?")
	if made.status != http.StatusSeeOther || !strings.HasPrefix(page, "/admin/workspaces/ws_") {
		t.Fatalf("POST workspaces = %d to %q, want the page of the new one", made.status, page)
	}
	twin := "/admin/api/v1" + strings.TrimPrefix(page, "/admin")
	b.post(page, "name=Acme+Ltd&rate=9&burst=20")
	b.post(page+"/chatbots", "name=Site")
	key := b.post(page+"/keys", url.Values{"name": {"Shop"}, "mode": {"live"}, "scopes": {"leads:read"}}.Encode())
	if key.status != http.StatusOK || !strings.Contains(key.body, `id="secret">sk-workspace_`) {
		t.Errorf("POST keys = %d %s, want the secret", key.status, key.body)
	}
	var ws struct {
		Name        string
		Rate, Burst int
	}
	b.call("GET", twin, "", http.StatusOK, &ws)
	if ws.Name != "Acme Ltd" || ws.Rate != 9 || ws.Burst != 20 {
		t.Errorf("the workspace = %+v, want what the form said", ws)
	}
	shown := b.look(page)
	for _, want := range []string{"Acme Ltd", "Site", "Shop", "leads:read"} {
		if !strings.Contains(shown.body, want) {
			t.Errorf("GET %s = %s, want %q", page, shown.body, want)
		}
	}
	if strings.Contains(shown.body, "sk-workspace_") {
		t.Errorf("GET %s = %s, want the secret never again", page, shown.body)
	}
	var keys []struct {
		ID        string
		RevokedAt *string
	}
	b.call("GET", twin+"/keys", "", http.StatusOK, &keys)
	b.post(page+"/keys/"+keys[0].ID+"/revoke", "")
	if b.call("GET", twin+"/keys", "", http.StatusOK, &keys); keys[0].RevokedAt == nil {
		t.Errorf("the key = %+v, want it ended", keys[0])
	}
	if a := b.post(page, "name=&rate=many"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "<b>rate</b>") {
		t.Errorf("POST of a wrong rate = %d %s, want the page with what is wrong", a.status, a.body)
	}
	if a := b.post(page+"/keys", "name=x"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "what the key may do") {
		t.Errorf("POST of a key that may do nothing = %d %s, want the page with what is wrong", a.status, a.body)
	}
	for _, path := range []string{"", "/chatbots", "/console"} {
		if a := b.post("/admin/workspaces/"+id.Workspace.Format(id.New())+path, "name=x"); a.status != http.StatusNotFound {
			t.Errorf("POST of an unknown workspace%s = %d %s, want 404", path, a.status, a.body)
		}
	}
}

// The administrator looks into a workspace by a link that works once, may only read, and is audited.
func TestConsoleIsOpenedToReadOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws := b.named("Acme")
	a := b.post("/admin/workspaces/"+id.Workspace.Format(ws)+"/console", "")
	_, rest, ok := strings.Cut(a.body, `href="http://127.0.0.1:8080/console/open#`)
	link, _, _ := strings.Cut(rest, `"`)
	if a.status != http.StatusOK || !ok {
		t.Fatalf("POST console = %d %s, want a link to the API's listener", a.status, a.body)
	}
	hash, ok := tenant.HashLinkSecret(link)
	if !ok {
		t.Fatalf("the link has %q behind its #, want a secret", link)
	}
	opened, err := b.db.OpenSession(t.Context(), hash, [32]byte{1}, b.clock.Now(), func(tenant.Session) *tenant.AuditEntry {
		return nil
	})
	if err != nil || len(opened.Scopes) != 1 || opened.Scopes[0] != tenant.LeadsRead {
		t.Errorf("the session = %+v, %v, want one that may only read", opened, err)
	}
	audit, err := b.db.ListAudit(t.Context(), ws, id.UUID{}, 10)
	if err != nil || audit[0].Action != tenant.SessionCreated {
		t.Errorf("audit = %+v, %v, want the session in it", audit, err)
	}
	var made struct{ URL string }
	b.call("POST", "/admin/api/v1/workspaces/"+id.Workspace.Format(ws)+"/console-sessions", `{"scopes":["leads:read"]}`,
		http.StatusCreated, &made)
	if !strings.HasPrefix(made.URL, "http://127.0.0.1:8080/console/open#") {
		t.Errorf("POST console-sessions = %q, want a link to the API's listener", made.URL)
	}
}
