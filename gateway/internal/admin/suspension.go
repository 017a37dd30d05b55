package admin

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/tenant"
)

// suspensionPath is the page on which a workspace is suspended.
const suspensionPath = workspacePath + "/suspension"

// suspensionRoutes are those about the end of a workspace, or a rest of it.
func (s *server) suspensionRoutes() []route {
	const api = apiPath + "/workspaces/{ws}"
	return []route{
		{"POST", api + "/suspend", private, s.suspendWorkspace,
			"reason, for administrators; its keys, forms and sessions are refused within a second, and nothing is sent"},
		{"POST", api + "/resume", private, s.resumeWorkspace, "ends the suspension; what waited is sent"},

		{"GET", suspensionPath, page, s.visited(suspensionPage), ""},
		{"POST", workspacePath + "/suspend", page, s.visited(suspendForm), ""},
		{"POST", workspacePath + "/resume", page, s.visited(resumeForm), ""},
	}
}

func (s *server) suspendWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, body, err := workspaceBody(w, r)
	if err != nil {
		return err
	}
	suspended, err := s.tenantsOf(r).Suspend(r.Context(), ws, body)
	return answerWorkspace(w, suspended, err)
}

func (s *server) resumeWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	resumed, err := s.tenantsOf(r).Resume(r.Context(), ws)
	return answerWorkspace(w, resumed, err)
}

func answerWorkspace(w http.ResponseWriter, changed tenant.Workspace, err error) error {
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewLimits(changed))
}

func suspensionPage(v *visit) error {
	ws, err := workspace(v.r)
	if err != nil {
		return err
	}
	found, err := v.tenants.DB.GetWorkspace(v.r.Context(), ws)
	if err != nil {
		return err
	}
	view := tenants.ViewLimits(found)
	return v.show("suspension.html", "Suspend "+view.Name, struct{ Workspace tenants.LimitsView }{view})
}

func suspendForm(v *visit) error {
	ws, err := workspace(v.r)
	if err == nil {
		_, err = v.tenantsOf(v.r).Suspend(v.r.Context(), ws, v.body([]string{"reason"}, nil))
	}
	return v.suspension(err, "suspended")
}

func resumeForm(v *visit) error {
	ws, err := workspace(v.r)
	if err == nil {
		_, err = v.tenantsOf(v.r).Resume(v.r.Context(), ws)
	}
	return v.suspension(err, "resumed")
}

// suspension leads back to the page of the suspension, which says what was done, or what was not taken.
func (v *visit) suspension(err error, what string) error {
	if err != nil {
		return v.again(err, suspensionPage)
	}
	return v.done(workspacesPath+"/"+mux.Vars(v.r)["ws"]+"/suspension", what)
}
