package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

// getReplay answers a replay and how far it is.
func (a *api) getReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := replayID(r)
	if err != nil {
		return err
	}
	found, err := a.DB.GetReplay(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showReplay(found))
}
