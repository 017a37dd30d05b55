package admin

import (
	"embed"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/webui"
	"leadgate/shared/fault"
)

const (
	root       = "/admin/"
	assetsPath = root + "assets/"
)

//go:embed pages/*.html
var files embed.FS

// nav is the order of pages. What others made, such as the queue dashboard, opens as it is.
var nav = []webui.Link{
	{Label: "Overview", Href: root}, {Label: "Failing webhooks", Href: failingPath},
	{Label: "Workspaces", Href: workspacesPath}, {Label: "Server errors", Href: errorsPath},
	{Label: "Processes", Href: processesPath}, {Label: "Stores", Href: storesPath}, {Label: "Queues", Href: queuesPath},
	{Label: "Admin API", Href: "/admin/api"},
	{Label: "Metrics", Href: "/metrics"}, {Label: "Profiles", Href: "/debug/pprof/"},
}

// pageRoutes are the pages for people. A form names the route of the API that does the same.
func (s *server) pageRoutes() []route {
	return []route{
		{"GET", "/admin", open, redirect(root), ""},
		{"GET", root, page, s.visited(start), ""},
		{"GET", failingPath, page, s.visited(failingPage), ""},
		{"POST", root + "workspaces/{ws}/endpoints/{endpoint}/probe", page, s.visited(probeForm), ""},
		{"GET", storesPath, page, s.visited(storesPage), ""},
		{"GET", errorsPath, page, s.visited(errorsPage), ""},
		{"GET", processesPath, page, s.visited(processesPage), ""},
		{"GET", "/admin/api", page, s.visited(apiTable), ""},
		{"GET", "/admin/login", open, s.loginForm, ""},
		{"POST", "/admin/login", open, s.login, ""},
		{"POST", "/admin/logout", open, s.logout, ""},
		{"GET", assetsPath + "{name}", open, asset, ""},
	}
}

//go:embed pages/queues.css
var queuesStyle []byte

func asset(w http.ResponseWriter, r *http.Request) error {
	if mux.Vars(r)["name"] == "queues.css" {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "private, max-age=300")
		_, _ = w.Write(queuesStyle) // a failed write means the client has left
		return nil
	}
	return webui.ServeAsset(w, r, mux.Vars(r)["name"])
}

// visit is one request for a page, of somebody who may see it.
type visit struct {
	*server
	w       http.ResponseWriter
	r       *http.Request
	problem error // why the form that is shown again was not taken
}

// data is what the page's own part gets, beside what was entered before where a form is shown again.
type data struct {
	Form url.Values
	Page any
}

const maxForm = 64 << 10

// visited makes a handler of a page, whose errors are pages too.
func (s *server) visited(do func(*visit) error) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			httpx.FailAs(r, s.failureOf(administrator(r)))
		}
		if r.Method != http.MethodGet {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				return fault.InvalidField("body", nil, "Must be a form of at most 64 KiB")
			}
		}
		return do(&visit{server: s, w: w, r: r})
	}
}

// failureOf writes an error as a page for an administrator.
func (s *server) failureOf(name string) func(http.ResponseWriter, *fault.Error, string) {
	return func(w http.ResponseWriter, f *fault.Error, requestID string) {
		view := s.view("Something is in the way", "", name)
		view.Problem = f.Public + " (request " + requestID + ")"
		if err := s.render(w, f.Kind.Status(), "error.html", view); err != nil {
			s.log.Error("show an error failed", "error", err.Error())
		}
	}
}

// show renders a page; a form that was not taken is shown with what is wrong.
func (v *visit) show(name, title string, page any) error {
	view := v.view(title, v.r.URL.Path, administrator(v.r))
	if b, ok := v.backlog.read(); ok {
		i := slices.IndexFunc(view.Nav, func(l webui.Link) bool { return l.Href == failingPath })
		view.Nav[i].Count = b.Failing + b.Open
	}
	view.Query = webui.Query{Values: v.r.URL.Query()}
	view.Notice = notices[view.Query.Get("done")]
	view.Data = data{v.r.PostForm, page}
	status := http.StatusOK
	if v.problem != nil {
		f := fault.From(v.problem)
		view.Problem, status = f.Public, f.Kind.Status()
		for _, m := range f.Fields() {
			view.Fields = append(view.Fields, webui.Mistake{Field: m.Field, Message: m.Message})
		}
	}
	return v.render(v.w, status, name, view)
}

// notices are what a page says after a form was taken, by the parameter "done" of its address: no other text of an
// address is shown.
var notices = map[string]string{
	"created":   "The workspace was made. Give it a key, so that it can be used.",
	"changed":   "The workspace was changed.",
	"chatbot":   "The chatbot was made.",
	"revoked":   "The key was ended.",
	"suspended": "The workspace is suspended. Every gateway refuses its keys within a second, and nothing is sent any more.",
	"deleting":  "The workspace is being deleted by a worker. When that is done its receipt stays here.",
	"resumed":   "The workspace works again, and what waited is being sent.",
	"probed":    "One delivery is tried now. When it arrives, all that waits follows by itself.",
}

// done leads to a page that says what was just done.
func (v *visit) done(to, what string) error {
	http.Redirect(v.w, v.r, to+"?done="+what, http.StatusSeeOther)
	return nil
}

// again shows a form that was not taken; what is not the form's fault is no matter of the form.
func (v *visit) again(err error, page func(*visit) error) error {
	if fault.From(err).Kind.Status() == http.StatusInternalServerError {
		return err
	}
	v.problem = err
	return page(v)
}

// view is the layout around a page at a path, for an administrator.
func (s *server) view(title, path, name string) *webui.View {
	v := &webui.View{Title: title, Assets: assetsPath, Brand: webui.Brand{Name: "leadgate admin"},
		Logout: "/admin/logout", Account: "Signed in as " + name}
	for _, l := range nav {
		l.Current = path == l.Href || l.Href != root && strings.HasPrefix(path, l.Href+"/")
		v.Nav = append(v.Nav, l)
	}
	return v
}

func (s *server) render(w http.ResponseWriter, status int, name string, view *webui.View) error {
	w.Header().Set("Content-Security-Policy", webui.Policy(nil, ""))
	w.Header().Set("Cache-Control", "no-store")
	return s.pages.Render(w, status, name, view)
}

func apiTable(v *visit) error {
	var listed []route
	for _, t := range v.routes {
		if strings.HasPrefix(t.Path, apiPath) {
			listed = append(listed, t)
		}
	}
	return v.show("api.html", "Admin API", struct {
		API    string // its address
		Routes []route
	}{v.apiOrigin(v.r), listed})
}
