package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

// listWebhooks answers all of a workspace's endpoints, newest first: there are hook.MaxEndpoints at most, so there is one page.
func (a *api) listWebhooks(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	all, err := a.DB.ListEndpoints(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	shown := make([]webhook, len(all))
	for i, e := range all {
		shown[i] = showWebhook(e)
	}
	return httpx.Page(w, shown, "")
}
