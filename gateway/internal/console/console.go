// Package console is the owner's console: pages on which a workspace's leads, forms and webhooks are seen and changed.
// It asks the API's own handler, in this process, with the principal of the session: so it can do nothing that a key
// with the same scopes could not do with curl, and every check, limit and audit entry is the API's.
package console

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/gateway/internal/webui"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Root is where the console is; below it are its pages.
const Root = "/console"

const assetsPath = Root + "/assets/"

// Deps of New; all are needed but PublicURL, Now and Log.
type Deps struct {
	API       http.Handler // asked in this process
	Auth      *auth.Auth
	Tenants   tenants.Service // opens and ends sessions
	Pulse     func(ctx context.Context, workspace id.UUID) (pg.Pulse, error)
	Edge      *httpx.Edge
	Strangers strangers        // limits those who guess
	Trusted   []netip.Prefix   // proxies in front: their X-Forwarded-Proto says whether the browser spoke TLS
	PublicURL string           // the address of this installation; "": that of the request
	ReadOnly  bool             // the API refuses whatever writes, and sessions cannot be opened or ended
	Stopping  <-chan struct{}  // closed where the process is to end: pages that are open hear of no more; nil: never
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: slog.Default
}

type console struct {
	Deps
	pages *webui.Pages
	live  *live
}

//go:embed pages/*.html
var files embed.FS

// page answers a request of somebody who is signed in.
type page func(v *visit) error

// route is one line of the table.
type route struct {
	method, path string
	scope        tenant.Scope // that the session must have; anyScope: none
	do           page
	twins        []string // the API's routes that do the same
	again        page     // of a form: what shows it again, with what is wrong
}

// anyScope is the scope of a page that every session may see.
const anyScope tenant.Scope = ""

func (c *console) routes() []route {
	return slices.Concat(
		overviewRoutes(), newLeadRoutes(), leadRoutes(), suppressionRoutes(), submissionRoutes(), formRoutes(), importRoutes(),
		endpointRoutes(), deliveryRoutes(), replayRoutes(), keyRoutes(), sessionRoutes(),
		settingsRoutes(), bookRoutes(), auditRoutes(),
	)
}

// nav is the order of pages, each with the scope that it needs.
var nav = []struct {
	label, path string
	scope       tenant.Scope
}{
	{"Overview", Root, anyScope},
	{"Leads", Root + "/leads", tenant.LeadsRead},
	{"Submissions", submissionsPath, tenant.LeadsRead},
	{"Blocked", suppressionsPath, tenant.LeadsWrite},
	{"Forms", formsPath, tenant.KeysManage},
	{"Imports", importsPath, tenant.LeadsRead},
	{"Webhooks", endpointsPath, tenant.WebhooksManage},
	{"Deliveries", deliveriesPath, tenant.WebhooksManage},
	{"Replays", replaysPath, tenant.WebhooksManage},
	{"Books", booksPath, anyScope},
	{"Keys", keysPath, tenant.KeysManage},
	{"Sign-ins", sessionsPath, tenant.KeysManage},
	{"Settings", settingsPath, tenant.WorkspaceManage},
	{"Audit", auditPath, tenant.WorkspaceManage},
}

// New makes the handler of everything below Root.
func New(d Deps) http.Handler {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	pages, err := webui.Parse(files)
	if err != nil {
		panic(err) // they are embedded, and the tests render each
	}
	c := &console{Deps: d, pages: pages, live: newLive(d.Pulse)}
	r := mux.NewRouter().SkipClean(true)
	httpx.RouterErrors(r, d.Edge)
	r.Path(assetsPath + "{name}").Methods("GET").Handler(d.Edge.Handle(asset))
	for _, open := range []struct {
		method, path string
		do           httpx.Handler
	}{
		{"GET", Root + "/sign-in", c.signInForm}, {"POST", Root + "/sign-in", c.signIn},
		{"GET", Root + "/open", c.openForm}, {"POST", Root + "/open", c.openLink},
		{"POST", Root + "/sign-out", c.signOut},
		{"GET", Root + "/live", c.liveEvents},
	} {
		if d.ReadOnly && open.path != Root+"/live" {
			open.do = onlyReads
		}
		r.Path(open.path).Methods(open.method).Handler(d.Edge.Handle(c.forPeople(open.do)))
	}
	for _, rt := range c.routes() {
		r.Path(rt.path).Methods(rt.method).Handler(d.Edge.Handle(c.forPeople(c.visited(rt))))
	}
	// What changes something must come from a page of this origin: browsers say where a request comes from.
	return d.Edge.Wrap(http.NewCrossOriginProtection().Handler(r))
}

// Beside answers what is below Root with console, and all else with api.
func Beside(api, console http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, Root); ok && (rest == "" || rest[0] == '/') {
			console.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

func asset(w http.ResponseWriter, r *http.Request) error {
	name := mux.Vars(r)["name"]
	if name == "accent.css" {
		return webui.ServeAccent(w, r.URL.Query().Get("accent"))
	}
	return webui.ServeAsset(w, r, name)
}

// forPeople has errors of h go out as a page, where a page was asked for.
func (c *console) forPeople(h httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			httpx.FailAs(r, c.writeFailure)
		}
		return h(w, r)
	}
}

func (c *console) writeFailure(w http.ResponseWriter, f *fault.Error, requestID string) {
	view := &webui.View{Title: "Something is in the way", Assets: assetsPath, Problem: f.Public + " (request " + requestID + ")"}
	if err := c.render(w, f.Kind.Status(), "error.html", view, nil); err != nil {
		c.Log.Error("show an error failed", "error", err.Error())
	}
}

// isID is the form of ids. What stands in their place in an address must not become another route of the API, such as
// an export.
var isID = regexp.MustCompile(`^[a-z]+_[0-9a-z]+$`)

// visited makes a page of rt for who is signed in; others see the sign-in page.
func (c *console) visited(rt route) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, s, err := c.authenticate(r)
		if fault.Is(err, fault.Unauthorized) {
			return c.toSignIn(w, r)
		}
		if err != nil {
			return err
		}
		httpx.AddLogField(r, "workspace", id.Workspace.Format(p.WorkspaceID))
		httpx.AddLogField(r, "session", id.ConsoleSession.Format(s.ID))
		httpx.ChargeTo(r, p.Payer())
		v := &visit{console: c, w: w, r: r, session: s, principal: p}
		if rt.scope != anyScope && !p.May(rt.scope) {
			return v.fail(fault.New(fault.Forbidden, "This session may not see this page: it lacks the scope "+string(rt.scope)))
		}
		if one, ok := mux.Vars(r)["id"]; ok && !isID.MatchString(one) {
			return v.fail(fault.New(fault.NotFound, "There is nothing with this id"))
		}
		if r.Method != http.MethodGet {
			if err := v.readForm(); err != nil {
				return v.fail(err)
			}
		}
		v.news = v.liveSince()
		err = rt.do(v)
		if err == nil || v.written {
			return err
		}
		if rt.again != nil && !internal(err) {
			v.problem, v.form = err, r.PostForm
			if again := rt.again(v); again == nil || v.written {
				return again
			}
		}
		return v.fail(err)
	}
}

// maxForm is how many bytes a form of the console may have; a file that is imported is streamed and has the API's own
// limit.
const maxForm = 1 << 20

func (v *visit) readForm() error {
	if strings.HasPrefix(v.r.Header.Get("Content-Type"), "multipart/") {
		return nil // the page reads it
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return fault.InvalidField("body", nil, "Must be a form of at most 1 MiB")
	}
	return nil
}

// toSignIn leads a browser to the sign-in page, from where it comes back.
func (c *console) toSignIn(w http.ResponseWriter, r *http.Request) error {
	q := url.Values{}
	if r.Method == http.MethodGet && r.URL.Path != Root {
		q.Set("next", r.URL.RequestURI())
	}
	if r.Method != http.MethodGet { // back to the page of the form, which must be sent again
		q.Set("lost", "")
		if from, err := url.Parse(r.Referer()); err == nil {
			q.Set("next", local(from.RequestURI()))
		}
	}
	to := Root + "/sign-in" + queryOf(q)
	if r.Header.Get("HX-Request") != "" { // a script's request, which must not put the sign-in page into another
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
