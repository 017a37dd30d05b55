package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// submitForm takes what a visitor sent to a form.
func (a *api) submitForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	return a.Forms.Submit(w, r, mux.Vars(r)["formKey"])
}

// showForm tells a person who opens the address of a form what it is. It is the same for all addresses, so that nobody
// finds out by it which forms there are.
func (a *api) showForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	form.WriteAddress(w, r)
	return nil
}

// preflightForm answers a browser that asks whether a script may send a form.
func (a *api) preflightForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	return a.Forms.Preflight(w, r, mux.Vars(r)["formKey"])
}

// getFormToken gives a page the token that says when it was shown.
func (a *api) getFormToken(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	return a.Forms.Token(w, r, mux.Vars(r)["formKey"])
}

// getFormChallenge gives a page a proof of work to do.
func (a *api) getFormChallenge(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	return a.Forms.Challenge(w, r, mux.Vars(r)["formKey"])
}

// pathForm is the publishable key that the path names.
func (a *api) pathForm(r *http.Request, p *tenant.Principal) (tenant.Key, error) {
	k, err := a.pathKey(r, p)
	if err == nil && k.Form == nil {
		err = fault.New(fault.Conflict, "This key has no form: only a publishable key has one")
	}
	return k, err
}

// previewForm tells what a submission of a key's form would become, and stores nothing.
func (a *api) previewForm(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.pathForm(r, p)
	if err != nil {
		return err
	}
	body, err := httpx.ReadBody(w, r, form.MaxBody)
	if err != nil {
		return err
	}
	preview, err := form.Show(r.Header.Get("Content-Type"), body, k.Form.WithDefaults(), p.Settings.Rules())
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, preview)
}

// showThanks shows the page that thanks the visitor of a key's form.
func (a *api) showThanks(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.pathForm(r, p)
	if err != nil {
		return err
	}
	lang := r.URL.Query().Get("lang")
	if lang != "" && !slices.Contains(tenant.Languages(), lang) {
		return fault.InvalidField("lang", fault.Truncate(lang), "Must be one of: "+strings.Join(tenant.Languages(), ", "))
	}
	form.WriteThanks(w, r, k.Form.WithDefaults(), lang)
	return nil
}

type refusedOriginView struct {
	Origin *string `json:"origin"` // null: the request did not say
	LastAt string  `json:"lastAt"`
}

// listRefusedOrigins answers the origins whose pages may not use a key's form and tried to lately.
func (a *api) listRefusedOrigins(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.pathForm(r, p)
	if err != nil {
		return err
	}
	found, err := a.Forms.RefusedOrigins(r.Context(), k.WorkspaceID, k.ID)
	if err != nil {
		return err
	}
	shown := make([]refusedOriginView, len(found))
	for i, o := range found {
		if shown[i].LastAt = o.LastAt.Format(lead.TimeFormat); o.Origin != "" {
			shown[i].Origin = &o.Origin
		}
	}
	return httpx.Data(w, http.StatusOK, shown)
}
