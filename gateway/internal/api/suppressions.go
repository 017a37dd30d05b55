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

const emailRule = "Must be a valid email address"

// createSuppression keeps an email from coming back as a lead, in every spelling. Leads that have it stay.
func (a *api) createSuppression(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return err
	}
	var email, key string
	in := strictjson.NewReader(body, []string{"email"})
	for in.Next() {
		if typed, given := in.String(emailRule); given {
			var ok bool
			if email, key, ok = lead.ParseEmail(typed); !ok {
				in.Refuse(emailRule)
			}
		}
	}
	in.Require("email", emailRule)
	if err := in.Err(); err != nil {
		return err
	}
	if err := a.DB.Suppress(r.Context(), p.WorkspaceID, key, a.suppressionNote(p, tenant.SuppressionCreated)); err != nil {
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
		q.refuse("email", emailRule+" (a + in a URL is written %2B)")
		return q.err()
	}
	was, err := a.DB.Unsuppress(r.Context(), p.WorkspaceID, key, a.suppressionNote(p, tenant.SuppressionDeleted))
	if err != nil {
		return err
	}
	if !was {
		return fault.New(fault.NotFound, "This email is not suppressed")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// suppressionNote tells who did it, and not to which email.
func (a *api) suppressionNote(p *tenant.Principal, action string) *tenant.AuditEntry {
	return tenant.NewAuditEntry(p.WorkspaceID, p.KeyID, action, id.Workspace.Format(p.WorkspaceID), nil, a.Now())
}
