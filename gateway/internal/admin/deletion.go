package admin

import (
	"encoding/json"
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
)

const (
	deletionsPath = root + "deletions"
	deletionsAPI  = apiPath + "/deletions"
)

// deletionRoutes are those about what becomes of a workspace at its end.
func (s *server) deletionRoutes() []route {
	const workspace = apiPath + "/workspaces/{ws}"
	return []route{
		{"GET", workspace + "/export", private, s.exportWorkspace,
			"format is csv or ndjson; answers a ZIP archive of all leads and submissions"},
		{"POST", workspace + "/deletion", private, s.deleteWorkspace,
			"name, withoutExport; of a suspended workspace: a worker erases all that it has, which nothing ends"},
		{"GET", deletionsAPI, private, s.listDeletions, "limit, cursor; deletions under way, and receipts of those that are done"},
		{"GET", deletionsAPI + "/{ws}", private, s.getDeletion, "answers how far it is, and how many rows were erased by table"},

		{"GET", workspacePath + "/export", page, s.exportWorkspace, ""},
		{"POST", workspacePath + "/deletion", page, s.visited(deletionForm), ""},
		{"GET", deletionsPath, page, s.visited(deletionsPage), ""},
	}
}

func (s *server) deleteWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, body, err := workspaceBody(w, r)
	if err != nil {
		return err
	}
	made, err := s.tenantsOf(r).Delete(r.Context(), ws, body)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusAccepted, tenants.ViewDeletion(made))
}

func (s *server) listDeletions(w http.ResponseWriter, r *http.Request) error {
	before, limit, err := paging(r, id.Workspace)
	if err != nil {
		return err
	}
	all, err := s.tenants.DB.ListDeletions(r.Context(), before, limit+1)
	if err != nil {
		return err
	}
	return list(w, all, limit, tenants.ViewDeletion, func(v tenants.DeletionView) string { return v.WorkspaceID })
}

func (s *server) getDeletion(w http.ResponseWriter, r *http.Request) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	d, err := s.tenants.DB.GetDeletion(r.Context(), ws)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewDeletion(d))
}

func deletionForm(v *visit) error {
	ws, err := workspace(v.r)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"name": v.r.PostForm.Get("name"),
		"withoutExport": v.r.PostForm.Get("withoutExport") != ""})
	if err != nil {
		return err
	}
	if _, err := v.tenantsOf(v.r).Delete(v.r.Context(), ws, body); err != nil {
		if fault.Is(err, fault.NotFound) {
			return err
		}
		return v.again(err, suspensionPage)
	}
	return v.done(deletionsPath, "deleting")
}

func deletionsPage(v *visit) error {
	before, limit, err := paging(v.r, id.Workspace)
	if err != nil {
		return err
	}
	all, err := v.tenants.DB.ListDeletions(v.r.Context(), before, limit+1)
	if err != nil {
		return err
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = withCursor(v.r.URL, id.Workspace.Format(all[limit-1].Workspace))
	}
	views := make([]tenants.DeletionView, len(all))
	for i, d := range all {
		views[i] = tenants.ViewDeletion(d)
	}
	return v.show("deletions.html", "Deleted workspaces", struct {
		Deletions []tenants.DeletionView
		Next      string
	}{views, next})
}
