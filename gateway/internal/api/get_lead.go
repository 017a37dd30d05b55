package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// getLead answers a lead with its enrichment, which is null until facts were found.
func (a *api) getLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := id.Lead.Parse(mux.Vars(r)["id"])
	if err != nil {
		return fault.New(fault.NotFound, "Lead not found")
	}
	l, err := a.DB.GetLead(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	return a.answerLead(w, http.StatusOK, &l, true)
}
