package api

import (
	"net/http"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// What is still to be built; each operation moves to a file of its own.

var (
	createParams []string
	leadParams   []string
	exportParams []string
	importParams []string
)

func pending() error { return fault.New(fault.NotFound, "Not built yet") }

func (a *api) listLeads(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) createLeads(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) exportLeads(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
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
func (a *api) getWorkspace(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) updateWorkspace(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) createChatbot(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) listChatbots(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) getChatbot(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) updateChatbot(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) deleteChatbot(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) createKey(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) listKeys(http.ResponseWriter, *http.Request, *tenant.Principal) error { return pending() }
func (a *api) getKey(http.ResponseWriter, *http.Request, *tenant.Principal) error   { return pending() }
func (a *api) updateKey(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) rotateKey(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) revokeKey(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
func (a *api) listAudit(http.ResponseWriter, *http.Request, *tenant.Principal) error {
	return pending()
}
