// Package admin is the operator's side of the gateway, on a listener of its own: tenants by JSON, the queue dashboard,
// metrics, health, profiles.
package admin

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/config"
	"leadgate/shared/pg"
)

// Deps of New.
type Deps struct {
	DB             *pg.DB
	Redis          redis.UniversalClient // shared with the rest of the gateway and not closed here
	Token          config.Secret         // each of them, between white space, opens everything but health, metrics and the login form
	Edge           *httpx.Edge
	Log            *slog.Logger // nil: slog.Default
	QueuesWritable bool         // the dashboard may run, archive and delete tasks
	Registry       *prometheus.Registry
	Ready          func(context.Context) error // what the gateway cannot do without
	Now            func() time.Time            // nil: time.Now
	APIAddr        string                      // host:port of the other listener, to link its docs; "": no link
	Trusted        []netip.Prefix              // proxies in front: their X-Forwarded-Proto says whether the client spoke TLS
}

type server struct {
	tenants  tenants.Service
	redis    redis.UniversalClient
	edge     *httpx.Edge
	sessions *sessionAuth
	ready    func(context.Context) error
	apiAddr  string
	pages    *template.Template
	routes   []route
}

// route is one line of the table: who may come in is the guard's business.
type route struct {
	Method, Path string
	guard        guard
	handle       httpx.Handler
	About        string // on the start page; "" leaves it out
}

// guard says who gets through.
type guard int

const (
	open    guard = iota // everybody: nothing private is behind it
	private              // who has the token
	page                 // the same, and browsers are shown the way to the login form
)

//go:embed pages/*.html
var pages embed.FS

// New makes the handler of the admin listener and registers the metrics of queues and stores.
func New(d Deps) http.Handler {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	s := &server{
		tenants: tenants.Service{DB: d.DB, Now: d.Now}, redis: d.Redis, edge: d.Edge, sessions: newSessionAuth(d.Token,
			d.Now, d.Trusted),
		ready: d.Ready, apiAddr: d.APIAddr, pages: template.Must(template.ParseFS(pages, "pages/*.html")),
	}
	d.Registry.MustRegister(newCollector(d.Redis, d.Ready, &backlog{count: d.DB.Backlog, now: d.Now}))
	s.routes = s.table()

	r := mux.NewRouter().SkipClean(true) // a 404 is clearer than a redirect that turns POST into GET
	httpx.RouterErrors(r, d.Edge)
	// The path stands before the methods everywhere: of a route whose method fits and whose path does not, mux would
	// forget that an earlier one had the path, and answer 404 for 405.
	for _, t := range s.routes {
		r.Path(t.Path).Methods(t.Method).Handler(s.guarded(t.guard, d.Edge.Handle(t.handle)))
	}
	metrics := promhttp.HandlerFor(d.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelError), MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
	r.Path("/metrics").Methods("GET").Handler(metrics)
	// Two routes, because a prefix alone would match /admin/queuesX too.
	dashboard := s.guarded(page, queues(d.Redis, d.QueuesWritable))
	r.Path(queuesPath).Handler(dashboard)
	r.PathPrefix(queuesPath + "/").Handler(dashboard)
	r.PathPrefix("/debug/pprof/").Methods("GET").Handler(s.guarded(page, http.HandlerFunc(pprof.Index)))
	return d.Edge.Wrap(s.sameSite(r))
}

// table is every route but the mounted ones. pprof's cmdline is not among them: a flag may hold a secret.
func (s *server) table() []route {
	const api = "/admin/api/v1"
	return []route{
		{"GET", "/", open, redirect("/admin/"), ""},
		{"GET", "/healthz", open, s.health, ""},
		{"GET", "/readyz", open, s.readiness, ""},
		{"GET", "/admin", open, redirect("/admin/"), ""},
		{"GET", "/admin/", page, s.start, ""},
		{"GET", "/admin/login", open, s.loginForm, ""},
		{"POST", "/admin/login", open, s.login, ""},
		{"POST", "/admin/logout", open, s.logout, ""},
		{"POST", api + "/workspaces", private, s.createWorkspace, "name, rate, burst, statuses"},
		{"GET", api + "/workspaces", private, s.listWorkspaces, "limit, cursor"},
		{"GET", api + "/workspaces/{ws}", private, s.getWorkspace, ""},
		{"PATCH", api + "/workspaces/{ws}", private, s.updateWorkspace, "name, rate, burst, statuses"},
		{"POST", api + "/workspaces/{ws}/chatbots", private, s.createChatbot, "name"},
		{"GET", api + "/workspaces/{ws}/chatbots", private, s.listChatbots, "limit, cursor"},
		{"POST", api + "/workspaces/{ws}/keys", private, s.createKey,
			"name, kind, mode, scopes, expiresAt, form; answers the secret, once"},
		{"GET", api + "/workspaces/{ws}/keys", private, s.listKeys, "limit, cursor"},
		{"POST", api + "/workspaces/{ws}/keys/{key}/rotate", private, s.rotateKey,
			"overlapSeconds; answers the new secret, once"},
		{"DELETE", api + "/workspaces/{ws}/keys/{key}", private, s.revokeKey, "revokes the key within a second"},
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

// start is the page of links.
func (s *server) start(w http.ResponseWriter, r *http.Request) error {
	var listed []route
	for _, t := range s.routes {
		if t.About != "" {
			listed = append(listed, t)
		}
	}
	return s.render(w, http.StatusOK, "start.html", struct {
		Docs   string
		Routes []route
	}{docsURL(s.apiAddr, r.Host), listed})
}

// docsURL is where a browser that reached this listener as host finds the API's documentation.
func docsURL(apiAddr, host string) string {
	apiHost, port, err := net.SplitHostPort(apiAddr)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(apiHost); apiHost == "" || ip != nil && ip.IsUnspecified() {
		if apiHost = host; strings.Contains(host, ":") {
			if apiHost, _, err = net.SplitHostPort(host); err != nil {
				return ""
			}
		}
	}
	return "http://" + net.JoinHostPort(apiHost, port) + "/docs"
}

const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *server) render(w http.ResponseWriter, status int, name string, data any) error {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a failed write means the client has left
	return nil
}
