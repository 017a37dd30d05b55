package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/webui"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

const (
	sessionCookie = "console_session"
	signInLife    = 12 * time.Hour
)

// authenticate returns whom a request acts for, by its cookie.
func (c *console) authenticate(r *http.Request) (*tenant.Principal, *tenant.Session, error) {
	found, err := c.findCookie(r, sessionCookie)
	if err != nil {
		return nil, nil, fault.New(fault.Unauthorized, "Nobody is signed in")
	}
	p, s, err := c.Auth.Session(r.Context(), found.Value, func() error { return c.admitStranger(r) })
	if errors.Is(err, auth.ErrUnknownSession) {
		c.Strangers.CountUnknownKey(r)
	}
	return p, s, err
}

// strangers are addresses that send secrets which nobody has.
type strangers interface {
	UnknownKeysBlocked(r *http.Request) time.Duration
	CountUnknownKey(r *http.Request)
}

// admitStranger refuses an address that has sent many unknown keys, sessions or links.
func (c *console) admitStranger(r *http.Request) error {
	if wait := c.Strangers.UnknownKeysBlocked(r); wait > 0 {
		return &fault.Error{Kind: fault.RateLimited, RetryAfter: wait,
			Public: "Too many attempts with unknown keys or links from your address: wait a minute"}
	}
	return nil
}

// hostPrefix begins the names of cookies that browsers take from this host alone, over TLS: another host of the same
// domain cannot plant one, such as that of its own session.
const hostPrefix = "__Host-"

// findCookie returns a cookie of the console; over TLS one without hostPrefix is none of ours.
func (c *console) findCookie(r *http.Request, name string) (*http.Cookie, error) {
	if httpx.OverTLS(r, c.Trusted) {
		name = hostPrefix + name
	}
	return r.Cookie(name)
}

// cookie makes one of the console's. Where other origins may show the console in a frame, it must be sent there too, to
// that site's frames only (CHIPS); else links from elsewhere may lead here, and nothing more.
func (c *console) cookie(r *http.Request, s *tenant.Session, name, value string, seconds int) *http.Cookie {
	k := &http.Cookie{Name: name, Value: value, Path: Root, MaxAge: seconds, HttpOnly: true,
		SameSite: http.SameSiteLaxMode}
	if httpx.OverTLS(r, c.Trusted) {
		k.Name, k.Path, k.Secure = hostPrefix+name, "/", true // the prefix asks for both
	}
	if s != nil && len(s.FrameOrigins) > 0 {
		k.SameSite, k.Secure, k.Partitioned = http.SameSiteNoneMode, true, true
	}
	return k
}

// onlyReads answers for whatever opens or ends a session on a gateway that only reads.
func onlyReads(http.ResponseWriter, *http.Request) error {
	return &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Minute,
		Public: "This gateway only reads, so nobody can sign in or out here: do that at one that writes. Who is signed in there " +
			"is signed in here too, a moment later, where both have the same address"}
}

// signInPage is what the sign-in form shows.
type signInPage struct{ Next string }

func (c *console) signInForm(w http.ResponseWriter, r *http.Request) error {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest == "iframe" || dest == "frame" {
		// The page around it made the session, and can make another: nobody has a key there. There is nothing to click.
		view := &webui.View{Title: "Signed out", Assets: assetsPath}
		return c.render(w, http.StatusUnauthorized, "ended.html", view,
			&tenant.Session{FrameOrigins: []string{tenant.AnyOrigin}})
	}
	problem := ""
	if r.URL.Query().Has("lost") {
		problem = "Your session had ended, so what you just did was not done. Sign in, and do it again."
	}
	return c.askToSignIn(w, http.StatusOK, local(r.URL.Query().Get("next")), problem)
}

func (c *console) askToSignIn(w http.ResponseWriter, status int, next, problem string) error {
	view := &webui.View{Title: "Sign in", Assets: assetsPath, Problem: problem, Data: signInPage{next}}
	return c.render(w, status, "sign-in.html", view, nil)
}

// signIn takes a secret key, which is exchanged for a session at once and is kept nowhere.
func (c *console) signIn(w http.ResponseWriter, r *http.Request) error {
	key, err := formValue(w, r, "key")
	if err != nil {
		return err
	}
	next := local(r.PostForm.Get("next"))
	p, err := c.byKey(w, r, key)
	if err == nil {
		var secret string
		var s tenant.Session
		if secret, s, err = c.Tenants.OpenSession(r.Context(), p, "", signInLife); err == nil {
			return c.enter(w, r, secret, &s, next)
		}
	}
	refused := fault.From(err)
	if refused.Kind.Status() == http.StatusInternalServerError {
		return err
	}
	httpx.AddLogField(r, "sign_in", "refused")
	return c.askToSignIn(w, refused.Kind.Status(), next, refused.Public)
}

// byKey returns whom a secret key acts for. It asks the API with it first, whose limits of guessing are the same here.
func (c *console) byKey(w http.ResponseWriter, r *http.Request, key string) (*tenant.Principal, error) {
	v := &visit{console: c, w: w, r: r}
	asked, err := v.request(http.MethodGet, "/api/v1/workspace", http.NoBody)
	if err != nil {
		return nil, err
	}
	asked.Header.Set("Authorization", "Bearer "+key)
	a := v.answer()
	c.API.ServeHTTP(a, asked)
	if a.status != http.StatusOK {
		return nil, asFault(a.refusal())
	}
	return c.Auth.Principal(r.Context(), asked, func() error { return nil })
}

// asFault makes a refusal of the API an error of the console's own.
func asFault(err error) error {
	kinds := map[int]fault.Kind{http.StatusUnauthorized: fault.Unauthorized, http.StatusForbidden: fault.Forbidden,
		http.StatusTooManyRequests: fault.RateLimited, http.StatusServiceUnavailable: fault.Unavailable}
	for status, kind := range kinds {
		if isStatus(err, status) {
			return fault.New(kind, err.Error())
		}
	}
	return err
}

// openForm is where a one-time link leads: the page sends its secret, which is behind the # of its address, by itself.
// So a preview of the link that a mail program or a chat fetches does not use it up. Who is signed in is asked: a link
// that somebody else made must not lead to another workspace unnoticed. A frame has a new link each time.
func (c *console) openForm(w http.ResponseWriter, r *http.Request) error {
	_, s, err := c.authenticate(r)
	return c.showOpen(w, http.StatusOK, "", err == nil && len(s.FrameOrigins) == 0)
}

// openPage is what the page of a link shows. Ask: somebody is signed in.
type openPage struct{ Ask bool }

// showOpen may be in a frame of any site: which ones may show the console is known once the link is used, and before
// that there is nothing on the page that a click could give away.
func (c *console) showOpen(w http.ResponseWriter, status int, problem string, ask bool) error {
	view := &webui.View{Title: "Open the console", Assets: assetsPath, Problem: problem, Data: openPage{ask}}
	return c.render(w, status, "open.html", view, &tenant.Session{FrameOrigins: []string{tenant.AnyOrigin}})
}

func (c *console) openLink(w http.ResponseWriter, r *http.Request) error {
	link, err := formValue(w, r, "link")
	if err != nil {
		return err
	}
	if err := c.admitStranger(r); err != nil {
		return err
	}
	secret, s, err := c.Tenants.OpenSessionLink(r.Context(), link)
	if fault.Is(err, fault.Unauthorized) {
		c.Strangers.CountUnknownKey(r)
		return c.showOpen(w, http.StatusUnauthorized, fault.From(err).Public, false)
	}
	if err != nil {
		return err
	}
	return c.enter(w, r, secret, &s, Root)
}

// enter gives a browser its session, always a new one.
func (c *console) enter(w http.ResponseWriter, r *http.Request, secret string, s *tenant.Session, next string) error {
	life := int(s.ExpiresAt.Sub(c.Now()).Seconds())
	http.SetCookie(w, c.cookie(r, s, sessionCookie, secret, max(1, life)))
	httpx.AddLogField(r, "sign_in", "opened")
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// signOut ends the session everywhere, not only in this browser.
func (c *console) signOut(w http.ResponseWriter, r *http.Request) error {
	p, s, err := c.authenticate(r)
	if s != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
		defer cancel()
		if err := c.Tenants.EndSession(ctx, p.WorkspaceID, s.ID); err != nil {
			return err
		}
	} else if !fault.Is(err, fault.Unauthorized) {
		return err
	}
	http.SetCookie(w, c.cookie(r, s, sessionCookie, "", -1))
	http.Redirect(w, r, Root+"/sign-in", http.StatusSeeOther)
	return nil
}

// formValue reads a field of a short form.
func formValue(w http.ResponseWriter, r *http.Request, name string) (string, error) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil {
		return "", fault.InvalidField("body", nil, "Must be a form of at most 8 KiB")
	}
	return strings.TrimSpace(r.PostForm.Get(name)), nil
}

// local returns next where it is a page of the console, else the first page: a sign-in must not lead elsewhere.
func local(next string) string {
	u, err := url.Parse(next)
	inside := err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && u.Opaque == "" &&
		strings.HasPrefix(u.Path, Root+"/") && path.Clean(u.Path) == u.Path && !strings.ContainsAny(next, "\\\r\n")
	if !inside || strings.HasPrefix(u.Path, Root+"/sign-") || strings.HasPrefix(u.Path, Root+"/open") {
		return Root
	}
	return u.RequestURI()
}
