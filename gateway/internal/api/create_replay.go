package api

import (
	"net/http"
	"slices"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

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
	now := a.moment()
	made.WorkspaceID, made.ID, made.State, made.CreatedAt, made.UpdatedAt = p.WorkspaceID, id.New(), webhook.ReplayRunning, now, now
	if err := a.DB.CreateReplay(r.Context(), made); err != nil {
		return err
	}
	a.wake(r, task.Replay(p.WorkspaceID, made.ID))
	shown := showReplay(made)
	httpx.Note(r, "replay", shown.ID)
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
