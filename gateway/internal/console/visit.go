package console

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// visit is one request of somebody who is signed in.
type visit struct {
	*console
	w         http.ResponseWriter
	r         *http.Request
	session   *tenant.Session
	principal *tenant.Principal
	problem   error      // why the form that is shown again was not taken
	form      url.Values // what was in it
	written   bool       // an answer is on its way
	counted   bool       // the rate limit has counted the visit; what else it asks is a part of it
	news      string     // where the page hears what has changed
	held      int        // submissions in quarantine, pg.MaxPulseHeld at most
}

// data is what the page's own part gets, beside what was entered before where a form is shown again.
type data struct {
	Form      url.Values
	Page      any
	principal *tenant.Principal
}

// May reports whether the session has a scope, which a template names as text.
func (d data) May(scope string) bool { return d.principal.May(tenant.Scope(scope)) }

// show renders a page. Its title is also its heading in the list of tabs of a browser.
func (v *visit) show(name, title string, page any) error {
	view := v.view(title)
	view.Data = data{v.form, page, v.principal}
	status := http.StatusOK
	if v.problem != nil {
		status = v.explain(view, v.problem)
	}
	v.written = true
	return v.render(v.w, status, name, view, v.session)
}

// asksAgain reports whether an open page that shows this version asks for a newer one. It is answered that there is
// none then, and stays as it is: somebody may be reading there.
func (v *visit) asksAgain(version string) bool {
	if v.r.URL.Query().Get("seen") != version {
		return false
	}
	v.written = true
	v.w.WriteHeader(http.StatusNoContent)
	return true
}

// digest is a short text that changes with what page shows.
func digest(page any) string {
	text, _ := json.Marshal(page) // it came as JSON
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// explain puts an error onto a page, and returns the status of it.
func (v *visit) explain(view *webui.View, err error) int {
	if refused := (*apiError)(nil); errors.As(err, &refused) {
		view.Problem = refused.Message
		for _, m := range refused.Fields {
			view.Fields = append(view.Fields, webui.Mistake(m))
		}
		if refused.Wait != "" {
			v.w.Header().Set("Retry-After", refused.Wait)
		}
		if refused.Status >= http.StatusInternalServerError {
			view.Problem += " (request " + refused.RequestID + ")"
		}
		return refused.Status
	}
	f := fault.From(err)
	view.Problem = f.Public
	for _, m := range f.Fields() {
		view.Fields = append(view.Fields, webui.Mistake{Field: m.Field, Message: m.Message})
	}
	return f.Kind.Status()
}

// internal reports whether err is a fault of the console's own, which the edge must log; those of the API it has
// logged.
func internal(err error) bool {
	return !errors.As(err, new(*apiError)) && fault.From(err).Kind.Status() == http.StatusInternalServerError
}

// fail shows a page that says what went wrong.
func (v *visit) fail(err error) error {
	view := v.view("Something is in the way")
	status := v.explain(view, err)
	if status == http.StatusNotFound {
		view.Title = "Not found"
	}
	if status == http.StatusInternalServerError {
		return err // the edge logs it
	}
	v.written = true
	return v.render(v.w, status, "error.html", view, v.session)
}

// view is the layout around a page of the session.
func (v *visit) view(title string) *webui.View {
	view := &webui.View{Title: title, Assets: assetsPath, Query: webui.Query{Values: v.r.URL.Query()},
		Brand: webui.Brand(v.session.Brand), Logout: Root + "/sign-out", Account: v.session.Name, Live: v.news,
		Notice: v.takeNotice()}
	if v.principal.TestOf != (tenant.Principal{}).TestOf {
		view.Banner = "This is test data: leads of test keys, and no webhook of live ones."
	}
	if v.ReadOnly {
		view.Banner = strings.TrimSpace(view.Banner + " This gateway only reads: nothing can be changed here.")
	}
	for _, n := range nav {
		if n.scope != anyScope && !v.principal.May(n.scope) {
			continue
		}
		here := v.r.URL.Path == n.path || n.path != Root && strings.HasPrefix(v.r.URL.Path, n.path+"/")
		link := webui.Link{Label: n.label, Href: n.path, Current: here}
		if n.path == submissionsPath {
			link.Count = v.held
		}
		view.Nav = append(view.Nav, link)
	}
	return view
}

// render writes a page with the headers that every page of the console has; s may be nil.
func (c *console) render(w http.ResponseWriter, status int, name string, view *webui.View, s *tenant.Session) error {
	var frames []string
	if s != nil {
		frames = s.FrameOrigins
	}
	w.Header().Set("Content-Security-Policy", webui.Policy(frames, view.Brand.LogoURL))
	w.Header().Set("Cache-Control", "no-store")
	return c.pages.Render(w, status, name, view)
}

const noticeCookie = "console_notice"

// done leads to a page that says what was just done.
func (v *visit) done(to, notice string) error {
	http.SetCookie(v.w, v.cookie(v.r, v.session, noticeCookie, base64.RawURLEncoding.EncodeToString([]byte(notice)), 60))
	v.written = true
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// takeNotice returns what done left for the page, once.
func (v *visit) takeNotice() string {
	c, err := v.findCookie(v.r, noticeCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(v.w, v.cookie(v.r, v.session, noticeCookie, "", -1))
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return ""
	}
	return string(text)
}
