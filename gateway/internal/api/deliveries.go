package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

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
	Number       int      `json:"number"`
	Status       *int     `json:"status"`
	Error        *string  `json:"error"`
	ResponseHead *string  `json:"responseHead"` // null in lists, and where the event's data would be
	LatencyMs    int64    `json:"latencyMs"`
	Batch        *inBatch `json:"batch"` // null where the request had no other event
	At           string   `json:"at"`
}

// inBatch is where in a request an event was.
type inBatch struct {
	ID    string `json:"id"`
	Size  int    `json:"size"`
	Index int    `json:"index"`
}

func showInBatch(in webhook.InBatch) *inBatch {
	if in.Size == 0 {
		return nil
	}
	return &inBatch{id.Batch.Format(in.ID), in.Size, in.Index}
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
func showWhole(p *tenant.Principal, d webhook.Delivery, attempts []webhook.Attempt) delivery {
	shown := showDelivery(d, attempts)
	for i, t := range attempts {
		alone := t.InBatch.Size <= 1
		if mayReadEvent(p, d.EventType) && (alone || p.May(tenant.LeadsRead)) { // a receiver may answer what it was sent
			shown.Attempts[i].ResponseHead = &t.ResponseHead
		}
	}
	return shown
}

func showDelivery(d webhook.Delivery, attempts []webhook.Attempt) delivery {
	shown := delivery{
		ID: id.Delivery.Format(d.ID), EndpointID: id.Endpoint.Format(d.EndpointID), EventID: id.Event.Format(d.EventID),
		EventType: d.EventType, LeadID: optionalID(id.Lead, d.LeadID), State: string(d.State), Attempts: make([]attempt,
			len(attempts)), AttemptCount: d.Attempts,
		NextAttemptAt: optionalStamp(d.NextAt), LastStatus: optional(d.LastStatus), LastError: optional(d.LastError),
		CreatedAt: stamp(d.CreatedAt), UpdatedAt: stamp(d.UpdatedAt),
	}
	for i, t := range attempts {
		shown.Attempts[i] = attempt{
			Number: t.Number, Status: optional(t.Status), Error: optional(t.Error),
			LatencyMs: int64(t.Latency / time.Millisecond), Batch: showInBatch(t.InBatch), At: stamp(t.At),
		}
	}
	return shown
}

// Parameters of lists of deliveries: of an endpoint, and of the workspace.
var (
	endpointDeliveryParams = []string{"state", "eventType", "leadId", "from", "until", "limit", "cursor"}
	deliveryParams         = append([]string{"endpointId"}, endpointDeliveryParams...)
)

// states reads a list of states between commas.
func (q *params) states() (states []webhook.State) {
	if !q.Has("state") {
		return nil
	}
	for text := range strings.SplitSeq(q.Get("state"), ",") {
		if s := webhook.State(text); slices.Contains(webhook.States(), s) {
			states = append(states, s)
			continue
		}
		q.addError("state", "Must be one or more of "+strings.Join(texts(webhook.States()), ", ")+", separated by commas")
		return nil
	}
	slices.Sort(states)
	return slices.Compact(states)
}

// listDeliveries answers the workspace's deliveries that the parameters pick, newest first, with the newest attempts of
// each.
func (a *api) listDeliveries(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	return a.answerDeliveries(w, r, p, params, params.id("endpointId", id.Endpoint))
}

// listWebhookDeliveries answers those of one endpoint.
func (a *api) listWebhookDeliveries(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p)
	if err != nil {
		return err
	}
	return a.answerDeliveries(w, r, p, readParams(r), e.ID)
}

func (a *api) answerDeliveries(w http.ResponseWriter, r *http.Request, p *tenant.Principal, params *params,
	endpoint id.UUID) error {
	q := pg.DeliveryQuery{Scan: a.PageScan}
	q.EndpointID, q.States, q.EventType = endpoint, params.states(), params.eventType()
	q.LeadID = params.id("leadId", id.Lead)
	q.From, q.Until = params.timeRange("from", "until")
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
	return httpx.Page(w, shown, nextCursor(id.Delivery, next))
}

// checkFilter refuses a filter by what the workspace has not and had not: an empty answer would look like one about it.
func (a *api) checkFilter(r *http.Request, p *tenant.Principal, endpoint, lead id.UUID) error {
	if endpoint != (id.UUID{}) {
		if has, err := a.DB.HasEndpoint(r.Context(), p.WorkspaceID, endpoint); err != nil || !has {
			return cmp.Or(err, notFound(id.Endpoint))
		}
	}
	if lead != (id.UUID{}) {
		if has, err := a.DB.HasLead(r.Context(), p.WorkspaceID, lead); err != nil || !has {
			return cmp.Or(err, notFound(id.Lead))
		}
	}
	return nil
}

// getDelivery answers a delivery with its newest attempts and its event, which is null when it is kept no longer.
func (a *api) getDelivery(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Delivery)
	if err != nil {
		return err
	}
	found, attempts, err := a.DB.GetDeliveryAndAttempts(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	answer := struct {
		delivery
		Event *fullEvent `json:"event"`
	}{delivery: showWhole(p, found, attempts)}
	e, err := a.DB.GetEvent(r.Context(), p.WorkspaceID, found.EventID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil {
		full := showFullEvent(p, e)
		answer.Event = &full
	}
	return httpx.Data(w, http.StatusOK, answer)
}

// resendDelivery makes a delivery due now, and one that is not pending begins its schedule anew. Its endpoint's
// breaker, rate and order still hold.
func (a *api) resendDelivery(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Delivery)
	if err != nil {
		return err
	}
	if err := readEmptyBody(w, r); err != nil {
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
