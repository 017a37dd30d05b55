package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

// listWebhooks answers all of a workspace's endpoints with their backlogs, newest first: there are webhook.MaxEndpoints at most, so there is one page.
func (a *api) listWebhooks(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	all, err := a.DB.ListEndpoints(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	shown, err := a.showBacklogs(r, p, all, backlogOfAll)
	if err != nil {
		return err
	}
	return httpx.Page(w, shown, "")
}
