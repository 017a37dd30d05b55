package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// createWebhook answers the endpoint with its signing secret, which is shown this once.
func (a *api) createWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return err
	}
	e, err := a.readWebhook(body)
	if err != nil {
		return err
	}
	now := a.Now().UTC().Truncate(time.Millisecond)
	e.WorkspaceID, e.ID, e.Secret, e.Enabled, e.CreatedAt, e.UpdatedAt = p.WorkspaceID, id.New(), hook.NewSecret(), true, now, now
	if err := a.DB.CreateEndpoint(r.Context(), e); err != nil {
		return err
	}
	shown := showWebhook(e)
	shown.Secret = e.Secret
	httpx.Note(r, "endpoint", shown.ID)
	w.Header().Set("Location", "/api/v1/webhooks/"+shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

func (a *api) readWebhook(body []byte) (e hook.Endpoint, err error) {
	types := append(hook.EventTypes(), hook.EventGroups()...)
	r := strictjson.NewReader(body, []string{"url", "eventTypes", "description"})
	for r.Next() {
		switch r.Name() {
		case "url":
			url, given := r.String("Must be a string")
			if wrong := a.WebhookURL(url); given && wrong != "" {
				r.Refuse(wrong)
			}
			e.URL = url
		case "eventTypes":
			e.EventTypes = r.Texts(len(types), 100)
			known := !slices.ContainsFunc(e.EventTypes, func(t string) bool { return !slices.Contains(types, t) })
			if e.EventTypes != nil && len(e.EventTypes) == 0 || !known {
				r.Refuse("Must be a list of one or more of: " + strings.Join(types, ", "))
			}
		case "description":
			e.Description = r.Text(hook.MaxDescription)
		}
	}
	r.Require("url", "Must be the URL that events are sent to")
	if e.EventTypes == nil {
		e.EventTypes = hook.EventGroups()
	}
	slices.Sort(e.EventTypes)
	e.EventTypes = slices.Compact(e.EventTypes)
	return e, r.Err()
}
