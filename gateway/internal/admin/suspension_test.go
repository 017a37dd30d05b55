package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// suspension is what the admin API says of one.
type suspension struct {
	ID, Name   string
	Suspension *struct {
		Since, Reason string
		ExportedAt    *string
		Deleting      bool
	}
}

func TestAWorkspaceIsSuspendedAndResumed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws := b.named("Acme")
	page := "/admin/workspaces/" + id.Workspace.Format(ws)
	twin := "/admin/api/v1/workspaces/" + id.Workspace.Format(ws)
	for _, body := range []string{`{}`, `{"reason":" "}`, `{"reason":"` + strings.Repeat("x", 501) + `"}`, `{"why":"x"}`} {
		b.call("POST", twin+"/suspend", body, http.StatusBadRequest, nil)
	}
	if a := b.post(page+"/suspend", "reason="); a.status != http.StatusBadRequest || !strings.Contains(a.body, "<b>reason</b>") {
		t.Errorf("POST without a reason = %d %s, want the page with what is wrong", a.status, a.body)
	}
	a := b.post(page+"/suspend", url.Values{"reason": {"The bill of <March>"}}.Encode())
	if a.status != http.StatusSeeOther || a.header.Get("Location") != page+"/suspension?done=suspended" {
		t.Fatalf("POST suspend = %d %s", a.status, a.body)
	}
	var got suspension
	b.call("GET", twin, "", http.StatusOK, &got)
	if got.Suspension == nil || got.Suspension.Reason != "The bill of <March>" || got.Suspension.Since == "" {
		t.Errorf("GET the workspace = %+v, want why and since when", got)
	}
	for _, path := range []string{"", "/suspension"} {
		if a := b.look(page + path); !strings.Contains(a.body, "The bill of &lt;March&gt;") {
			t.Errorf("GET %s%s = %s, want the reason", page, path, a.body)
		}
	}
	if a := b.look("/admin/workspaces"); !strings.Contains(a.body, ">suspended</span>") {
		t.Errorf("GET workspaces = %s, want the suspended one marked", a.body)
	}
	b.call("POST", twin+"/console-sessions", `{"scopes":["leads:read","leads:write"]}`, http.StatusConflict, nil)
	if a := b.post(page+"/console", ""); a.status != http.StatusOK {
		t.Errorf("POST console = %d %s, want a look at a suspended workspace", a.status, a.body)
	}
	b.call("POST", twin+"/resume", "", http.StatusOK, &got)
	if got.Suspension != nil {
		t.Errorf("POST resume = %+v, want it resumed", got)
	}
	audit, err := b.db.ListAudit(t.Context(), ws, id.UUID{}, 10)
	if err != nil || audit[0].Action != tenant.WorkspaceResumed || audit[2].Action != tenant.WorkspaceSuspended {
		t.Errorf("audit = %+v, %v, want both", audit, err)
	}
	for _, do := range []string{"suspend", "resume"} {
		b.call("POST", "/admin/api/v1/workspaces/"+id.Workspace.Format(id.New())+"/"+do, `{"reason":"x"}`, http.StatusNotFound, nil)
	}
}
