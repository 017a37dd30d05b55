package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

const deliveriesPath = Root + "/deliveries"

func deliveryRoutes() []route {
	const scope, one = tenant.WebhooksManage, deliveriesPath + "/{id}"
	return []route{
		{"GET", deliveriesPath, scope, deliveries, []string{"GET /api/v1/deliveries"}, nil},
		{"GET", one, scope, showDelivery, []string{"GET /api/v1/deliveries/{id}", "GET /api/v1/events/{id}"}, nil},
		{"POST", one + "/resend", scope, resendDelivery, []string{"POST /api/v1/deliveries/{id}/resend"}, showDelivery},
	}
}

type delivery struct {
	ID, EndpointID, EventID, EventType, LeadID, State, NextAttemptAt, LastError, CreatedAt, UpdatedAt string
	Attempts                                                                                          []attempt
	AttemptCount                                                                                      int
	LastStatus                                                                                        *int
	Event                                                                                             *struct{ Data json.RawMessage }
}

type attempt struct {
	Number              int
	Status              *int
	LatencyMs           int
	Error, ResponseHead string
	At                  string
	Batch               *struct {
		ID          string
		Size, Index int
	}
}

// Due reports whether it is to be sent now, so that its endpoint decides when.
func (d delivery) Due() bool { return past(d.NextAttemptAt) }

// Version changes with all that its page shows.
func (d delivery) Version() string {
	return d.State + "-" + strconv.Itoa(d.AttemptCount) + "-" + d.UpdatedAt
}

// Resendable reports whether it can be sent again.
func (d delivery) Resendable() bool {
	return d.State != string(webhook.Cancelled) && d.EventType != webhook.WebhookTest
}

type deliveriesPage struct {
	Deliveries []delivery
	Endpoints  []endpoint
	Types      []string
	Next       string
	hosts      map[string]endpoint
}

// Endpoint is the endpoint of an id, or one with the id alone where it is no longer there.
func (p deliveriesPage) Endpoint(id string) endpoint { return p.hosts[id] }

// deliveries lists what was sent or is to be sent, as the query filters it.
func deliveries(v *visit) error {
	p := deliveriesPage{Types: append(webhook.EventTypes(), webhook.WebhookTest), hosts: map[string]endpoint{}}
	if err := v.get("/api/v1/webhooks", nil, &p.Endpoints); err != nil {
		return err
	}
	for _, e := range p.Endpoints {
		p.hosts[e.ID] = e
	}
	q := pick(v.r.URL.Query(), "endpointId", "state", "eventType", "leadId", "from", "until", "cursor")
	asked := url.Values{}
	for name := range q {
		asked.Set(name, q.Get(name))
	}
	for _, name := range []string{"from", "until"} {
		if q.Has(name) {
			asked.Set(name, utcTime(q.Get(name)))
		}
	}
	next, err := v.list("/api/v1/deliveries", asked, &p.Deliveries)
	if err != nil && !isStatus(err, http.StatusBadRequest) && !isStatus(err, http.StatusNotFound) {
		return err
	}
	v.problem = err // the filter is shown again, with what is wrong about it
	if next != "" {
		q.Set("cursor", next)
		p.Next = "?" + q.Encode()
	}
	return v.show("deliveries.html", "Deliveries", p)
}

// utcTime makes a time of the API of what a field for a date and time holds, which is meant in UTC.
func utcTime(text string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return text
}

type deliveryPage struct {
	Delivery delivery
	Endpoint *endpoint // nil: it was deleted
}

// showDelivery shows one delivery: what was sent, each attempt, and what it was answered.
func showDelivery(v *visit) error {
	var p deliveryPage
	if err := v.get(deliveryPath(v), nil, &p.Delivery); err != nil {
		return err
	}
	if v.asksAgain(p.Delivery.Version()) {
		return nil
	}
	slices.Reverse(p.Delivery.Attempts) // the newest says most
	var e endpoint
	err := v.get("/api/v1/webhooks/"+url.PathEscape(p.Delivery.EndpointID), nil, &e)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return err
	}
	if err == nil {
		p.Endpoint = &e
	}
	return v.show("delivery.html", "Delivery of "+p.Delivery.EventType, p)
}

func deliveryPath(v *visit) string {
	return "/api/v1/deliveries/" + url.PathEscape(mux.Vars(v.r)["id"])
}

func resendDelivery(v *visit) error {
	var d delivery
	if err := v.send(http.MethodPost, deliveryPath(v)+"/resend", nil, &d); err != nil {
		return err
	}
	return v.done(deliveriesPath+"/"+url.PathEscape(d.ID), "It is sent again now, or as soon as its endpoint takes deliveries.")
}
