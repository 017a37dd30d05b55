package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

const (
	defaultDeliveries = 50
	maxDeliveries     = 200
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
	ResponseHead string  `json:"responseHead"`
	LatencyMs    int64   `json:"latencyMs"`
	At           string  `json:"at"`
}

// listDeliveries answers what was or is to be sent to an endpoint, newest first, with every attempt.
func (a *api) listDeliveries(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p)
	if err != nil {
		return err
	}
	limit, before, err := readPage(r.URL.Query())
	if err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	found, err := a.DB.ListDeliveries(r.Context(), p.WorkspaceID, e.ID, before, limit+1)
	if err != nil {
		return err
	}
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = id.Delivery.Format(found[limit-1].ID)
	}
	ids := make([]id.UUID, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	attempts, err := a.DB.ListAttempts(r.Context(), p.WorkspaceID, ids)
	if err != nil {
		return err
	}
	shown := make([]delivery, len(found))
	for i, d := range found {
		shown[i] = showDelivery(d, attempts[d.ID])
	}
	return httpx.Page(w, shown, next)
}

// readPage reads limit and cursor, and tells all that is wrong with them.
func readPage(q url.Values) (limit int, before id.UUID, err error) {
	var wrong []fault.Field
	limit = defaultDeliveries
	if q.Has("limit") {
		if limit, err = strconv.Atoi(q.Get("limit")); err != nil || limit < 1 || limit > maxDeliveries {
			wrong = append(wrong, fault.Field{Field: "limit", Value: fault.Cut(q.Get("limit")),
				Message: fmt.Sprintf("Must be a whole number between 1 and %d", maxDeliveries)})
		}
	}
	if q.Has("cursor") {
		if before, err = id.Delivery.Parse(q.Get("cursor")); err != nil {
			wrong = append(wrong, fault.Field{Field: "cursor", Value: fault.Cut(q.Get("cursor")),
				Message: "Must be the nextCursor of an earlier answer"})
		}
	}
	if len(wrong) > 0 {
		return 0, before, fault.Invalid(wrong)
	}
	return limit, before, nil
}

func showDelivery(d hook.Delivery, attempts []hook.Attempt) delivery {
	shown := delivery{
		ID: id.Delivery.Format(d.ID), EndpointID: id.Endpoint.Format(d.EndpointID), EventID: id.Event.Format(d.EventID),
		EventType: d.EventType, State: string(d.State), Attempts: make([]attempt, len(attempts)), AttemptCount: d.Attempts,
		LastStatus: optional(d.LastStatus), LastError: optional(d.LastError), CreatedAt: stamp(d.CreatedAt), UpdatedAt: stamp(d.UpdatedAt),
	}
	if d.LeadID != (id.UUID{}) {
		shown.LeadID = optional(id.Lead.Format(d.LeadID))
	}
	if d.NextAt != nil {
		shown.NextAttemptAt = optional(stamp(*d.NextAt))
	}
	for i, t := range attempts {
		shown.Attempts[i] = attempt{
			Number: t.Number, Status: optional(t.Status), Error: optional(t.Error), ResponseHead: t.ResponseHead,
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
