package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/shared/tenant"
)

// submitForm takes what a visitor sent to a form.
func (a *api) submitForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	return a.Forms.Submit(w, r, mux.Vars(r)["formKey"])
}

// preflightForm answers a browser that asks whether a script may send a form.
func (a *api) preflightForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	return a.Forms.Preflight(w, r, mux.Vars(r)["formKey"])
}
