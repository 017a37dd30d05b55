package api

import (
	"net/http"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// delivery is a delivery as the API shows it; what there was no answer or no failure for is null.
type delivery struct {
	ID            string    `json:"id"`
	EndpointID    string    `json:"endpointId"`
	EventID       string    `json:"eventId"`
	EventType     string    `json:"eventType"`
	LeadID        *string   `json:"leadId"`
	State         string    `json:"state"`
	Attempts      []attempt `json:"attempts"`
	AttemptCount  int       `json:"attemptCount"`
	NextAttemptAt *string   `json:"nextAttemptAt"`
	LastStatus    *int      `json:"lastStatus"`
	LastError     *string   `json:"lastError"`
	CreatedAt     string    `json:"createdAt"`
	UpdatedAt     string    `json:"updatedAt"`
}

type attempt struct {
	Number       int     `json:"number"`
	Status       *int    `json:"status"`
	Error        *string `json:"error"`
	ResponseHead *string `json:"responseHead"` // null in lists
	LatencyMs    int64   `json:"latencyMs"`
	At           string  `json:"at"`
}

// showDeliveries shows deliveries with their newest attempts.
func (a *api) showDeliveries(r *http.Request, p *tenant.Principal, found []webhook.Delivery) ([]delivery, error) {
	ids := make([]id.UUID, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	attempts, err := a.DB.ListBareAttempts(r.Context(), p.WorkspaceID, ids)
	if err != nil {
		return nil, err
	}
	shown := make([]delivery, len(found))
	for i, d := range found {
		shown[i] = showDelivery(d, attempts[d.ID])
	}
	return shown, nil
}

// showWhole shows one delivery with its newest attempts and what they were answered.
func (a *api) showWhole(r *http.Request, p *tenant.Principal, d webhook.Delivery) (delivery, error) {
	attempts, err := a.DB.ListAttempts(r.Context(), p.WorkspaceID, []id.UUID{d.ID})
	if err != nil {
		return delivery{}, err
	}
	shown := showDelivery(d, attempts[d.ID])
	for i, t := range attempts[d.ID] {
		shown.Attempts[i].ResponseHead = &t.ResponseHead
	}
	return shown, nil
}

func showDelivery(d webhook.Delivery, attempts []webhook.Attempt) delivery {
	shown := delivery{
		ID: id.Delivery.Format(d.ID), EndpointID: id.Endpoint.Format(d.EndpointID), EventID: id.Event.Format(d.EventID),
		EventType: d.EventType, LeadID: optionalID(id.Lead, d.LeadID), State: string(d.State), Attempts: make([]attempt, len(attempts)), AttemptCount: d.Attempts,
		NextAttemptAt: optionalStamp(d.NextAt), LastStatus: optional(d.LastStatus), LastError: optional(d.LastError), CreatedAt: stamp(d.CreatedAt), UpdatedAt: stamp(d.UpdatedAt),
	}
	for i, t := range attempts {
		shown.Attempts[i] = attempt{
			Number: t.Number, Status: optional(t.Status), Error: optional(t.Error),
			LatencyMs: int64(t.Latency / time.Millisecond), At: stamp(t.At),
		}
	}
	return shown
}

// optional shows a zero value as null.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// optionalID shows no id as null.
func optionalID(prefix id.Prefix, u id.UUID) *string {
	if u == (id.UUID{}) {
		return nil
	}
	return optional(prefix.Format(u))
}
