package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// createSuppression keeps an email from coming back as a lead, in every spelling. Leads that have it stay.
func (a *api) createSuppression(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	var email, key string
	in := strictjson.NewReader(body, []string{"email"})
	for in.Next() {
		if typed, given := in.String(lead.EmailRule); given {
			var ok bool
			if email, key, ok = lead.ParseEmail(typed); !ok {
				in.Refuse(lead.EmailRule)
			}
		}
	}
	in.Require("email", lead.EmailRule)
	if err := in.Err(); err != nil {
		return err
	}
	// The entry names the workspace, not the email.
	if err := a.DB.Suppress(r.Context(), p.WorkspaceID, key, a.auditEntry(p, tenant.SuppressionCreated,
		id.Workspace.Format(p.WorkspaceID), nil)); err != nil {
		return err
	}
	return httpx.Data(w, http.StatusCreated, struct {
		Email string `json:"email"`
	}{email})
}

// deleteSuppression lets an email come back.
func (a *api) deleteSuppression(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	q := readParams(r)
	_, key, ok := lead.ParseEmail(q.Get("email"))
	if !ok {
		q.addError("email", lead.EmailRule+plusHint)
		return q.err()
	}
	was, err := a.DB.Unsuppress(r.Context(), p.WorkspaceID, key, a.auditEntry(p, tenant.SuppressionDeleted,
		id.Workspace.Format(p.WorkspaceID), nil))
	if err != nil {
		return err
	}
	if !was {
		return fault.New(fault.NotFound, "This email is not suppressed")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
