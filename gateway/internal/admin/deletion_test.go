package admin_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testbrowser"
)

// mustUnzip returns the files of an archive.
func mustUnzip(t *testing.T, text string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader([]byte(text)), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
	}
	return files
}

// What a workspace has can be taken along before it is deleted, and it is deleted by its name only.
func TestAWorkspaceIsExportedAndDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws, other := b.named("Acme"), b.named("Other")
	pgtest.Lead(t, b.db, ws, func(l *lead.Lead) { l.Email = "ann@example.com" })
	pgtest.Lead(t, b.db, other, func(l *lead.Lead) { l.Email = "other@example.com" })
	page := "/admin/workspaces/" + id.Workspace.Format(ws)
	twin := "/admin/api/v1/workspaces/" + id.Workspace.Format(ws)
	b.call("POST", twin+"/deletion", `{"name":"Acme","withoutExport":true}`, http.StatusConflict, nil)
	b.call("POST", twin+"/suspend", `{"reason":"left"}`, http.StatusOK, nil)
	b.call("POST", twin+"/deletion", `{"name":"Acme"}`, http.StatusConflict, nil)
	b.call("POST", twin+"/deletion", `{"name":"acme","withoutExport":true}`, http.StatusBadRequest, nil)
	b.call("GET", twin+"/export?format=xls", "", http.StatusBadRequest, nil)

	for format, want := range map[string]string{"csv": "ann@example.com", "ndjson": `"email":"ann@example.com"`} {
		a := b.call("GET", twin+"/export?format="+format, "", http.StatusOK, nil)
		files := mustUnzip(t, a.body)
		if a.header.Get("Content-Type") != "application/zip" || len(files) != 2 || !strings.Contains(files["leads."+format], want) ||
			strings.Contains(files["leads."+format], "other@") {
			t.Errorf("export = %v with %v, want the leads of the workspace and its submissions", a.header, files)
		}
		if _, ok := files["submissions."+format]; !ok {
			t.Errorf("export has %v, want submissions.%s", files, format)
		}
	}
	var got suspension
	if b.call("GET", twin, "", http.StatusOK, &got); got.Suspension.ExportedAt == nil {
		t.Errorf("the workspace = %+v, want that it was exported", got)
	}
	if a := b.post(page+"/deletion", "name=Other"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "<b>name</b>") {
		t.Errorf("POST of another name = %d %s, want the page with what is wrong", a.status, a.body)
	}
	a := b.post(page+"/deletion", url.Values{"name": {"Acme"}}.Encode())
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/admin/deletions?done=deleting" {
		t.Fatalf("POST deletion = %d %s, want the list of deletions", a.status, a.body)
	}
	var d tenants.DeletionView
	b.call("GET", "/admin/api/v1/deletions/"+id.Workspace.Format(ws), "", http.StatusOK, &d)
	if d.State != "erasing" || d.RequestedBy == nil || *d.RequestedBy == "" || d.ExportedAt == nil {
		t.Errorf("GET deletion = %+v, want who wants it, and that there is an export", d)
	}
	b.call("POST", twin+"/resume", "", http.StatusConflict, nil)
	b.call("GET", "/admin/api/v1/deletions/"+id.Workspace.Format(other), "", http.StatusNotFound, nil)

	for done, pass := false, (pg.WorkspacePass{}); !done; { // as a worker does
		var err error
		if _, done, err = b.db.EraseWorkspace(t.Context(), ws, id.UUID{}, &pass, 100); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.db.EndWorkspace(t.Context(), ws); err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.FinishDeletion(t.Context(), ws); err != nil {
		t.Fatal(err)
	}
	b.call("GET", twin, "", http.StatusNotFound, nil)
	var all []tenants.DeletionView
	list := b.call("GET", "/admin/api/v1/deletions", "", http.StatusOK, &all)
	if len(all) != 1 || all[0].State != "done" || all[0].Erased["leads"] != 1 || strings.Contains(list.body, "Acme") {
		t.Errorf("GET deletions = %s, want the receipt, without a name", list.body)
	}
	if a := b.look("/admin/deletions"); !strings.Contains(a.body, id.Workspace.Format(ws)) || !strings.Contains(a.body, "Done") {
		t.Errorf("GET /admin/deletions = %s, want the receipt", a.body)
	}
}

// An administrator suspends, resumes, exports and deletes a workspace without leaving its pages.
func TestWalkToTheEndOfAWorkspace(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws := b.named("Acme Corporation")
	path := "/admin/workspaces/" + id.Workspace.Format(ws)
	p := testbrowser.New(t)
	p.Open(b.url + "/admin/login")
	p.Fill("#token", token)
	p.Click("main button")
	p.WaitText("deliveries are due")
	p.Open(b.url + path)
	p.Click("a[href='" + path + "/suspension']")
	p.WaitText("refused within a second")
	p.WantWell("suspend")
	p.Fill("#reason", "The bill of March is not paid")
	p.Click("button.danger")
	p.WaitText("The workspace is suspended")
	p.WantWell("suspended")
	p.Open(b.url + path)
	p.WaitText("The bill of March is not paid")
	p.Open(b.url + path + "/suspension")
	p.Click("main form[action$='/resume'] button")
	p.WaitText("works again")
	p.Fill("#reason", "They leave")
	p.Click("button.danger")
	p.WaitText("The workspace is suspended")
	p.Click("#without-export")
	p.Fill("#confirm-name", "Acme Corporation")
	p.Click("form[action$='/deletion'] button")
	p.WaitText("being deleted by a worker")
	p.WantWell("deletions")
	p.Open(b.url + path + "/suspension")
	p.WaitText("See how far the deletion is")
}
