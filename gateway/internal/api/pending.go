package api

import (
	"net/http"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// What is still to be built; each operation moves to a file of its own.

var (
	importParams []string
)

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
func (a *api) createImport(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) listImports(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) getImport(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) getImportErrors(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) cancelImport(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
