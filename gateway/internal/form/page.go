package form

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"leadgate/shared/tenant"
)

//go:embed pages
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "pages/page.html"))

var styleSheet = func() string {
	text, err := files.ReadFile("pages/style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}()

// page is what a visitor of a form sees. It loads nothing but the logo, and runs nothing.
type page struct {
	Title    string
	Mistakes []toldMistake
	Text     []string // paragraphs
	Entries  string   // what the visitor typed; "": it is not shown
	Back     *link
	Owner    *advice // for the owner of the site
	Request  string

	// Set by show:
	Lang, EntriesTitle string
	Brand              tenant.Brand
	Style              template.CSS
}

type toldMistake struct{ Input, Text string }

type link struct{ URL, Text string }

type advice struct{ Title, Text, Guide string }

// look is how the pages of a form look, and in which language they are.
type look struct {
	*tongue
	brand  tenant.Brand
	chosen bool // the language is the visitor's, not the form's
}

// show sends a page. The language of one that is chosen depends on the visitor, which caches must know.
func (l look) show(w http.ResponseWriter, status int, p page) {
	p.Lang, p.EntriesTitle, p.Brand = l.tag, l.say(entriesTitle), l.brand
	style := styleSheet
	if on := l.brand.OnAccent(); on != "" {
		style += ":root { --brand: " + l.brand.Accent + "; --on-brand: " + on + "; }\n"
	}
	p.Style = template.CSS(style) //nolint:gosec // it is our own, with colours that OnAccent has checked
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil { // the page is tested with all it can hold
		b.Reset()
		b.WriteString("<!doctype html><title>" + strconv.Itoa(status) + "</title>")
	}
	sum := sha256.Sum256([]byte(style))
	image := "data:"
	if origin := l.brand.LogoOrigin(); origin != "" {
		image += " " + origin
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	l.mark(h)
	h.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; img-src %s; "+
		"base-uri 'none'; form-action 'none'", base64.StdEncoding.EncodeToString(sum[:]), image))
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a failed write means the client has left
}

// mark tells of the language of an answer.
func (l look) mark(h http.Header) {
	h.Set("Content-Language", l.tag)
	if l.chosen {
		h.Add("Vary", "Accept-Language")
	}
}

// look returns how the answer to a request looks; before its form is known it has no brand.
func (q *request) look() look {
	return look{tongueOf(q.form.Lang, q.r.Header), q.form.Brand, q.form.Lang == ""}
}
