package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// submitForm takes what a visitor sent to a form.
func (a *api) submitForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	return a.Forms.Submit(w, r, mux.Vars(r)["formKey"])
}

// showForm tells a person who opens the address of a form what it is. It is the same for all addresses, so that nobody
// finds out by it which forms there are.
func (a *api) showForm(w http.ResponseWriter, _ *http.Request, _ *tenant.Principal) error {
	form.WriteAddress(w)
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

// previewForm tells what a submission of a key's form would become, and stores nothing.
func (a *api) previewForm(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.pathKey(r, p)
	if err != nil {
		return err
	}
	if k.Form == nil {
		return fault.New(fault.Conflict, "This key has no form: only a publishable key has one")
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
