package form

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

//go:embed pages
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// WantsJSON reports whether a script sent the request. Otherwise it is a plain form, whose answer a person sees.
func WantsJSON(h http.Header) bool {
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil && media == jsonType {
		return true
	}
	switch h.Get("Sec-Fetch-Mode") { // by browsers, which no page can change (W3C Fetch Metadata)
	case "navigate":
		return false
	case "cors", "no-cors", "same-origin":
		return true
	}
	accept := strings.Join(h.Values("Accept"), ",")
	return quality(accept, jsonType) > quality(accept, "text/html")
}

// quality is how much an Accept header wants a media type by its own name (RFC 9110, 12.5.1); 0: not at all.
func quality(accept, media string) (best float64) {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || name != media {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		best = max(best, q)
	}
	return best
}

// WriteThanks sends the page that thanks the visitor of a plain form without a redirect. back is the URL of the form;
// "": unknown.
func WriteThanks(w http.ResponseWriter, back string) {
	show(w, http.StatusOK, "thanks.html", struct{ Back string }{back})
}

// Back returns the page from which a submission was sent, when its site may use the form.
func (o Origins) Back(s *Submission, h http.Header) string {
	for _, raw := range []string{s.Page, h.Get("Referer")} {
		if origin, ok := tenant.ParseOrigin(raw); ok && o.allow(origin) {
			if u := pageURL(raw); u != nil {
				return bare(u)
			}
		}
	}
	return ""
}

// WriteAddress sends the page for a person who opens the address that a form is sent to.
func WriteAddress(w http.ResponseWriter) { show(w, http.StatusOK, "address.html", nil) }

// WriteFailure sends the page that tells a person what went wrong; nothing of what they typed is on it.
func WriteFailure(w http.ResponseWriter, f *fault.Error, requestID string) {
	heading, text := "That did not work", f.Public
	switch f.Kind {
	case fault.WorkspaceSuspended: // which is no visitor's business
		heading = "This form is closed at the moment"
		text = "What you typed was not sent. Please get in touch with the owner of the site in another way."
	case fault.Validation:
		heading = "Please check the form"
	case fault.RateLimited:
		heading = "Too many attempts"
	case fault.Unavailable, fault.Internal:
		heading = "Not available at the moment"
	}
	type mistake struct{ Field, Message string }
	var all []mistake
	for _, field := range f.Fields() {
		name := field.Field
		if below, ok := strings.CutPrefix(field.Pointer, "/metadata/"); ok {
			name = strings.NewReplacer("~1", "/", "~0", "~").Replace(below)
		}
		var none noEmail
		switch {
		case name == lead.FieldEmail && errors.As(f.Cause, &none):
			all = append(all, mistake{"", none.Error()})
		case tenant.IsCaptchaField(name): // which is no word that visitors know
			all = append(all, mistake{"", field.Message})
		default:
			all = append(all, mistake{name, field.Message})
		}
	}
	show(w, f.Kind.Status(), "failure.html", struct {
		Heading, Text, RequestID string
		Mistakes                 []mistake
		Again                    bool
	}{heading, text, requestID, all, f.Kind == fault.RateLimited || f.Kind == fault.Unavailable})
}

func show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil { // the pages are tested with all they can hold
		b.Reset()
		b.WriteString("<!doctype html><title>" + strconv.Itoa(status) + "</title>")
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a failed write means the client has left
}
