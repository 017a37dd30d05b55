package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// getDelivery answers a delivery with its newest attempts and its event, which is null when it is kept no longer.
func (a *api) getDelivery(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Delivery, "Delivery")
	if err != nil {
		return err
	}
	found, err := a.DB.GetDelivery(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	shown, err := a.showWhole(r, p, found)
	if err != nil {
		return err
	}
	answer := struct {
		delivery
		Event *fullEvent `json:"event"`
	}{delivery: shown}
	e, err := a.DB.GetEvent(r.Context(), p.WorkspaceID, found.EventID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil {
		full := showFullEvent(e)
		answer.Event = &full
	}
	return httpx.Data(w, http.StatusOK, answer)
}
