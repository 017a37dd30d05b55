// Package admin is the operator's side of the gateway, on a listener of its own: tenants by JSON, the queue dashboard,
// metrics, health, profiles.
package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/failures"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/gateway/internal/webui"
	"leadgate/shared/admintoken"
	"leadgate/shared/config"
	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// Deps of New.
type Deps struct {
	DB             *pg.DB
	API            http.Handler          // of the other listener: exports are its
	Redis          redis.UniversalClient // shared with the rest of the gateway and not closed here
	Token          config.WatchedSecret  // each of its tokens opens everything but health, metrics and the login form
	PostgresDisk   int64                 // bytes of the disk that Postgres is on; 0: not known
	Edge           *httpx.Edge
	Failures       *failures.Recorder // what is shown of server errors
	Log            *slog.Logger       // nil: slog.Default
	QueuesWritable bool               // the dashboard may run, archive and delete tasks
	ReadOnly       bool               // whatever writes to Postgres is refused
	Registry       *prometheus.Registry
	Exemplars      bool                        // metrics are shown with exemplars, to who takes OpenMetrics
	Ready          func(context.Context) error // what the gateway cannot do without
	Now            func() time.Time            // nil: time.Now
	Stopping       <-chan struct{}             // closed once the gateway is about to end; nil: never
	Speaks         func() bool                 // whether this gateway tells what is the same from each; nil: it does
	APIAddr        string                      // host:port of the other listener; "": no link leads there
	PublicURL      string                      // the address of the other listener; "": what APIAddr and the request say
	Trusted        []netip.Prefix              // proxies in front: their X-Forwarded-Proto says whether the client spoke TLS
}

type server struct {
	tenants  tenants.Service
	api      http.Handler
	redis    redis.UniversalClient
	disk     int64 // see Deps.PostgresDisk
	edge     *httpx.Edge
	failures *failures.Recorder
	sessions *sessionAuth
	ready    func(context.Context) error
	stopping <-chan struct{} // see Deps.Stopping
	apiAddr  string
	public   string
	pages    *webui.Pages
	backlog  *backlog
	waker    *task.Waker
	subjects *subjects
	log      *slog.Logger
	routes   []route
}

// route is one line of the table: who may come in is the guard's business.
type route struct {
	Method, Path string
	guard        guard
	handle       httpx.Handler
	About        string // of a route of the API: what its body or query takes
}

// guard says who gets through.
type guard int

const (
	open    guard = iota // everybody: nothing private is behind it
	private              // who has the token
	page                 // the same, and browsers are shown the way to the login form
)

// New makes the handler of the admin listener and registers the metrics of queues and stores.
func New(d Deps) http.Handler {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Speaks == nil {
		d.Speaks = func() bool { return true }
	}
	parsed, err := webui.Parse(files)
	if err != nil {
		panic(err) // they are embedded, and the tests render each
	}
	s := &server{
		tenants: tenants.Service{DB: d.DB, Now: d.Now}, api: d.API, redis: d.Redis, edge: d.Edge,
		failures: d.Failures, disk: d.PostgresDisk,
		sessions: &sessionAuth{admintoken.New(d.Token, d.Now, d.Log), d.Now, d.Trusted},
		ready:    d.Ready, stopping: d.Stopping, apiAddr: d.APIAddr, public: d.PublicURL, pages: parsed,
		backlog: &backlog{count: d.DB.Backlog, now: d.Now}, log: d.Log,
		waker: task.NewWaker(d.Redis), subjects: &subjects{db: d.DB, now: d.Now},
	}
	d.Registry.MustRegister(newCollector(d.Redis, d.Ready, s.backlog, d.Speaks))
	s.routes = s.table()

	r := mux.NewRouter().SkipClean(true) // a 404 is clearer than a redirect that turns POST into GET
	httpx.RouterErrors(r, d.Edge)
	// The path stands before the methods everywhere: of a route whose method fits and whose path does not, mux would
	// forget that an earlier one had the path, and answer 404 for 405.
	for _, t := range s.routes {
		if d.ReadOnly && t.Method != http.MethodGet && t.guard != open {
			t.handle = s.visited(func(*visit) error { return httpx.OnlyReads() })
		}
		r.Path(t.Path).Methods(t.Method).Handler(s.guarded(t.guard, d.Edge.Handle(t.handle)))
	}
	metrics := promhttp.HandlerFor(d.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelError), MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
		EnableOpenMetrics: d.Exemplars,
	})
	r.Path("/metrics").Methods("GET").Handler(metrics)
	// Two routes, because a prefix alone would match /admin/queuesX too.
	dashboard := s.guarded(page, s.queues(d.QueuesWritable))
	r.Path(queuesPath).Handler(dashboard)
	r.PathPrefix(queuesPath + "/").Handler(dashboard)
	r.PathPrefix("/debug/pprof/").Methods("GET").Handler(s.guarded(page, http.HandlerFunc(pprof.Index)))
	return d.Edge.Wrap(s.sameSite(r))
}

// apiPath is where the JSON API is.
const apiPath = "/admin/api/v1"

// table is every route but the mounted ones.
func (s *server) table() []route {
	return slices.Concat(s.pageRoutes(), s.workspaceRoutes(), s.suspensionRoutes(), s.deletionRoutes(), s.apiRoutes(), s.processRoutes())
}

func (s *server) apiRoutes() []route {
	const workspace, key = apiPath + "/workspaces/{ws}", apiPath + "/workspaces/{ws}/keys/{key}"
	return []route{
		{"POST", apiPath + "/workspaces", private, s.createWorkspace, "name, rate, burst, statuses"},
		{"GET", apiPath + "/workspaces", private, s.listWorkspaces,
			"limit, cursor; q is a part of a name, or an id; volume=true tells what each receives"},
		{"GET", workspace, private, s.getWorkspace, ""},
		{"PATCH", workspace, private, s.updateWorkspace, "name, rate, burst, statuses"},
		{"POST", workspace + "/chatbots", private, s.createChatbot, "name"},
		{"GET", workspace + "/chatbots", private, s.listChatbots, "limit, cursor"},
		{"POST", workspace + "/keys", private, s.createKey,
			"name, kind, mode, scopes, expiresAt, form; answers the secret, once"},
		{"GET", workspace + "/keys", private, s.listKeys, "limit, cursor"},
		{"POST", key + "/rotate", private, s.rotateKey, "overlapSeconds; answers the new secret, once"},
		{"POST", workspace + "/console-sessions", private, s.createConsoleLink,
			"name, scopes, expiresInSeconds, linkExpiresInSeconds, frameOrigins, brand; answers a link to its console, once"},
		{"GET", apiPath + "/stores", private, s.showStores, "answers how Postgres and Redis do, what is healthy, and when the disk is full"},
		{"GET", apiPath + "/errors", private, s.listErrors,
			"requestId; answers the newest answers of 500 and above, of all gateways"},
		{"GET", apiPath + "/processes", private, s.listProcesses, "answers which gateways and workers run, in which version"},
		{"GET", apiPath + "/failing", private, s.listFailing, "answers up to 200 endpoints that fail, over all workspaces"},
		{"POST", workspace + "/endpoints/{endpoint}/probe", private, s.probeEndpoint,
			"tries one delivery now, though the endpoint fails"},
		{"DELETE", key, private, s.revokeKey, "revokes the key within a second"},
	}
}

// processRoutes are about this process. pprof's cmdline is not among them: a flag may hold a secret.
func (s *server) processRoutes() []route {
	return []route{
		{"GET", "/", open, redirect(root), ""},
		{"GET", "/healthz", open, s.health, ""},
		{"GET", "/readyz", open, s.readiness, ""},
		{"GET", "/debug/pprof/profile", page, plain(pprof.Profile), ""},
		{"GET", "/debug/pprof/symbol", page, plain(pprof.Symbol), ""},
		{"GET", "/debug/pprof/trace", page, plain(pprof.Trace), ""},
	}
}

func (s *server) guarded(g guard, next http.Handler) http.Handler {
	switch g {
	case private:
		return s.private(next)
	case page:
		return s.page(next)
	default:
		return next
	}
}

func plain(h http.HandlerFunc) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error { h(w, r); return nil }
}

func redirect(to string) httpx.Handler {
	return plain(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusSeeOther) })
}

// apiOrigin is where a browser that reached this listener with r finds the API; "": that is not known.
func (s *server) apiOrigin(r *http.Request) string {
	if s.public != "" {
		return s.public
	}
	apiHost, port, err := net.SplitHostPort(s.apiAddr)
	if err != nil || !httpx.HostIsPlain(r.Host) {
		return ""
	}
	if ip := net.ParseIP(apiHost); apiHost == "" || ip != nil && ip.IsUnspecified() {
		if apiHost = r.Host; strings.Contains(r.Host, ":") {
			if apiHost, _, err = net.SplitHostPort(r.Host); err != nil {
				return ""
			}
		}
	}
	return "http://" + net.JoinHostPort(apiHost, port)
}
