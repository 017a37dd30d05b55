package api

import (
	"net/http"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// What is still to be built; each operation moves to a file of its own.

func pending() error { return fault.New(fault.NotFound, "Not built yet") }

func (a *api) updateLead(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) deleteLead(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) restoreLead(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) createSuppression(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) deleteSuppression(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
