package api

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
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

// Parameters of lists of deliveries: of an endpoint, and of the workspace.
var (
	endpointDeliveryParams = []string{"state", "eventType", "leadId", "from", "until", "limit", "cursor"}
	deliveryParams         = append([]string{"endpointId"}, endpointDeliveryParams...)
)

// listDeliveries answers the workspace's deliveries that the parameters pick, newest first, with the newest attempts of each.
func (a *api) listDeliveries(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	endpoint := params.id("endpointId", id.Endpoint, "webhook endpoint")
	return a.answerDeliveries(w, r, p, params, endpoint)
}

// listWebhookDeliveries answers those of one endpoint.
func (a *api) listWebhookDeliveries(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p)
	if err != nil {
		return err
	}
	return a.answerDeliveries(w, r, p, readParams(r), e.ID)
}

func (a *api) answerDeliveries(w http.ResponseWriter, r *http.Request, p *tenant.Principal, params *params, endpoint id.UUID) error {
	q := pg.DeliveryQuery{Scan: a.PageScan}
	q.EndpointID, q.States, q.EventType = endpoint, params.states(), params.eventType("eventType")
	q.LeadID = params.id("leadId", id.Lead, "lead")
	q.From, q.Until = params.times()
	q.Limit, q.Before = params.limit(), params.cursor(id.Delivery)
	if err := params.err(); err != nil {
		return err
	}
	if err := a.checkFilter(r, p, q.EndpointID, q.LeadID); err != nil {
		return err
	}
	found, next, err := a.DB.FindDeliveries(r.Context(), p.WorkspaceID, q)
	if err != nil {
		return err
	}
	shown, err := a.showDeliveries(r, p, found)
	if err != nil {
		return err
	}
	return httpx.Page(w, shown, cursor(id.Delivery, next))
}

// checkFilter refuses a filter by what the workspace has not and had not: an empty answer would look like one about it.
func (a *api) checkFilter(r *http.Request, p *tenant.Principal, endpoint, lead id.UUID) error {
	if endpoint != (id.UUID{}) {
		if has, err := a.DB.HasEndpoint(r.Context(), p.WorkspaceID, endpoint); err != nil || !has {
			return orNotFound(err, "Webhook endpoint")
		}
	}
	if lead != (id.UUID{}) {
		if knows, err := a.DB.HasLead(r.Context(), p.WorkspaceID, lead); err != nil || !knows {
			return orNotFound(err, "Lead")
		}
	}
	return nil
}

func orNotFound(err error, thing string) error {
	if err == nil {
		return fault.New(fault.NotFound, thing+" not found")
	}
	return err
}

// cursor is what asks for the next page; "": there is none.
func cursor(prefix id.Prefix, next id.UUID) string {
	if next == (id.UUID{}) {
		return ""
	}
	return prefix.Format(next)
}

// getDelivery answers a delivery with its newest attempts and its event, which is null when it is kept no longer.
func (a *api) getDelivery(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Delivery, "Delivery")
	if err != nil {
		return err
	}
	found, err := a.DB.GetDelivery(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	shown, err := a.showWhole(r, p, found)
	if err != nil {
		return err
	}
	answer := struct {
		delivery
		Event *fullEvent `json:"event"`
	}{delivery: shown}
	e, err := a.DB.GetEvent(r.Context(), p.WorkspaceID, found.EventID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil {
		full := showFullEvent(e)
		answer.Event = &full
	}
	return httpx.Data(w, http.StatusOK, answer)
}

// resendDelivery makes a delivery due now, and one that is not pending begins its schedule anew. Its endpoint's breaker, rate and order still hold.
func (a *api) resendDelivery(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Delivery, "Delivery")
	if err != nil {
		return err
	}
	if err := readNothing(w, r); err != nil {
		return err
	}
	sent, err := a.DB.ResendDelivery(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "delivery", id.Delivery.Format(sent.ID))
	a.wake(r, task.Drain(p.WorkspaceID, sent.EndpointID))
	shown, err := a.showDeliveries(r, p, []webhook.Delivery{sent})
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusAccepted, shown[0])
}
