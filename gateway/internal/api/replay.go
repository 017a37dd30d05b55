package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// replay is a replay as the API shows it; what its filter leaves open is null.
type replay struct {
	ID         string          `json:"id"`
	State      string          `json:"state"`
	EndpointID *string         `json:"endpointId"`
	States     []webhook.State `json:"states"`
	EventType  *string         `json:"eventType"`
	LeadID     *string         `json:"leadId"`
	From       *string         `json:"from"`
	Until      *string         `json:"until"`
	Rate       int             `json:"rate"`
	Total      *int            `json:"total"`
	Resent     int             `json:"resent"`
	Progress   *float64        `json:"progress"`
	CreatedAt  string          `json:"createdAt"`
	UpdatedAt  string          `json:"updatedAt"`
	FinishedAt *string         `json:"finishedAt"`
}

func showReplay(r webhook.Replay) replay {
	f := &r.Filter
	shown := replay{
		ID: id.Replay.Format(r.ID), State: string(r.State), EndpointID: optionalID(id.Endpoint, f.EndpointID), States: f.States, EventType: optional(f.EventType),
		LeadID: optionalID(id.Lead, f.LeadID), Rate: r.Rate, Total: r.Total, Resent: r.Resent, Progress: progress(r),
		CreatedAt: stamp(r.CreatedAt), UpdatedAt: stamp(r.UpdatedAt), FinishedAt: optionalStamp(r.FinishedAt),
	}
	if !f.From.IsZero() {
		shown.From = optional(stamp(f.From))
	}
	if !f.Until.IsZero() {
		shown.Until = optional(stamp(f.Until))
	}
	return shown
}

// progress is how much of a replay is done, from 0 to 1; nil: nobody knows. What was sent or changed otherwise meanwhile is passed over,
// so one that is done need not have resent all.
func progress(r webhook.Replay) *float64 {
	switch {
	case r.State == webhook.ReplayDone:
		return new(1.0)
	case r.Total == nil:
		return nil
	}
	return new(min(1, float64(r.Resent)/float64(max(1, *r.Total))))
}

// replayID reads the id that the path names.
func replayID(r *http.Request) (id.UUID, error) {
	return pathID(mux.Vars(r)["id"], id.Replay, "Replay")
}
