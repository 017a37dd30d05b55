package console

import (
	"errors"
	"net/http"
	"net/url"

	"leadgate/shared/tenant"
)

const newLeadPath = Root + "/leads/new"

func newLeadRoutes() []route {
	return []route{
		{"GET", newLeadPath, tenant.LeadsWrite, newLead, []string{"GET /api/v1/workspace"}, nil},
		{"POST", newLeadPath, tenant.LeadsWrite, createLead, []string{"POST /api/v1/leads"}, newLead},
	}
}

type newLeadPage struct {
	Statuses []string
	Form     url.Values
}

// newLead asks for a lead that somebody called about, or left a card.
func newLead(v *visit) error {
	var w workspace
	if err := v.get("/api/v1/workspace", nil, &w); err != nil {
		return err
	}
	return v.show("lead-new.html", "New lead", newLeadPage{w.Statuses, v.form})
}

// createLead makes a lead. Where there is one with the email already it is shown: that is who was meant.
func createLead(v *visit) error {
	body := map[string]any{"source": "console"}
	for _, name := range []string{"email", "name", "phone", "status", "source"} {
		if values := given(v.r.PostForm, name); len(values) > 0 {
			body[name] = values[0]
		}
	}
	var l lead
	err := v.send(http.MethodPost, "/api/v1/leads", body, &l)
	if known := (*apiError)(nil); errors.As(err, &known) && known.ExistingLeadID != "" {
		return v.done(Root+"/leads/"+url.PathEscape(known.ExistingLeadID), "There is a lead of this address already: this one.")
	}
	if err != nil {
		return err
	}
	if !v.principal.May(tenant.LeadsRead) {
		return v.done(newLeadPath, "The lead was made.")
	}
	return v.done(Root+"/leads/"+url.PathEscape(l.ID), "The lead was made.")
}
