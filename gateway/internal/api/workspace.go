package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// workspace is a workspace as its own keys see it, its defaults filled in.
type workspace struct {
	ID             string        `json:"id"`
	Name           string        `json:"name"`
	Mode           tenant.Mode   `json:"mode"`
	Rate           int           `json:"rate"`
	Burst          int           `json:"burst"`
	RateCeiling    int           `json:"rateCeiling"` // the operator's
	BurstCeiling   int           `json:"burstCeiling"`
	Statuses       []string      `json:"statuses"`
	Dedupe         tenant.Dedupe `json:"dedupe"`
	AllowedOrigins []string      `json:"allowedOrigins"`
	RetrySchedule  []int         `json:"retrySchedule"` // seconds before each attempt
	CreatedAt      string        `json:"createdAt"`
	UpdatedAt      string        `json:"updatedAt"`
}

func showWorkspace(w tenant.Workspace) workspace {
	s := w.Settings.WithDefaults()
	limit := s.Limit()
	shown := workspace{
		ID: id.Workspace.Format(w.ID), Name: w.Name, Mode: tenant.ModeOf(w.TestOf != id.UUID{}),
		Rate: limit.PerSecond, Burst: limit.Burst, RateCeiling: s.Rate, BurstCeiling: s.Burst,
		Statuses: s.Statuses, Dedupe: fallback(s.Dedupe, tenant.DedupeWorkspace), AllowedOrigins: append([]string{}, s.AllowedOrigins...), RetrySchedule: s.RetrySchedule,
		CreatedAt: stamp(w.CreatedAt), UpdatedAt: stamp(w.UpdatedAt),
	}
	if len(shown.RetrySchedule) == 0 {
		for _, wait := range webhook.DefaultSchedule() {
			shown.RetrySchedule = append(shown.RetrySchedule, int(wait/time.Second))
		}
	}
	return shown
}

// getWorkspace answers the workspace of the key: every key may know whose it is.
func (a *api) getWorkspace(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	found, err := a.DB.GetWorkspace(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showWorkspace(found))
}
