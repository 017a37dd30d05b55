package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/gateway/internal/webui"
	"leadgate/shared/admintoken"
	"leadgate/shared/fault"
)

// Challenges of a 401. At a Basic one browsers open a dialog of their own, before they show any page.
const bearerChallenge, basicChallenge = "Bearer", `Basic realm="leadgate admin", charset="UTF-8"`

// private lets in requests with the token or a session. The refusal is an error in the envelope.
func (s *server) private(next http.Handler) http.Handler {
	return s.edge.Handle(func(w http.ResponseWriter, r *http.Request) error {
		name, err := s.sessions.authenticate(r)
		if err != nil {
			return err
		}
		next.ServeHTTP(w, as(r, name))
		return nil
	})
}

// page is private for what people look at: a browser that is refused gets the login form, and other clients are asked
// for Basic credentials.
func (s *server) page(next http.Handler) http.Handler {
	return s.edge.Handle(func(w http.ResponseWriter, r *http.Request) error {
		name, err := s.sessions.authenticate(r)
		if err == nil {
			next.ServeHTTP(w, as(r, name))
			return nil
		}
		wantsPage := strings.Contains(r.Header.Get("Accept"), "text/html")
		if wantsPage || r.Header.Get("Sec-Fetch-Mode") != "" { // which only browsers send, of scripts too
			w.Header().Set("WWW-Authenticate", bearerChallenge)
		} else {
			w.Header().Set("WWW-Authenticate", basicChallenge)
		}
		if r.Method != http.MethodGet || !wantsPage {
			return err
		}
		form := loginPage{Next: local(r.URL.RequestURI())}
		if _, tried := admintoken.Credential(r); tried {
			form.Wrong = fault.From(err).Public
		}
		return s.askToSignIn(w, fault.From(err).Kind.Status(), form)
	})
}

type nameKey struct{}

// as is a request of an administrator.
func as(r *http.Request, name string) *http.Request {
	httpx.AddLogField(r, "admin", name)
	return r.WithContext(context.WithValue(r.Context(), nameKey{}, name))
}

// administrator is whose request it is; "" of a stranger's.
func administrator(r *http.Request) string {
	name, _ := r.Context().Value(nameKey{}).(string)
	return name
}

// tenantsOf are the tenants, as the administrator of a request changes them.
func (s *server) tenantsOf(r *http.Request) tenants.Service {
	service := s.tenants
	service.Administrator = administrator(r)
	return service
}

// local returns next where it is a page of this listener, else the start page: a login must not lead elsewhere.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || strings.Contains(next, `\`) {
		return root
	}
	for _, room := range []string{"/admin/", "/debug/pprof/"} {
		if strings.HasPrefix(u.Path+"/", room) && !strings.HasPrefix(u.Path, "/admin/log") {
			return u.RequestURI()
		}
	}
	return root
}

func (s *server) loginForm(w http.ResponseWriter, r *http.Request) error {
	return s.askToSignIn(w, http.StatusOK, loginPage{Next: local(r.URL.Query().Get("next"))})
}

func (s *server) askToSignIn(w http.ResponseWriter, status int, form loginPage) error {
	view := &webui.View{Title: "Sign in", Assets: assetsPath, Problem: form.Wrong, Data: form}
	return s.render(w, status, "login.html", view)
}

type loginPage struct {
	Next  string
	Wrong string
}

// login takes the form's token; the answer to a wrong one is the form again.
func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil {
		return fault.InvalidField("body", nil, "Must be a form of at most 8 KiB")
	}
	next := local(r.PostForm.Get("next"))
	token, err := s.sessions.guard.Token(r.RemoteAddr, strings.TrimSpace(r.PostForm.Get("token")))
	if err != nil {
		f := fault.From(err)
		httpx.AddLogField(r, "login", "refused")
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
		}
		return s.askToSignIn(w, f.Kind.Status(), loginPage{Next: next, Wrong: f.Public})
	}
	return s.open(w, r, token, next)
}

func (s *server) open(w http.ResponseWriter, r *http.Request, token admintoken.Token, next string) error {
	http.SetCookie(w, s.sessions.cookie(r, token))
	httpx.AddLogField(r, "login", "opened")
	httpx.AddLogField(r, "admin", token.Name)
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *server) logout(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, s.sessions.expiredCookie(r))
	http.Redirect(w, r, "/admin/login", http.StatusSeeOther)
	return nil
}
