package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// getLead answers a lead with its enrichment, which is null until facts were found.
func (a *api) getLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Lead, "Lead")
	if err != nil {
		return err
	}
	l, err := a.DB.GetLead(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	return a.answerLead(w, http.StatusOK, &l, true)
}
