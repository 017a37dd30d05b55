package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

// cancelReplay ends a running replay; what it sent again stays so. Cancelling twice is no mistake, cancelling what is done is a CONFLICT.
func (a *api) cancelReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := replayID(r)
	if err != nil {
		return err
	}
	if err := readNothing(w, r); err != nil {
		return err
	}
	ended, err := a.DB.CancelReplay(r.Context(), p.WorkspaceID, wanted, a.moment())
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showReplay(ended))
}
