// Package webui is what the pages for people are made of: one layout, one style sheet, one small script, and what
// templates need to show times, numbers and charts. The owner's console and the administrator's use it alike.
package webui

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"leadgate/shared/tenant"
)

//go:embed layout/*.html
var layouts embed.FS

// View is what the layout shows around a page.
type View struct {
	Title   string
	Nav     []Link
	Brand   Brand
	Account string // who is signed in, in a few words; "": nobody is
	Logout  string // where the form that ends the session goes; "": there is none
	Banner  string // above every page, such as that all this is test data
	Notice  string // what was just done
	Problem string // what could not be done, and what would help
	Fields  []Mistake
	Live    string // where the page's server-sent events come from; "": it has none
	Assets  string // where AssetPath begins
	Query   Query  // of the request
	Data    any    // the page's own
}

// Mistake is a field that the API refused.
type Mistake struct{ Field, Message string }

// Link is one of the navigation.
type Link struct {
	Label, Href string
	Current     bool
	Count       int // in a badge; 0: none
}

// Brand is whose console this is.
type Brand struct{ Name, LogoURL, Accent string }

// Pages are the templates of one console by their file names.
type Pages struct{ byName map[string]*template.Template }

// Parse reads pages/*.html of fsys. Each defines "main"; a file whose name begins with an underscore is for the others
// to use.
func Parse(fsys fs.FS) (*Pages, error) {
	base, err := template.New("").Funcs(funcs()).ParseFS(layouts, "layout/*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(fsys, "pages/*.html")
	if err != nil {
		return nil, err
	}
	shared := []string{}
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			shared = append(shared, name)
		}
	}
	if len(shared) > 0 {
		if base, err = base.ParseFS(fsys, shared...); err != nil {
			return nil, err
		}
	}
	p := &Pages{map[string]*template.Template{}}
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		own, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if own, err = own.ParseFS(fsys, name); err != nil {
			return nil, err
		}
		p.byName[path.Base(name)] = own
	}
	return p, nil
}

// Render writes the page name with the layout around it. Its errors come before anything is written.
func (p *Pages) Render(w http.ResponseWriter, status int, name string, v *View) error {
	t := p.byName[name]
	if t == nil {
		return fmt.Errorf("there is no page %s", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", v); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a failed write means the client has left
	return nil
}

// Part writes one part of the page name, without the layout.
func (p *Pages) Part(w io.Writer, name, part string, v *View) error {
	return p.byName[name].ExecuteTemplate(w, part, v)
}

// Policy is the content security policy of a page: everything is of its own origin, nothing is inline. frames are the
// origins that may show it in a frame, logo is an image of another origin; both may be empty.
func Policy(frames []string, logo string) string {
	ancestors := "'none'"
	if len(frames) > 0 {
		ancestors = "'self' " + strings.Join(frames, " ")
	}
	image := "'self' data:"
	if origin, ok := tenant.ParseOrigin(logo); ok { // nothing else of the URL: it could hold directives
		image += " " + origin
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + image + "; connect-src 'self'; " +
		"form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors " + ancestors
}
