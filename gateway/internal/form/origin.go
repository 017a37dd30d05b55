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

// allow tells whether pages of an origin may; "" is one that nobody knows.
func (o Origins) allow(origin string) bool {
	return slices.Contains(o, tenant.AnyOrigin) || origin != "" && slices.Contains(o, origin)
}

// host tells whether a captcha can have been solved at a host; "" is one that the verifier does not tell.
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

// OriginOf returns the origin of the page that sent a request: by Origin, else by Referer. "": it does not say, or it is opaque ("null"),
// as that of a file, a sandboxed frame or a redirect is, behind which anybody can be.
func OriginOf(h http.Header) string {
	from := h.Get("Origin")
	if from == "" {
		from = h.Get("Referer")
	}
	origin, _ := tenant.ParseOrigin(from)
	return origin
}

// Admit lets scripts of an allowed page read the answer, and is FORBIDDEN for others.
func (o Origins) Admit(w http.ResponseWriter, h http.Header) error {
	w.Header().Add("Vary", "Origin")
	origin := OriginOf(h)
	if !o.allow(origin) {
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

// AdmitAnyone lets scripts of every page read the answer: for where no form says whose pages may, so that whoever wires one up sees what is wrong.
func AdmitAnyone(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
}

func refused(o Origins, origin string) error {
	const where = "in form.origins of its key, or in the workspace's allowedOrigins"
	switch {
	case len(o) == 0:
		return fault.New(fault.Forbidden, "No site may use this form yet: list the origin of yours, such as https://www.example.com, "+where)
	case origin == "":
		return fault.New(fault.Forbidden, `This form wants to know the page it is sent from, and the request names none. "*" `+where+" would allow that")
	}
	return fault.New(fault.Forbidden, "Pages of "+fault.Truncate(origin)+" may not use this form: list that origin "+where)
}

// leads tells whether a form of origins may lead to a page of to. Where every site may use it, only back to the one it was sent from,
// or where its key leads: else its address would lead people anywhere.
func (o Origins) leads(to string, f tenant.Form, h http.Header) bool {
	if !slices.Contains(o, tenant.AnyOrigin) {
		return o.allow(to)
	}
	own, ok := tenant.ParseOrigin(f.RedirectURL)
	return to == OriginOf(h) || ok && to == own || slices.Contains(o, to)
}

// Next returns the URL a plain form goes to: its own _next, where the site of that may use the form, else what its key says. "": a page of ours.
func (o Origins) Next(s *Submission, f tenant.Form, h http.Header) (string, error) {
	if s.Next == "" {
		return f.RedirectURL, nil
	}
	rule := "Must be an http or https URL of a site that may use this form, or a path of the form's own"
	if slices.Contains(o, tenant.AnyOrigin) {
		rule = "Must be an http or https URL of the site the form is sent from, or of that of its redirectUrl"
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
	if origin, ok := tenant.ParseOrigin(next.String()); !ok || !o.leads(origin, f, h) {
		return "", wrong
	}
	return next.String(), nil
}
