package api

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"leadgate/shared/fault"
	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// webhook is an endpoint as the API shows it.
type webhook struct {
	ID          string   `json:"id"`
	URL         string   `json:"url"`
	Description string   `json:"description"`
	EventTypes  []string `json:"eventTypes"`
	Enabled     bool     `json:"enabled"`
	CreatedAt   string   `json:"createdAt"`
	UpdatedAt   string   `json:"updatedAt"`
	WorkspaceID string   `json:"workspaceId"`
	Secret      string   `json:"secret,omitempty"` // only in the answer that creates it
}

func showWebhook(e hook.Endpoint) webhook {
	return webhook{
		ID: id.Endpoint.Format(e.ID), URL: e.URL, Description: e.Description, EventTypes: e.EventTypes, Enabled: e.Enabled,
		CreatedAt: stamp(e.CreatedAt), UpdatedAt: stamp(e.UpdatedAt), WorkspaceID: id.Workspace.Format(e.WorkspaceID),
	}
}

// endpoint returns the endpoint the path names; another workspace's is as unknown as a malformed id.
func (a *api) endpoint(r *http.Request, p *tenant.Principal) (hook.Endpoint, error) {
	wanted, err := id.Endpoint.Parse(mux.Vars(r)["id"])
	if err != nil {
		return hook.Endpoint{}, fault.New(fault.NotFound, "Webhook endpoint not found")
	}
	return a.DB.GetEndpoint(r.Context(), p.WorkspaceID, wanted)
}

func stamp(t time.Time) string { return t.UTC().Format(lead.TimeFormat) }
