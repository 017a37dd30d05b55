package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
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
		ID: id.Replay.Format(r.ID), State: string(r.State), EndpointID: optionalID(id.Endpoint, f.EndpointID),
		States: f.States, EventType: optional(f.EventType),
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

// progress is how much of a replay is done, from 0 to 1; nil: nobody knows. What was sent or changed otherwise
// meanwhile is passed over, so one that is done need not have resent all.
func progress(r webhook.Replay) *float64 {
	switch {
	case r.State == webhook.ReplayDone:
		return new(1.0)
	case r.Total == nil:
		return nil
	}
	return new(min(1, float64(r.Resent)/float64(max(1, *r.Total))))
}

// createReplay begins to send again all deliveries that the body picks.
func (a *api) createReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	made, err := readReplay(body)
	if err != nil {
		return err
	}
	if err := a.checkFilter(r, p, made.Filter.EndpointID, made.Filter.LeadID); err != nil {
		return err
	}
	now := a.now()
	made.WorkspaceID, made.ID, made.State, made.CreatedAt, made.UpdatedAt = p.WorkspaceID, id.New(), webhook.ReplayRunning,
		now, now
	if err := a.DB.CreateReplay(r.Context(), made); err != nil {
		return err
	}
	a.wake(r, task.Replay(p.WorkspaceID, made.ID))
	shown := showReplay(made)
	httpx.AddLogField(r, "replay", shown.ID)
	locate(w, "/api/v1/replays/", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

func readReplay(body []byte) (made webhook.Replay, err error) {
	made.Rate = webhook.DefaultReplayRate
	f := &made.Filter
	r := strictjson.NewReader(body, []string{"endpointId", "states", "eventType", "leadId", "from", "until", "rate"})
	for r.Next() {
		switch r.Name() {
		case "endpointId":
			f.EndpointID = readID(r, id.Endpoint)
		case "states":
			f.States = readReplayStates(r)
		case "eventType":
			f.EventType = r.Choice(webhook.EventTypes())
		case "leadId":
			f.LeadID = readID(r, id.Lead)
		case "from":
			f.From = readTime(r)
		case "until":
			f.Until = readTime(r)
		case "rate":
			if r.Given() {
				made.Rate = r.Integer(1, webhook.MaxReplayRate)
			}
		}
	}
	if !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until) {
		r.Add(fault.Field{Field: "until", Pointer: "/until", Value: stamp(f.Until), Message: laterRule("from")})
	}
	if f.States == nil {
		f.States = []webhook.State{webhook.Exhausted, webhook.Held}
	}
	return made, r.Err()
}

// readReplayStates reads the states of the deliveries that are sent again.
func readReplayStates(r *strictjson.Reader) (states []webhook.State) {
	again := []webhook.State{webhook.Exhausted, webhook.Held, webhook.Delivered}
	choices := strings.Join(texts(again), ", ")
	found := r.List(len(again), func(_ int, text string) string {
		switch s := webhook.State(text); {
		case slices.Contains(again, s):
			return ""
		case s == webhook.Pending:
			return "Must not be pending: pending deliveries are sent anyway"
		case s == webhook.Cancelled:
			return "Must not be cancelled: their endpoint was deleted, their lead was erased, or they were tests"
		}
		return "Must be one of: " + choices
	})
	if found != nil && r.Empty() {
		r.Refuse("Must be a list of one or more of: " + choices)
	}
	for _, t := range found {
		states = append(states, webhook.State(t))
	}
	slices.Sort(states)
	return slices.Compact(states)
}

// getReplay answers a replay and its progress.
func (a *api) getReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return get(id.Replay, a.DB.GetReplay, showReplay)(w, r, p)
}

// listReplays answers the workspace's replays, newest first.
func (a *api) listReplays(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(r webhook.Replay) id.UUID { return r.ID }
	return list(id.Replay, a.DB.ListReplays, showReplay, idOf)(w, r, p)
}

// cancelReplay ends a running replay; what was resent stays resent. Cancelling again changes nothing; a finished replay
// is a CONFLICT.
func (a *api) cancelReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	cancel := func(ctx context.Context, workspace, replay id.UUID) (webhook.Replay, error) {
		return a.DB.CancelReplay(ctx, workspace, replay, a.now())
	}
	return change(id.Replay, cancel, showReplay)(w, r, p)
}
