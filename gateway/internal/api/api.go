// Package api is the public HTTP API: the route table, and one file or family of files per resource.
package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/gateway/internal/tenants"
	"leadgate/gateway/internal/usage"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// Limits of requests.
const (
	maxBody       = 64 << 10         // octets
	maxBatchBody  = 5 << 20          // of a bulk route
	readTimeout   = 5 * time.Second  // of a request that creates no lead
	createTimeout = 20 * time.Second // of the intake of one lead; more than all its own limits together
)

// Deps of New; all are needed but Now, Usage, PageScan and TransferWindow.
type Deps struct {
	DB             *pg.DB
	Auth           *auth.Auth
	Intake         *intake.Service
	Forms          *form.Service
	Waker          *task.Waker // without its Redis only a test of an endpoint fails; the rest waits for the sweep
	Edge           *httpx.Edge
	Now            func() time.Time            // nil: time.Now
	WebhookURL     func(string) string         // "" or what would be right about an endpoint's URL
	Ready          func(context.Context) error // nil when Postgres answers: without Redis leads are still taken in
	Usage          *usage.Counter              // nil: nothing is counted for workspaces
	PageScan       int                         // rows that a page of deliveries or events looks at; 0: pg.PageScan
	TransferWindow time.Duration               // in which uploads and streams must keep the minimum rate; 0: 30 s
}

// operation answers one route; p is nil where the route is public.
type operation func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error

// public is the scope of a route that takes no key.
const public tenant.Scope = ""

// anyScope is the scope of a route that takes every secret key.
const anyScope tenant.Scope = "*"

type route struct {
	method, path string
	scope        tenant.Scope
	do           operation
	how          manner
	query        []string // the parameters it knows; a public page lets others pass, links to it carry all sorts
}

// manner is how a route differs from most.
type manner int

const (
	gated      manner = 1 << iota // it takes the rate limit itself, together with the reservation
	idempotent                    // an Idempotency-Key makes it happen once
	long                          // it has time limits of its own
	bulk                          // its body is large: few of a workspace run at a time
)

func (a *api) routes() []route {
	return []route{
		{"POST", "/api/v1/chatbots/{chatbotId}/leads", tenant.LeadsWrite, a.createLead, gated | idempotent, createParams},
		{"POST", "/api/v1/leads", tenant.LeadsWrite, a.createLead, gated | idempotent, createParams},
		{"GET", "/api/v1/leads", tenant.LeadsRead, a.limitExpensive(a.listLeads), 0, leadParams},
		{"POST", "/api/v1/leads/batch", tenant.LeadsWrite, a.createLeads, idempotent | long | bulk, createParams},
		{"GET", "/api/v1/leads/export", tenant.LeadsRead, a.exportLeads, long, exportParams},
		{"GET", "/api/v1/leads/{id}", tenant.LeadsRead, a.getLead, 0, nil},
		{"PATCH", "/api/v1/leads/{id}", tenant.LeadsWrite, a.updateLead, 0, nil},
		{"DELETE", "/api/v1/leads/{id}", tenant.LeadsWrite, a.deleteLead, long, []string{"erase", "suppress"}},
		{"POST", "/api/v1/leads/{id}/restore", tenant.LeadsWrite, a.restoreLead, 0, nil},
		{"GET", "/api/v1/leads/{id}/timeline", tenant.LeadsRead, a.limitExpensive(a.getTimeline), 0, nil},
		{"POST", "/api/v1/suppressions", tenant.LeadsWrite, a.createSuppression, 0, nil},
		{"DELETE", "/api/v1/suppressions", tenant.LeadsWrite, a.deleteSuppression, 0, []string{"email"}},

		{"POST", "/api/v1/imports", tenant.LeadsWrite, a.createImport, long, importParams},
		{"GET", "/api/v1/imports", tenant.LeadsRead, a.listImports, 0, []string{"limit", "cursor"}},
		{"GET", "/api/v1/imports/{id}", tenant.LeadsRead, a.getImport, 0, nil},
		{"GET", "/api/v1/imports/{id}/errors", tenant.LeadsRead, a.getImportErrors, long, nil},
		{"POST", "/api/v1/imports/{id}/cancel", tenant.LeadsWrite, a.cancelImport, 0, nil},

		{"POST", "/api/v1/webhooks", tenant.WebhooksManage, a.createWebhook, 0, nil},
		{"GET", "/api/v1/webhooks", tenant.WebhooksManage, a.limitExpensive(a.listWebhooks), 0, nil},
		{"GET", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.getWebhook, 0, nil},
		{"PATCH", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.updateWebhook, 0, nil},
		{"DELETE", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.deleteWebhook, 0, nil},
		{"POST", "/api/v1/webhooks/{id}/rotate-secret", tenant.WebhooksManage, a.rotateSecret, 0, nil},
		{"POST", "/api/v1/webhooks/{id}/test", tenant.WebhooksManage, a.testWebhook, 0, nil},
		{"GET", "/api/v1/webhooks/{id}/deliveries", tenant.WebhooksManage, a.limitExpensive(a.listWebhookDeliveries), 0, endpointDeliveryParams},

		{"GET", "/api/v1/deliveries", tenant.WebhooksManage, a.limitExpensive(a.listDeliveries), 0, deliveryParams},
		{"GET", "/api/v1/deliveries/{id}", tenant.WebhooksManage, a.getDelivery, 0, nil},
		{"POST", "/api/v1/deliveries/{id}/resend", tenant.WebhooksManage, a.resendDelivery, 0, nil},
		{"GET", "/api/v1/events", tenant.WebhooksManage, a.limitExpensive(a.listEvents), 0, eventParams},
		{"GET", "/api/v1/events/{id}", tenant.WebhooksManage, a.getEvent, 0, nil},
		{"POST", "/api/v1/replays", tenant.WebhooksManage, a.createReplay, 0, nil},
		{"GET", "/api/v1/replays", tenant.WebhooksManage, a.listReplays, 0, []string{"limit", "cursor"}},
		{"GET", "/api/v1/replays/{id}", tenant.WebhooksManage, a.getReplay, 0, nil},
		{"POST", "/api/v1/replays/{id}/cancel", tenant.WebhooksManage, a.cancelReplay, 0, nil},

		{"GET", "/api/v1/workspace", anyScope, a.getWorkspace, 0, nil},
		{"PATCH", "/api/v1/workspace", tenant.WorkspaceManage, a.updateWorkspace, 0, nil},
		{"POST", "/api/v1/chatbots", tenant.WorkspaceManage, a.createChatbot, 0, nil},
		{"GET", "/api/v1/chatbots", tenant.WorkspaceManage, a.listChatbots, 0, []string{"limit", "cursor"}},
		{"GET", "/api/v1/chatbots/{chatbotId}", tenant.WorkspaceManage, a.getChatbot, 0, nil},
		{"PATCH", "/api/v1/chatbots/{chatbotId}", tenant.WorkspaceManage, a.updateChatbot, 0, nil},
		{"DELETE", "/api/v1/chatbots/{chatbotId}", tenant.WorkspaceManage, a.deleteChatbot, 0, nil},
		{"POST", "/api/v1/keys", tenant.KeysManage, a.createKey, 0, nil},
		{"GET", "/api/v1/keys", tenant.KeysManage, a.listKeys, 0, []string{"limit", "cursor"}},
		{"GET", "/api/v1/keys/{id}", tenant.KeysManage, a.getKey, 0, nil},
		{"PATCH", "/api/v1/keys/{id}", tenant.KeysManage, a.updateKey, 0, nil},
		{"POST", "/api/v1/keys/{id}/rotate", tenant.KeysManage, a.rotateKey, 0, nil},
		{"DELETE", "/api/v1/keys/{id}", tenant.KeysManage, a.revokeKey, 0, nil},
		{"GET", "/api/v1/usage", anyScope, a.getUsage, 0, []string{"from", "until"}},
		{"GET", "/api/v1/audit", tenant.WorkspaceManage, a.listAudit, 0, []string{"limit", "cursor"}},

		{"POST", "/f/{formKey}", public, a.submitForm, long, nil},
		{"OPTIONS", "/f/{formKey}", public, a.preflightForm, 0, nil},

		{"GET", "/", public, a.index, 0, nil},
		{"GET", "/docs", public, a.docs, 0, nil},
		{"GET", "/docs/{asset}", public, a.docsAsset, 0, nil},
		{"GET", "/openapi.json", public, a.openAPI, 0, nil},
		{"GET", "/healthz", public, a.healthz, 0, nil},
		{"GET", "/readyz", public, a.readyz, 0, nil},
	}
}

type api struct {
	Deps
	tenants   tenants.Service
	buffers   sync.Pool                 // *[]byte: answers that are appended by hand
	described func() (described, error) // openapi.json
	assets    func() (map[string]asset, error)
	tests     semaphore // of endpoints, under way
	reads     semaphore // that are expensive
	exports   semaphore // of leads, under way
	batches   semaphore // of leads
	bodies    semaphore // of batches, coming in
	uploads   semaphore // of files, coming in
}

// New makes the handler of the public listener.
func New(d Deps) http.Handler {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.TransferWindow == 0 {
		d.TransferWindow = transferWindow
	}
	a := &api{Deps: d, assets: sync.OnceValues(readAssets), described: sync.OnceValues(describe)}
	a.tenants = tenants.Service{DB: d.DB, Now: d.Now}
	conns := d.DB.Stats().MaxOpenConnections
	a.tests = newSemaphore(maxTests, allTests, "tests", fault.Unavailable)
	a.reads = newSemaphore(maxReads, max(1, conns/2), "expensive reads", fault.RateLimited)
	a.exports = newSemaphore(maxExports, allExports, "exports", fault.Unavailable)
	a.batches = newSemaphore(maxBatches, max(maxBatches, conns/2), "batches", fault.Unavailable)
	a.bodies = newSemaphore(maxBodies, allBodies, "uploads of batches", fault.Unavailable)
	a.uploads = newSemaphore(maxUploads, allUploads, "uploads", fault.Unavailable)
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
	do, maxBytes := rt.do, int64(maxBody)
	if rt.how&(gated|bulk) != 0 {
		do = a.countRejections(do) // within once: what is said again happened once
	}
	if rt.how&bulk != 0 {
		maxBytes = maxBatchBody
	}
	if rt.how&idempotent != 0 {
		do = a.once(do, maxBytes, rt.how&gated != 0)
	}
	if rt.how&bulk != 0 {
		do = a.limitBatches(do) // also where a key comes with it
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		// net/http cancels when the client closes its sending side, and yet that client may wait for its answer.
		ctx := context.WithoutCancel(r.Context())
		if rt.how&(gated|long) == 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, readTimeout)
			defer cancel()
		}
		r = r.WithContext(ctx)
		p, err := a.Auth.Principal(r.Context(), r)
		if err != nil {
			return err
		}
		httpx.AddLogField(r, "workspace", id.Workspace.Format(p.WorkspaceID))
		httpx.AddLogField(r, "key", id.Key.Format(p.KeyID))
		if p.Kind == tenant.PublishableKey {
			return a.secretRouteWithPublishableKey(r)
		}
		if rt.scope != anyScope && !p.May(rt.scope) {
			return a.refuse(w, r, p, fault.New(fault.Forbidden, "This API key lacks the scope "+string(rt.scope)))
		}
		wrong := checkQuery(r.URL.RawQuery, rt.query)
		if wrong != nil || rt.how&gated == 0 {
			if err := a.limit(w, r, p); err != nil {
				return err
			}
		}
		if wrong != nil {
			return wrong
		}
		return do(w, r, p)
	}
}
