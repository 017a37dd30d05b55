package form

import (
	"net/http"
	"net/url"
	"slices"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// Origins are whose pages may use a form.
type Origins []string

// OriginsOf returns the form's own, else those of its workspace.
func OriginsOf(p *tenant.Principal) Origins {
	if len(p.Form.Origins) > 0 {
		return p.Form.Origins
	}
	return p.Settings.AllowedOrigins
}

// allow reports whether pages of an origin may use the form; "" is an unknown origin.
func (o Origins) allow(origin string) bool {
	return slices.Contains(o, tenant.AnyOrigin) || origin != "" && slices.Contains(o, origin)
}

// host reports whether a captcha may have been solved on a host; "": the verifier does not say.
func (o Origins) host(name string) bool {
	if name == "" || slices.Contains(o, tenant.AnyOrigin) {
		return true
	}
	solved, ok := tenant.ParseOrigin("https://" + name)
	return ok && slices.ContainsFunc(o, func(origin string) bool {
		u, err := url.Parse(origin)
		return err == nil && "https://"+u.Hostname() == solved
	})
}

// OriginOf returns the origin of the page that sent a request: by Origin, else by Referer. "": it does not say, or it
// is opaque ("null"), as that of a file, a sandboxed frame or a redirect is, behind which anybody can be.
func OriginOf(h http.Header) string {
	from := h.Get("Origin")
	if from == "" {
		from = h.Get("Referer")
	}
	origin, _ := tenant.ParseOrigin(from)
	return origin
}

// Admit returns FORBIDDEN for pages that may not use the form. Scripts can read the answer, of such a page too: there
// it is the reason, with what its owner has to do.
func (o Origins) Admit(w http.ResponseWriter, h http.Header) error {
	w.Header().Add("Vary", "Origin")
	origin := OriginOf(h)
	if !o.allow(origin) {
		AdmitAnyone(w)
		return refused(o, origin)
	}
	switch sent := h.Get("Origin"); {
	case sent == "": // no script asks, or one of our own site
		return nil
	case origin != "" || sent == "null":
		w.Header().Set("Access-Control-Allow-Origin", sent)
	default:
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
	return nil
}

// AdmitAnyone lets scripts of every page read the answer. It is for requests without a known form, so that whoever sets
// one up sees what is wrong.
func AdmitAnyone(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
}

// refusedOrigin is the cause of a FORBIDDEN: the page's origin, "" where it is not known.
type refusedOrigin struct{ origin string }

func (r refusedOrigin) Error() string { return "origin not allowed" }

// refusedDetails are what the answer says besides.
type refusedDetails struct {
	Origin *string `json:"origin"` // null: the request does not say
}

func refused(o Origins, origin string) error {
	const where = "to form.origins of its key or to the workspace's allowedOrigins"
	f := &fault.Error{Kind: fault.Forbidden, Cause: refusedOrigin{origin}, Details: refusedDetails{}}
	shown := fault.Truncate(origin)
	if origin != "" {
		f.Details = refusedDetails{&shown}
	}
	switch {
	case origin == "":
		f.Public = `The request does not say which page sent this form. To allow that, add "*" ` + where
	case len(o) == 0:
		f.Public = "No site may use this form yet. To allow pages of " + shown + ", add that origin " + where
	default:
		f.Public = "Pages of " + shown + " may not use this form. To allow them, add that origin " + where
	}
	return f
}

// mayRedirect reports whether a form may redirect to a page of the origin to. A form that every site may use redirects
// only to the site it was sent from or to that of its redirectUrl: else its address would be an open redirect.
func (o Origins) mayRedirect(to string, f tenant.Form, h http.Header) bool {
	if !slices.Contains(o, tenant.AnyOrigin) {
		return o.allow(to)
	}
	own, ok := tenant.ParseOrigin(f.RedirectURL)
	return to == OriginOf(h) || ok && to == own || slices.Contains(o, to)
}

// Next returns the URL a plain form redirects to: its own _next, where the site of that may use the form, else
// redirectUrl of its key. "": a page of ours.
func (o Origins) Next(s *Submission, f tenant.Form, h http.Header) (string, error) {
	if s.Next == "" {
		return f.RedirectURL, nil
	}
	rule := "Must be an http or https URL of a site that may use this form, or a path on the form's own site"
	if slices.Contains(o, tenant.AnyOrigin) {
		rule = "Must be an http or https URL of the site that sends the form, or of the site of its redirectUrl"
	}
	wrong := fault.InvalidField(tenant.FormNext, fault.Truncate(s.Next), rule)
	next, err := url.Parse(s.Next)
	if err != nil || len(s.Next) > tenant.MaxFormURL {
		return "", wrong
	}
	if !next.IsAbs() {
		base := OriginOf(h)
		if page, ok := tenant.ParseOrigin(s.Page); base == "" && ok {
			base = page
		}
		site, err := url.Parse(base + "/")
		if err != nil || base == "" {
			return "", wrong
		}
		next = site.ResolveReference(next)
	}
	if origin, ok := tenant.ParseOrigin(next.String()); !ok || !o.mayRedirect(origin, f, h) {
		return "", wrong
	}
	return next.String(), nil
}
