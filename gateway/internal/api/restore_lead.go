package api

import (
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// restoreLead brings a deleted lead back, with its id; with If-Match only the version that the client knows.
func (a *api) restoreLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Lead, "Lead")
	if err != nil {
		return err
	}
	httpx.Note(r, "lead", id.Lead.Format(wanted))
	m, err := readMatch(r)
	if err != nil {
		return err
	}
	u, err := a.DB.RestoreLead(r.Context(), p.WorkspaceID, wanted, p.Settings, m.check)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "No lead of this id was deleted in the last "+restorable+": it is unknown, or not deleted, or erased")
	}
	if err != nil {
		return intake.Conflict(err)
	}
	return a.answerUpdated(w, r, p, &u)
}

// restorable is lead.RestoreWithin in words.
var restorable = strconv.Itoa(int(lead.RestoreWithin.Hours()/24)) + " days"
