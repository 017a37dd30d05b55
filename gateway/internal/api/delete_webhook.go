package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// deleteWebhook takes an endpoint away. Its deliveries can be read for as long as they are kept; those that wait are cancelled.
func (a *api) deleteWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := endpointID(r)
	if err != nil {
		return err
	}
	if err := a.DB.DeleteEndpoint(r.Context(), p.WorkspaceID, wanted); err != nil {
		return err
	}
	a.Waker.Dismiss(task.Drain(p.WorkspaceID, wanted))
	httpx.Note(r, "endpoint", id.Endpoint.Format(wanted))
	w.WriteHeader(http.StatusNoContent)
	return nil
}
