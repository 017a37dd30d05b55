package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

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

// createReplay begins to send again all deliveries that the body picks.
func (a *api) createReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := httpx.ReadJSON(w, r, maxBody)
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
	made.WorkspaceID, made.ID, made.State, made.CreatedAt, made.UpdatedAt = p.WorkspaceID, id.New(), webhook.ReplayRunning, now, now
	if err := a.DB.CreateReplay(r.Context(), made); err != nil {
		return err
	}
	a.wake(r, task.Replay(p.WorkspaceID, made.ID))
	shown := showReplay(made)
	httpx.AddLogField(r, "replay", shown.ID)
	w.Header().Set("Location", "/api/v1/replays/"+shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

func readReplay(body []byte) (made webhook.Replay, err error) {
	made.Rate = webhook.DefaultReplayRate
	f := &made.Filter
	r := strictjson.NewReader(body, []string{"endpointId", "states", "eventType", "leadId", "from", "until", "rate"})
	for r.Next() {
		switch r.Name() {
		case "endpointId":
			f.EndpointID = readID(r, id.Endpoint, "webhook endpoint")
		case "states":
			f.States = readReplayStates(r)
		case "eventType":
			f.EventType = r.Choice(webhook.EventTypes())
		case "leadId":
			f.LeadID = readID(r, id.Lead, "lead")
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
		r.Add(fault.Field{Field: "until", Pointer: "/until", Value: stamp(f.Until), Message: laterRule})
	}
	if f.States == nil {
		f.States = []webhook.State{webhook.Exhausted, webhook.Held}
	}
	return made, r.Err()
}

// readReplayStates reads which deliveries are sent again, by where they stand.
func readReplayStates(r *strictjson.Reader) (states []webhook.State) {
	again := []webhook.State{webhook.Exhausted, webhook.Held, webhook.Delivered}
	texts := r.List(len(again), func(_ int, text string) string {
		switch s := webhook.State(text); {
		case slices.Contains(again, s):
			return ""
		case s == webhook.Pending:
			return "Must not be pending: these are sent anyway"
		case s == webhook.Cancelled:
			return "Must not be cancelled: their endpoint was deleted"
		}
		return "Must be one of: " + join(again, ", ")
	})
	if texts != nil && r.Empty() {
		r.Refuse("Must be a list of one or more of: " + join(again, ", "))
	}
	for _, t := range texts {
		states = append(states, webhook.State(t))
	}
	slices.Sort(states)
	return slices.Compact(states)
}

func readID(r *strictjson.Reader, prefix id.Prefix, thing string) (u id.UUID) {
	text, given := r.String(idRule(prefix, thing))
	if !given {
		return u
	}
	u, err := prefix.Parse(text)
	if err != nil {
		r.Refuse(idRule(prefix, thing))
	}
	return u
}

func readTime(r *strictjson.Reader) (at time.Time) {
	text, given := r.String(timeRule)
	if !given {
		return at
	}
	at, ok := parseTime(text)
	if !ok {
		r.Refuse(timeRule)
	}
	return at
}

// getReplay answers a replay and how far it is.
func (a *api) getReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := replayID(r)
	if err != nil {
		return err
	}
	found, err := a.DB.GetReplay(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showReplay(found))
}

var replayParams = []string{"limit", "cursor"}

// listReplays answers the workspace's replays, newest first.
func (a *api) listReplays(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	limit, before := params.limit(), params.cursor(id.Replay)
	if err := params.err(); err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	found, err := a.DB.ListReplays(r.Context(), p.WorkspaceID, before, limit+1)
	if err != nil {
		return err
	}
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = id.Replay.Format(found[limit-1].ID)
	}
	shown := make([]replay, len(found))
	for i, f := range found {
		shown[i] = showReplay(f)
	}
	return httpx.Page(w, shown, next)
}

// cancelReplay ends a running replay; what it sent again stays so. Cancelling twice is no mistake, cancelling what is done is a CONFLICT.
func (a *api) cancelReplay(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := replayID(r)
	if err != nil {
		return err
	}
	if err := readNothing(w, r); err != nil {
		return err
	}
	ended, err := a.DB.CancelReplay(r.Context(), p.WorkspaceID, wanted, a.now())
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showReplay(ended))
}
