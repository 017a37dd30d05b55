package api

import (
	_ "embed"
	"html"
	"net/http"
	"strings"

	"leadgate/shared/tenant"
)

//go:embed docs.html
var docsPage string

// docsHost is what docs.html, and the API's specification, write where an installation's own address belongs.
const docsHost = "https://your-domain.com"

// docs answers the documentation, one page without scripts or outside assets, its examples with the address it was asked at.
func (a *api) docs(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "private, max-age=300")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write([]byte(strings.ReplaceAll(docsPage, docsHost, html.EscapeString(origin(r))))) // a failed write means the client has left
	return nil
}

// origin is the address r was sent to, as far as the gateway can know it behind a proxy.
func origin(r *http.Request) string {
	odd := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-_:[]", c))
	}
	switch {
	case r.Host == "" || strings.ContainsFunc(r.Host, odd): // it goes into commands that people paste
		return docsHost
	case r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https":
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
