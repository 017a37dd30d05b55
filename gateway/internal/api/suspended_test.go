package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/tenant"
)

// Within a second every gateway refuses what is of a suspended workspace, and says why to programs; a visitor of a form
// reads what a visitor needs to know. Nothing is taken in, a neighbour notices nothing, and all works again afterwards.
func TestSuspendedWorkspace(t *testing.T) {
	t.Parallel()
	a := setupForms(t)
	b := a.mustOther(t)
	neighbour := a.mustWorkspace(t, tenant.Settings{})
	path := a.mustForm(t, a.owner, tenant.Form{Origins: []string{site}})
	service := tenants.Service{DB: a.db, Now: time.Now}
	a.mustCreate(t, a.owner, "before@example.com")
	b.mustCreate(t, b.owner, "also-before@example.com")
	if _, err := service.Suspend(t.Context(), a.workspace, []byte(`{"reason":"the bill of March"}`)); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]*bundle{"first": a, "second": b} {
		at.forward(time.Second)
		for what, got := range map[string]answer{
			"a lead":   at.send(t, at.secret, "POST", "/api/v1/leads", `{"email":"x@example.com"}`),
			"a list":   at.send(t, at.secret, "GET", "/api/v1/leads", ""),
			"a form":   at.fetch(t, path, `{"email":"y@example.com"}`),
			"settings": at.send(t, at.secret, "GET", "/api/v1/workspace", ""),
		} {
			got.wantError(t, what+" at the "+name, http.StatusForbidden, "WORKSPACE_SUSPENDED")
			if strings.Contains(got.text, "March") || !strings.Contains(got.text, `"suspendedAt":"`) {
				t.Errorf("%s at the %s = %s, want since when, and no reason", what, name, got.text)
			}
		}
		page := at.submit(t, path, "email=z@example.com")
		if page.status != http.StatusForbidden || !strings.Contains(page.text, "This form is closed") ||
			strings.Contains(page.text, "suspended") {
			t.Errorf("the form of a page at the %s = %d %s, want a page that a visitor understands", name, page.status, page.text)
		}
		at.mustCreate(t, neighbour, name+"@example.com")
	}
	if got := len(a.mustLeads(t, a.owner)); got != 2 {
		t.Errorf("the workspace has %d leads, want the two of before", got)
	}
	if _, err := service.Resume(t.Context(), a.workspace); err != nil {
		t.Fatal(err)
	}
	for _, at := range []*bundle{a, b} {
		at.forward(time.Second)
		if got := at.fetch(t, path, `{"email":"after@example.com"}`); got.text != received {
			t.Errorf("the form after it = %d %s, want it taken", got.status, got.text)
		}
	}
	a.mustCreate(t, a.owner, "x@example.com")
	audit := a.send(t, a.secret, "GET", "/api/v1/audit", "")
	if !strings.Contains(audit.text, tenant.WorkspaceSuspended) || !strings.Contains(audit.text, tenant.WorkspaceResumed) {
		t.Errorf("GET /api/v1/audit = %s, want the suspension and its end", audit.text)
	}
}
