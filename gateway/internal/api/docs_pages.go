package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// openAPIText is the description of every route (OpenAPI 3.1). It is kept by hand, and tests hold it and the code
// together: the route table, every answer that the tests get, and every example.
//
//go:embed openapi.json
var openAPIText string

// pageTypes are the media types of pages, by the ends of their addresses.
var pageTypes = map[string]string{"": "text/html; charset=utf-8", ".md": "text/markdown; charset=utf-8",
	".txt": "text/plain; charset=utf-8", ".json": "application/json; charset=utf-8"}

// readPages makes the pages that have the installation's address in them, by their own addresses. They have
// httpx.ExampleOrigin until they are sent.
func readPages() (map[string]string, error) {
	pages, err := guidePages()
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(openAPIText)); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}
	pages["/openapi.json"] = compact.String()
	return pages, nil
}

// docsPage answers a page with the address of this installation in its samples.
func (a *api) docsPage(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	pages, err := a.guide()
	if err != nil {
		return err
	}
	text, ok := pages[r.URL.Path]
	if !ok {
		return fault.New(fault.NotFound, "There is nothing at this address")
	}
	made, err := a.addressed.get(r.URL.Path, a.origin(r), text)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Add("Vary", "X-Forwarded-Proto") // with the host that is what its address is made of
	made.send(w, r, "private, max-age=300")
	return nil
}

// openAPI answers the document. It is public: browsers of other origins may read it too.
func (a *api) openAPI(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	return a.docsPage(w, r, p)
}

// addressed keeps pages as they are sent, with the addresses that they were asked at lately.
type addressed struct {
	mu    sync.Mutex
	pages map[[2]string]asset // by path and origin
	bytes int
}

// maxAddressed is how many bytes of pages are kept: those of a few addresses. Strangers choose them, where none is set.
const maxAddressed = 8 << 20

// get returns the page at address with origin in it.
func (k *addressed) get(address, origin, text string) (asset, error) {
	key := [2]string{address, origin}
	k.mu.Lock()
	found, ok := k.pages[key]
	k.mu.Unlock()
	if ok {
		return found, nil
	}
	plain := []byte(strings.ReplaceAll(text, httpx.ExampleOrigin, origin))
	packed, err := pack(plain)
	if err != nil {
		return asset{}, fmt.Errorf("pack %s: %w", address, err)
	}
	made := newAsset(pageTypes[path.Ext(address)], plain, packed)
	k.mu.Lock()
	defer k.mu.Unlock()
	size := len(made.plain) + len(made.packed)
	if k.pages == nil || k.bytes+size > maxAddressed {
		k.pages, k.bytes = map[[2]string]asset{}, 0
	}
	k.pages[key] = made
	k.bytes += size
	return made, nil
}
