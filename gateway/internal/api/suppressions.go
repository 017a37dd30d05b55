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

// createSuppression keeps an email from coming back as a lead, in every spelling, or a phone as a lead without an
// email. Leads that have it stay.
func (a *api) createSuppression(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	var shown struct {
		Email string `json:"email,omitempty"`
		Phone string `json:"phone,omitempty"`
	}
	var key string
	in := strictjson.NewReader(body, []string{"email", "phone"})
	for in.Next() {
		typed, given := in.String("Must be a string")
		var ok bool
		switch {
		case !in.Given():
			in.Refuse("Must be an email, or a phone, and not null")
		case !given:
		case key != "":
			in.Refuse("Must be alone: one email, or one phone")
		case in.Name() == "email":
			if shown.Email, key, ok = lead.ParseEmail(typed); !ok {
				in.Refuse(lead.EmailRule)
			}
		default:
			if key, ok = phoneKey(p, typed); !ok {
				in.Refuse(lead.PhoneRule)
			}
			shown.Phone = key
		}
	}
	if key == "" && in.Err() == nil {
		in.RefuseMember("email", nil, lead.EmailRule)
	}
	if err := in.Err(); err != nil {
		return err
	}
	// The entry names the workspace, not the email.
	if err := a.DB.Suppress(r.Context(), p.WorkspaceID, key, a.auditEntry(p, tenant.SuppressionCreated,
		id.Workspace.Format(p.WorkspaceID), nil)); err != nil {
		return err
	}
	return httpx.Data(w, http.StatusCreated, shown)
}

// phoneKey is the key of a lead that has this phone and no email.
func phoneKey(p *tenant.Principal, typed string) (key string, ok bool) {
	number, ok := lead.ParsePhone(typed, p.Settings.DefaultRegion)
	return number.E164, ok
}

// deleteSuppression lets an email or a phone come back.
func (a *api) deleteSuppression(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	q := readParams(r)
	what := "email"
	_, key, ok := lead.ParseEmail(q.Get(what))
	switch {
	case q.Has("phone") && !q.Has("email"):
		what = "phone"
		if key, ok = phoneKey(p, q.Get(what)); !ok {
			q.addError(what, lead.PhoneRule+plusHint)
		}
	case !ok || q.Has("phone"):
		q.addError(what, lead.EmailRule+plusHint)
	}
	if err := q.err(); err != nil {
		return err
	}
	was, err := a.DB.Unsuppress(r.Context(), p.WorkspaceID, key, a.auditEntry(p, tenant.SuppressionDeleted,
		id.Workspace.Format(p.WorkspaceID), nil))
	if err != nil {
		return err
	}
	if !was {
		return fault.New(fault.NotFound, "This "+what+" is not suppressed")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
