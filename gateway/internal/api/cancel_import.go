package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

// cancelImport ends an import; the leads it made stay. Cancelling twice is no mistake, cancelling what has ended is a CONFLICT.
// The file is deleted with the worker's next round, or by upkeep.
func (a *api) cancelImport(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := importID(r)
	if err != nil {
		return err
	}
	if err := readNothing(w, r); err != nil {
		return err
	}
	ended, err := a.DB.CancelImport(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showImport(&ended))
}
