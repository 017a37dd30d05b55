package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/gorilla/mux"

	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

const endpointsPath = Root + "/endpoints"

func endpointRoutes() []route {
	const scope, one = tenant.WebhooksManage, endpointsPath + "/{id}"
	return []route{
		{"GET", endpointsPath, scope, endpoints, []string{"GET /api/v1/webhooks", "GET /api/v1/speed"}, nil},
		{"GET", endpointsPath + "/new", scope, newEndpoint, []string{"GET /api/v1/chatbots"}, nil},
		{"POST", endpointsPath + "/new", scope, createEndpoint, []string{"POST /api/v1/webhooks"}, newEndpoint},
		{"GET", one, scope, showEndpoint,
			[]string{"GET /api/v1/webhooks/{id}", "GET /api/v1/webhooks/{id}/deliveries"}, nil},
		{"GET", one + "/edit", scope, askEndpoint, []string{"GET /api/v1/webhooks/{id}"}, nil},
		{"POST", one + "/edit", scope, editEndpoint, []string{"PATCH /api/v1/webhooks/{id}"}, askEndpoint},
		{"POST", one + "/pause", scope, pauseEndpoint, []string{"PATCH /api/v1/webhooks/{id}"}, showEndpoint},
		{"POST", one + "/enable", scope, enableEndpoint, []string{"PATCH /api/v1/webhooks/{id}"}, showEndpoint},
		{"POST", one + "/test", scope, testEndpoint, []string{"POST /api/v1/webhooks/{id}/test"}, showEndpoint},
		{"POST", one + "/rotate", scope, rotateEndpoint, []string{"POST /api/v1/webhooks/{id}/rotate-secret"}, askEndpoint},
		{"POST", one + "/delete", scope, deleteEndpoint, []string{"DELETE /api/v1/webhooks/{id}"}, askEndpoint},
	}
}

type endpoint struct {
	ID, URL, Description, Payload, Signature, PublicKey, DisabledAt, DisabledReason, CreatedAt, Secret, ReplayID string
	EventTypes, ChatbotIDs                                                                                       []string
	Headers                                                                                                      map[string]string
	Rate, MaxInFlight, TimeoutSeconds                                                                            int
	Enabled                                                                                                      bool
	FormerSecrets                                                                                                []struct{ Signature, PublicKey, ExpiresAt string }
	Health                                                                                                       struct {
		State, FailingSince, NextProbeAt, LastError, LastSuccessAt, SlowSince string
		Failures                                                              int
	}
	Backlog struct {
		Pending, Exhausted, Held      int
		OldestPendingAt, OldestHeldAt string
	}
	Batch *struct{ Max, WaitMs int } // nil: each event comes in a request of its own
	Speed *endpointSpeed             // of the last day; the page adds it
}

// Host is where it is, in short.
func (e endpoint) Host() string { return webhook.Host(e.URL) }

// Name is what people call it.
func (e endpoint) Name() string { return cmp.Or(e.Description, e.Host()) }

// Waiting is how many deliveries it did not get yet.
func (e endpoint) Waiting() int { return e.Backlog.Pending + e.Backlog.Held }

// Oldest is when the oldest of them was made.
func (e endpoint) Oldest() string { return cmp.Or(e.Backlog.OldestHeldAt, e.Backlog.OldestPendingAt) }

type endpointsPage struct {
	Endpoints []endpoint
	TargetMs  *int
}

// endpoints lists the endpoints, how each does, and how fast it was.
func endpoints(v *visit) error {
	var p endpointsPage
	if err := v.get("/api/v1/webhooks", nil, &p.Endpoints); err != nil {
		return err
	}
	var s speed
	if err := v.get("/api/v1/speed", nil, &s); err != nil {
		return err
	}
	p.TargetMs = s.DeliveryTargetMs
	for i := range p.Endpoints {
		p.Endpoints[i].takeSpeed(&s)
	}
	return v.show("endpoints.html", "Webhooks", p)
}

func (e *endpoint) takeSpeed(s *speed) {
	at := slices.IndexFunc(s.Endpoints, func(o endpointSpeed) bool { return o.ID == e.ID })
	if at >= 0 {
		e.Speed = &s.Endpoints[at]
	}
}

// endpointPath is the API's address of the endpoint that the page is about.
func endpointPath(v *visit) string { return "/api/v1/webhooks/" + url.PathEscape(mux.Vars(v.r)["id"]) }

func endpointPage(e endpoint) string { return endpointsPath + "/" + url.PathEscape(e.ID) }

func (v *visit) endpoint() (e endpoint, err error) {
	return e, v.get(endpointPath(v), nil, &e)
}

type oneEndpointPage struct {
	Endpoint endpoint
	TargetMs *int
	Recent   []delivery
	Failed   *delivery // the newest that failed, where the endpoint fails
	Tested   *delivery // the test that was just made
}

// showEndpoint shows how one endpoint does, and why.
func showEndpoint(v *visit) error { return showTested(v, nil) }

func showTested(v *visit, tested *delivery) error {
	p := oneEndpointPage{Tested: tested}
	var err error
	if p.Endpoint, err = v.endpoint(); err != nil {
		return err
	}
	var s speed
	if err := v.get("/api/v1/speed", url.Values{"endpointId": {p.Endpoint.ID}}, &s); err != nil {
		return err
	}
	p.TargetMs = s.DeliveryTargetMs
	p.Endpoint.takeSpeed(&s)
	if _, err := v.list(endpointPath(v)+"/deliveries", url.Values{"limit": {"10"}}, &p.Recent); err != nil {
		return err
	}
	if p.Endpoint.Health.LastError != "" {
		at := slices.IndexFunc(p.Recent, func(d delivery) bool {
			return d.LastError != "" && d.EventType != webhook.WebhookTest
		})
		if at >= 0 {
			p.Failed = &delivery{}
			if err := v.get("/api/v1/deliveries/"+url.PathEscape(p.Recent[at].ID), nil, p.Failed); err != nil {
				return err
			}
			slices.Reverse(p.Failed.Attempts) // the newest says most
			p.Failed.Attempts = p.Failed.Attempts[:min(3, len(p.Failed.Attempts))]
		}
	}
	return v.show("endpoint.html", p.Endpoint.Name(), p)
}

// testEndpoint sends a test and shows what came of it. Where the endpoint is being kept from failing further, a test
// that arrives has it tried again at once.
func testEndpoint(v *visit) error {
	var d delivery
	if err := v.send(http.MethodPost, endpointPath(v)+"/test", nil, &d); err != nil {
		return err
	}
	return showTested(v, &d)
}

func pauseEndpoint(v *visit) error {
	var e endpoint
	if err := v.send(http.MethodPatch, endpointPath(v), map[string]any{"enabled": false}, &e); err != nil {
		return err
	}
	return v.done(endpointPage(e), "The endpoint is paused. What happens meanwhile is kept for it.")
}

func enableEndpoint(v *visit) error {
	held := v.r.PostForm.Get("deliverHeld") != ""
	var e endpoint
	err := v.send(http.MethodPatch, endpointPath(v), map[string]any{"enabled": true, "deliverHeld": held}, &e)
	if err != nil {
		return err
	}
	if e.ReplayID != "" {
		return v.done(Root+"/replays", "The endpoint is on. What was held is on its way: see its progress here.")
	}
	return v.done(endpointPage(e), "The endpoint is on.")
}

func deleteEndpoint(v *visit) error {
	if err := v.send(http.MethodDelete, endpointPath(v), nil, nil); err != nil {
		return err
	}
	return v.done(endpointsPath, "The endpoint was deleted. What it has been sent can still be read.")
}

// rotateEndpoint makes a new secret, which is shown this once.
func rotateEndpoint(v *visit) error {
	body := map[string]any{"overlapSeconds": numberOrText(v.r.PostForm.Get("overlapSeconds"))}
	var e endpoint
	if err := v.send(http.MethodPost, endpointPath(v)+"/rotate-secret", body, &e); err != nil {
		return err
	}
	return v.show("endpoint-secret.html", "The new secret", e)
}
