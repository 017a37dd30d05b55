// Package api is the public HTTP API: the route table, and one file or family of files per resource.
package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/books"
	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/idempotency"
	"leadgate/gateway/internal/intake"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// Limits of requests.
const (
	maxBody      = 64 << 10        // bytes
	maxBatchBody = 5 << 20         // of a bulk route
	readTimeout  = 5 * time.Second // of a request that creates no lead
)

// Deps of New; all are needed but Now, PublicURL, Books, PageScan, TransferWindow, BatchMemory,
// EraseWithin and Registry.
type Deps struct {
	DB             *pg.DB
	Auth           *auth.Auth
	Intake         *intake.Service
	Idempotency    *idempotency.Service
	Forms          *form.Service
	Waker          *task.Waker // without its Redis only a test of an endpoint fails; the rest waits for the sweep
	Edge           *httpx.Edge
	Now            func() time.Time            // nil: time.Now
	PublicURL      string                      // the address of this installation; "": that of the request
	WebhookURL     func(string) string         // "" or what would be right about an endpoint's URL
	Ready          func(context.Context) error // nil when Postgres answers: without Redis leads are still taken in
	Books          *books.Counter              // nil: what leaves no row is not counted for workspaces
	PageScan       int                         // rows that a page of deliveries or events looks at; 0: pg.PageScan
	TransferWindow time.Duration               // in which uploads and streams must keep the minimum rate; 0: 30 s
	BatchMemory    int64                       // bytes that batches may take while they are written; 0: 128 MiB
	EraseWithin    time.Duration               // after which an erasure goes on as a job; 0: 3 s
	Registry       prometheus.Registerer       // nil: its metrics are not published
	ReadOnly       bool                        // whatever may write is refused
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
	options      options
	query        []string // the parameters it knows; a public page lets others pass, links to it carry all sorts
}

// options are what is different about a route.
type options struct {
	RateLimitedByHandler bool       // its handler calls admit, with the lead whose email is reserved
	NoTimeout            bool       // its handler has time limits of its own
	Way                  tenant.Way // its requests are leads, which books count; "": they are none
}

func (a *api) routes() []route {
	return slices.Concat(a.keyRoutes(), a.submissionRoutes(), a.publicRoutes())
}

// keyRoutes are those that take an API key.
func (a *api) keyRoutes() []route {
	return []route{
		{"POST", "/api/v1/chatbots/{chatbotId}/leads", tenant.LeadsWrite, a.createLead,
			options{RateLimitedByHandler: true, NoTimeout: true, Way: tenant.WayAPI}, createParams},
		{"POST", "/api/v1/leads", tenant.LeadsWrite, a.createLead,
			options{RateLimitedByHandler: true, NoTimeout: true, Way: tenant.WayAPI}, createParams},
		{"GET", "/api/v1/leads", tenant.LeadsRead, a.limitExpensive(a.listLeads), options{}, leadParams},
		{"POST", "/api/v1/leads/batch", tenant.LeadsWrite, a.limitBatches(a.createLeads),
			options{NoTimeout: true, Way: tenant.WayBatch}, createParams},
		{"GET", "/api/v1/leads/export", tenant.LeadsRead, a.exportLeads, options{NoTimeout: true}, exportParams},
		{"GET", "/api/v1/leads/{id}", tenant.LeadsRead, a.getLead, options{}, leadReadParams},
		{"PATCH", "/api/v1/leads/{id}", tenant.LeadsWrite, a.updateLead, options{}, nil},
		{"DELETE", "/api/v1/leads/{id}", tenant.LeadsWrite, a.deleteLead,
			options{NoTimeout: true}, []string{"erase", "suppress"}},
		{"POST", "/api/v1/leads/{id}/restore", tenant.LeadsWrite, a.restoreLead, options{}, nil},
		{"GET", "/api/v1/leads/{id}/timeline", tenant.LeadsRead, a.limitExpensive(a.getTimeline), options{},
			leadReadParams},
		{"GET", "/api/v1/erasures/{id}", tenant.LeadsWrite, a.getErasure, options{}, nil},
		{"POST", "/api/v1/suppressions", tenant.LeadsWrite, a.createSuppression, options{}, nil},
		{"DELETE", "/api/v1/suppressions", tenant.LeadsWrite, a.deleteSuppression, options{}, []string{"email", "phone"}},

		{"POST", "/api/v1/imports", tenant.LeadsWrite, a.createImport, options{NoTimeout: true}, importParams},
		{"GET", "/api/v1/imports", tenant.LeadsRead, a.listImports, options{}, []string{"limit", "cursor"}},
		{"GET", "/api/v1/imports/{id}", tenant.LeadsRead, a.getImport, options{}, nil},
		{"GET", "/api/v1/imports/{id}/errors", tenant.LeadsRead, a.getImportErrors, options{NoTimeout: true}, nil},
		{"POST", "/api/v1/imports/{id}/cancel", tenant.LeadsWrite, a.cancelImport, options{}, nil},

		{"POST", "/api/v1/webhooks", tenant.WebhooksManage, a.createWebhook, options{}, nil},
		{"GET", "/api/v1/webhooks", tenant.WebhooksManage, a.limitExpensive(a.listWebhooks), options{},
			[]string{"limit", "cursor"}},
		{"GET", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.getWebhook, options{}, nil},
		{"PATCH", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.updateWebhook, options{}, nil},
		{"DELETE", "/api/v1/webhooks/{id}", tenant.WebhooksManage, a.deleteWebhook, options{}, nil},
		{"POST", "/api/v1/webhooks/{id}/rotate-secret", tenant.WebhooksManage, a.rotateSecret, options{}, nil},
		{"POST", "/api/v1/webhooks/{id}/test", tenant.WebhooksManage, a.testWebhook, options{}, nil},
		{"GET", "/api/v1/webhooks/{id}/deliveries", tenant.WebhooksManage, a.limitExpensive(a.listWebhookDeliveries),
			options{}, endpointDeliveryParams},

		{"GET", "/api/v1/deliveries", tenant.WebhooksManage, a.limitExpensive(a.listDeliveries), options{}, deliveryParams},
		{"GET", "/api/v1/deliveries/{id}", tenant.WebhooksManage, a.getDelivery, options{}, nil},
		{"POST", "/api/v1/deliveries/{id}/resend", tenant.WebhooksManage, a.resendDelivery, options{}, nil},
		{"GET", "/api/v1/speed", tenant.WebhooksManage, a.limitExpensive(a.getSpeed), options{}, speedParams},
		{"GET", "/api/v1/events", tenant.WebhooksManage, a.limitExpensive(a.listEvents), options{}, eventParams},
		{"GET", "/api/v1/events/{id}", tenant.WebhooksManage, a.getEvent, options{}, nil},
		{"POST", "/api/v1/replays", tenant.WebhooksManage, a.createReplay, options{}, nil},
		{"GET", "/api/v1/replays", tenant.WebhooksManage, a.listReplays, options{}, []string{"limit", "cursor"}},
		{"GET", "/api/v1/replays/{id}", tenant.WebhooksManage, a.getReplay, options{}, nil},
		{"POST", "/api/v1/replays/{id}/cancel", tenant.WebhooksManage, a.cancelReplay, options{}, nil},

		{"GET", "/api/v1/workspace", anyScope, a.getWorkspace, options{}, nil},
		{"PATCH", "/api/v1/workspace", tenant.WorkspaceManage, a.updateWorkspace, options{}, nil},
		{"POST", "/api/v1/chatbots", tenant.WorkspaceManage, a.createChatbot, options{}, nil},
		{"GET", "/api/v1/chatbots", tenant.WorkspaceManage, a.listChatbots, options{}, []string{"limit", "cursor"}},
		{"GET", "/api/v1/chatbots/{chatbotId}", tenant.WorkspaceManage, a.getChatbot, options{}, nil},
		{"PATCH", "/api/v1/chatbots/{chatbotId}", tenant.WorkspaceManage, a.updateChatbot, options{}, nil},
		{"DELETE", "/api/v1/chatbots/{chatbotId}", tenant.WorkspaceManage, a.deleteChatbot, options{}, nil},
		{"POST", "/api/v1/keys", tenant.KeysManage, a.createKey, options{}, nil},
		{"GET", "/api/v1/keys", tenant.KeysManage, a.listKeys, options{}, []string{"limit", "cursor"}},
		{"GET", "/api/v1/keys/{id}", tenant.KeysManage, a.getKey, options{}, nil},
		{"PATCH", "/api/v1/keys/{id}", tenant.KeysManage, a.updateKey, options{}, nil},
		{"POST", "/api/v1/keys/{id}/preview", tenant.KeysManage, a.previewForm, options{}, nil},
		{"GET", "/api/v1/keys/{id}/thanks", tenant.KeysManage, a.showThanks, options{}, []string{"lang"}},
		{"GET", "/api/v1/keys/{id}/refused-origins", tenant.KeysManage, a.listRefusedOrigins, options{}, nil},
		{"POST", "/api/v1/keys/{id}/rotate", tenant.KeysManage, a.rotateKey, options{}, nil},
		{"DELETE", "/api/v1/keys/{id}", tenant.KeysManage, a.revokeKey, options{}, nil},
		{"POST", "/api/v1/console-sessions", tenant.KeysManage, a.createConsoleSession, options{}, nil},
		{"GET", "/api/v1/console-sessions", tenant.KeysManage, a.listConsoleSessions, options{}, []string{"limit", "cursor"}},
		{"DELETE", "/api/v1/console-sessions", tenant.KeysManage, a.endConsoleSessions, options{}, nil},
		{"DELETE", "/api/v1/console-sessions/{id}", tenant.KeysManage, a.endConsoleSession, options{}, nil},
		{"GET", "/api/v1/usage", anyScope, a.getUsage, options{}, []string{"from", "until"}},
		{"GET", "/api/v1/books", anyScope, a.limitExpensive(a.getBooks), options{}, bookParams},
		{"GET", "/api/v1/audit", tenant.WorkspaceManage, a.listAudit, options{}, []string{"limit", "cursor"}},
	}
}

// publicRoutes are those that take no key in a header: for pages, and for people.
func (a *api) publicRoutes() []route {
	return []route{
		{"POST", "/f/{formKey}", public, a.submitForm, options{NoTimeout: true}, nil},
		{"GET", "/f/{formKey}", public, a.showForm, options{}, nil},
		{"OPTIONS", "/f/{formKey}", public, a.preflightForm, options{}, nil},
		{"GET", "/f/{formKey}/token", public, a.getFormToken, options{}, nil},
		{"GET", "/f/{formKey}/challenge", public, a.getFormChallenge, options{}, nil},
		{"GET", "/form.js", public, a.formScript, options{}, nil},

		{"GET", "/", public, a.index, options{}, nil},
		{"GET", "/docs", public, a.docsPage, options{}, nil},
		{"GET", "/docs.md", public, a.docsPage, options{}, nil},
		{"GET", "/llms.txt", public, a.docsPage, options{}, nil},
		{"GET", "/docs/{asset}", public, a.docsAsset, options{}, nil},
		{"GET", "/openapi.json", public, a.openAPI, options{}, nil},
		{"GET", "/healthz", public, a.healthz, options{}, nil},
		{"GET", "/readyz", public, a.readyz, options{}, nil},
	}
}

type api struct {
	Deps
	tenants   tenants.Service
	buffers   sync.Pool                         // *[]byte: answers that are appended by hand
	guide     func() (map[string]string, error) // the pages with this installation's address
	addressed addressed
	assets    func() (map[string]asset, error)
	tests     semaphore // of endpoints, under way
	reads     semaphore // that are expensive
	batches   semaphore // of leads
	exports   *places   // of leads, under way
	uploads   *places   // of files, coming in
	writing   *batchMemory
}

// New makes the handler of the public listener.
func New(d Deps) http.Handler {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.TransferWindow == 0 {
		d.TransferWindow = transferWindow
	}
	if d.EraseWithin == 0 {
		d.EraseWithin = eraseWithin
	}
	a := &api{Deps: d, assets: sync.OnceValues(readAssets), guide: sync.OnceValues(readPages)}
	a.tenants = tenants.Service{DB: d.DB, Now: d.Now}
	conns := d.DB.Stats().MaxOpenConnections
	a.tests = newSemaphore(maxTests, allTests, "tests", fault.Unavailable)
	a.reads = newSemaphore(maxReads, max(1, conns/2), "expensive reads", fault.RateLimited)
	a.exports = &places{perKey: maxExports, total: allExports, noun: "exports", window: d.TransferWindow}
	a.batches = newSemaphore(maxBatches, max(maxBatches, conns/2), "batches", fault.Unavailable)
	a.writing = newBatchMemory(d.BatchMemory, d.Registry)
	a.uploads = &places{perKey: maxUploads, total: allUploads, noun: "uploads", window: d.TransferWindow}
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
	if d.ReadOnly {
		return d.Edge.Wrap(onlyReads(r))
	}
	return d.Edge.Wrap(r)
}

// handler authenticates the request, checks its scope and its query, and takes it from the rate limit before the
// route's operation. Requests that are refused count against the rate limit too. What is no key of the workspace's own
// is not in its books, nor is a publishable key, which everybody can read in a page.
func (a *api) handler(rt route) httpx.Handler {
	if rt.scope == public {
		return func(w http.ResponseWriter, r *http.Request) error { return rt.do(w, r, nil) }
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		// net/http cancels when the client closes its sending side, but that client may still wait for its answer.
		ctx := context.WithoutCancel(r.Context())
		if !rt.options.NoTimeout {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, readTimeout)
			defer cancel()
		}
		r = r.WithContext(ctx)
		p, err := a.principal(r)
		if err != nil {
			return err
		}
		httpx.AddLogField(r, "workspace", id.Workspace.Format(p.WorkspaceID))
		httpx.AddLogField(r, "key", id.Key.Format(p.KeyID))
		httpx.ChargeTo(r, p.Payer())
		if p.Kind == tenant.PublishableKey {
			return a.secretRouteWithPublishableKey(r)
		}
		err = a.serve(rt, w, r, p)
		a.countRefused(rt.options.Way, p, err)
		return err
	}
}

// serve answers a request of a secret key.
func (a *api) serve(rt route, w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	var refused error
	if rt.scope != anyScope && !p.May(rt.scope) {
		refused = fault.New(fault.Forbidden, "This API key lacks the scope "+string(rt.scope))
	} else {
		refused = checkQuery(r.URL.RawQuery, rt.query)
	}
	if (refused != nil || !rt.options.RateLimitedByHandler) && !auth.IsCounted(r.Context()) {
		if _, err := a.admit(w, r, p, nil); err != nil {
			return err
		}
	}
	if refused != nil {
		return refused
	}
	return rt.do(w, r, p)
}

// countRefused adds a request to the books that failed with err, where it was one of leads. A batch that is refused as
// a whole is one.
func (a *api) countRefused(way tenant.Way, p *tenant.Principal, err error) {
	if way != "" {
		a.Books.CountError(books.In{Workspace: p.WorkspaceID, Way: way}, err)
	}
}
