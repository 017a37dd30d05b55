package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// getEvent answers an event with its data and its deliveries, one for each endpoint that wanted it.
func (a *api) getEvent(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Event, "Event")
	if err != nil {
		return err
	}
	e, err := a.DB.GetEvent(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	found, err := a.DB.EventDeliveries(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	deliveries, err := a.showDeliveries(r, p, found)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, struct {
		fullEvent
		Deliveries []delivery `json:"deliveries"`
	}{showFullEvent(e), deliveries})
}
