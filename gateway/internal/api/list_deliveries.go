package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

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
		if knows, err := a.DB.KnowsLead(r.Context(), p.WorkspaceID, lead); err != nil || !knows {
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
