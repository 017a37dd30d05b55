// Package api is the public HTTP API: the route table and one file per operation.
package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// Limits of requests.
const (
	maxBody       = 64 << 10         // octets
	readTimeout   = 5 * time.Second  // of a request that creates no lead
	createTimeout = 20 * time.Second // of the intake of one lead; more than all its own limits together
)

// Deps of New; all are needed but Now and PageScan.
type Deps struct {
	DB         *pg.DB
	Auth       *auth.Auth
	Intake     *intake.Service
	Waker      *task.Waker // without its Redis only a test of an endpoint fails; the rest waits for the sweep
	Edge       *httpx.Edge
	Now        func() time.Time            // nil: time.Now
	WebhookURL func(string) string         // "" or what would be right about an endpoint's URL
	Ready      func(context.Context) error // nil when Postgres answers: without Redis leads are still taken in
	PageScan   int                         // rows that a page of deliveries or events looks at; 0: pg.PageScan
}

// operation answers one route; p is nil where the route is public.
type operation func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error

// public is the scope of a route that takes no key.
const public tenant.Scope = ""

type route struct {
	method, path string
	scope        tenant.Scope
	do           operation
	gated        bool     // do takes the rate limit itself, together with the reservation
	query        []string // the parameters it knows; a public page lets others pass, links to it carry all sorts
}

func (a *api) routes() []route {
	return []route{
		{"POST", "/api/v1/chatbots/{chatbotId}/leads", tenant.LeadsWrite, a.createLead, true, nil},
		{"POST", "/api/v1/leads", tenant.LeadsWrite, a.createLead, true, nil},
		{"GET", "/api/v1/leads/{id}", tenant.LeadsRead, a.getLead, false, nil},
		{"GET", "/api/v1/leads/{id}/timeline", tenant.LeadsRead, a.heavy(a.getTimeline), false, nil},

		{"POST", "/api/v1/webhooks", tenant.WebhooksManage, a.createWebhook, false, nil},
		{"GET", "/api/v1/webhooks", tenant.WebhooksManage, a.heavy(a.listWebhooks), false, nil},
		{"GET", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.getWebhook, false, nil},
		{"PATCH", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.updateWebhook, false, nil},
		{"DELETE", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.deleteWebhook, false, nil},
		{"POST", "/api/v1/webhooks/{id}/rotate-secret", tenant.WebhooksManage, a.rotateSecret, false, nil},
		{"POST", "/api/v1/webhooks/{id}/test", tenant.WebhooksManage, a.testWebhook, false, nil},
		{"GET", "/api/v1/webhooks/{id}/deliveries", tenant.WebhooksManage, a.heavy(a.listWebhookDeliveries), false, endpointDeliveryParams},

		{"GET", "/api/v1/deliveries", tenant.WebhooksManage, a.heavy(a.listDeliveries), false, deliveryParams},
		{"GET", "/api/v1/deliveries/{id}", tenant.WebhooksManage, a.getDelivery, false, nil},
		{"POST", "/api/v1/deliveries/{id}/resend", tenant.WebhooksManage, a.resendDelivery, false, nil},
		{"GET", "/api/v1/events", tenant.WebhooksManage, a.heavy(a.listEvents), false, eventParams},
		{"GET", "/api/v1/events/{id}", tenant.WebhooksManage, a.getEvent, false, nil},
		{"POST", "/api/v1/replays", tenant.WebhooksManage, a.createReplay, false, nil},
		{"GET", "/api/v1/replays", tenant.WebhooksManage, a.listReplays, false, replayParams},
		{"GET", "/api/v1/replays/{id}", tenant.WebhooksManage, a.getReplay, false, nil},
		{"POST", "/api/v1/replays/{id}/cancel", tenant.WebhooksManage, a.cancelReplay, false, nil},

		{"GET", "/", public, a.index, false, nil},
		{"GET", "/docs", public, a.docs, false, nil},
		{"GET", "/healthz", public, a.healthz, false, nil},
		{"GET", "/readyz", public, a.readyz, false, nil},
	}
}

type api struct {
	Deps
	buffers sync.Pool // *[]byte: answers that are appended by hand
	tests   slots     // of endpoints, under way
	reads   slots     // that are expensive
}

// New makes the handler of the public listener.
func New(d Deps) http.Handler {
	if d.Now == nil {
		d.Now = time.Now
	}
	a := &api{Deps: d}
	a.tests = slots{each: maxTests, all: allTests, what: "tests", full: fault.Unavailable}
	a.reads = slots{each: maxReads, all: max(1, d.DB.Stats().MaxOpenConnections/2), what: "expensive reads", full: fault.RateLimited}
	a.buffers.New = func() any { b := make([]byte, 0, 2048); return &b }
	r := mux.NewRouter().SkipClean(true) // a 404 is clearer than a redirect that turns POST into GET
	httpx.RouterErrors(r, d.Edge)
	for _, rt := range a.routes() {
		methods := []string{rt.method}
		if rt.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		r.Handle(rt.path, d.Edge.Handle(a.handler(rt))).Methods(methods...)
	}
	return d.Edge.Wrap(r)
}

// handler puts before a route's operation what every route needs: who asks, how often, and whether they may.
func (a *api) handler(rt route) httpx.Handler {
	if rt.scope == public {
		return func(w http.ResponseWriter, r *http.Request) error { return rt.do(w, r, nil) }
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		// net/http cancels when the client closes its sending side, and yet that client may wait for its answer.
		ctx := context.WithoutCancel(r.Context())
		if !rt.gated {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, readTimeout)
			defer cancel()
		}
		r = r.WithContext(ctx)
		p, err := a.Auth.Principal(r.Context(), r)
		if err != nil {
			return err
		}
		httpx.Note(r, "workspace", id.Workspace.Format(p.WorkspaceID))
		httpx.Note(r, "key", id.Key.Format(p.KeyID))
		if !p.May(rt.scope) {
			return a.refuse(w, r, p, fault.New(fault.Forbidden, "This API key lacks the scope "+string(rt.scope)))
		}
		wrong := checkQuery(r.URL.RawQuery, rt.query)
		if wrong != nil || !rt.gated {
			if err := a.limit(w, r, p); err != nil {
				return err
			}
		}
		if wrong != nil {
			return wrong
		}
		return rt.do(w, r, p)
	}
}
