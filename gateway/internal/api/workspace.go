package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/tenant"
)

// getWorkspace answers the workspace of the key; every key may see it.
func (a *api) getWorkspace(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	found, err := a.DB.GetWorkspace(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewWorkspace(found))
}

// updateWorkspace changes the settings that the merge patch holds, and answers the workspace as it is then.
func (a *api) updateWorkspace(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	changed, err := a.tenants.UpdateSettings(r.Context(), tenants.KeyOf(p), body)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewWorkspace(changed))
}
