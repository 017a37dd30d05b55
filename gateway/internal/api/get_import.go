package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

// getImport answers an import and how far it is.
func (a *api) getImport(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := importID(r)
	if err != nil {
		return err
	}
	found, err := a.DB.GetImport(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showImport(&found))
}
