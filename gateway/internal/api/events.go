package api

import (
	"encoding/json"
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

var eventParams = []string{"eventType", "leadId", "chatbotId", "from", "until", "limit", "cursor"}

// eventType reads a type of events, of which webhook.test is one.
func (q *params) eventType() string {
	return q.choice("eventType", append(webhook.EventTypes(), webhook.WebhookTest)...)
}

// event is an event as lists show it.
type event struct {
	ID        string  `json:"id"`
	Type      string  `json:"type"`
	LeadID    *string `json:"leadId"`
	ChatbotID *string `json:"chatbotId"`
	CreatedAt string  `json:"createdAt"`
}

// fullEvent is an event with what is sent of it; null where it is of a lead and the key may not read leads.
type fullEvent struct {
	event
	Data json.RawMessage `json:"data"`
}

func showEvent(e pg.Event) event {
	return event{
		ID: id.Event.Format(e.ID), Type: e.Type, LeadID: optionalID(id.Lead, e.LeadID), ChatbotID: optionalID(id.Chatbot,
			e.ChatbotID), CreatedAt: stamp(e.CreatedAt),
	}
}

func showFullEvent(p *tenant.Principal, e pg.Event) fullEvent {
	shown := fullEvent{event: showEvent(e)}
	if mayReadEvent(p, e.Type) {
		shown.Data = e.Data
	}
	return shown
}

// mayReadEvent reports whether a key may read what events of a type hold, and what receivers answered to it.
func mayReadEvent(p *tenant.Principal, eventType string) bool {
	return p.May(tenant.LeadsRead) || !webhook.OfLeads(eventType)
}

// listEvents answers the workspace's events that the parameters pick, newest first.
func (a *api) listEvents(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	q := pg.EventQuery{Scan: a.PageScan, Type: params.eventType()}
	q.LeadID, q.ChatbotID = params.id("leadId", id.Lead), params.id("chatbotId", id.Chatbot)
	q.From, q.Until = params.timeRange("from", "until")
	q.Limit, q.Before = params.limit(), params.cursor(id.Event)
	if err := params.err(); err != nil {
		return err
	}
	if err := a.checkFilter(r, p, id.UUID{}, q.LeadID); err != nil {
		return err
	}
	if q.ChatbotID != (id.UUID{}) {
		if err := a.Auth.Chatbot(r.Context(), p.WorkspaceID, q.ChatbotID); err != nil {
			return err
		}
	}
	found, next, err := a.DB.FindEvents(r.Context(), p.WorkspaceID, q)
	if err != nil {
		return err
	}
	return httpx.Page(w, showAll(found, showEvent), nextCursor(id.Event, next))
}

// getEvent answers an event with its data and its deliveries, one for each endpoint that wanted it.
func (a *api) getEvent(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := pathRecord(r, p, id.Event, a.DB.GetEvent)
	if err != nil {
		return err
	}
	found, err := a.DB.EventDeliveries(r.Context(), p.WorkspaceID, e.ID)
	if err != nil {
		return err
	}
	deliveries, err := a.showDeliveries(r, p, found)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, struct {
		fullEvent
		Deliveries []delivery `json:"deliveries"`
	}{showFullEvent(p, e), deliveries})
}
