package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// resendDelivery makes a delivery due now, and one that is not pending begins its schedule anew. Its endpoint's breaker, rate and order still hold.
func (a *api) resendDelivery(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Delivery, "Delivery")
	if err != nil {
		return err
	}
	if err := readNothing(w, r); err != nil {
		return err
	}
	sent, err := a.DB.ResendDelivery(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	httpx.Note(r, "delivery", id.Delivery.Format(sent.ID))
	a.wake(r, task.Drain(p.WorkspaceID, sent.EndpointID))
	shown, err := a.showDeliveries(r, p, []webhook.Delivery{sent})
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusAccepted, shown[0])
}
