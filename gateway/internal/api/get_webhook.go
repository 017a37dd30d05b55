package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// getWebhook answers an endpoint with its backlog and without its secret.
func (a *api) getWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p)
	if err != nil {
		return err
	}
	shown, err := a.showBacklogs(r, p, []webhook.Endpoint{e}, backlogOfOne)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, shown[0])
}
