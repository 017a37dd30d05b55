package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

//go:embed docs.html
var docsPage string

// docsHost is what docs.html, the samples of openapi.json and the API's specification write where an installation's own
// address belongs.
const docsHost = "https://your-domain.com"

// docs answers the guide, one page that is whole without its script, its examples with the address it was asked at.
func (a *api) docs(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "private, max-age=300")
	h.Set("Vary", "X-Forwarded-Proto") // with the host that is what its address is made of
	h.Set("Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	// a failed write means the client has left
	_, _ = w.Write([]byte(strings.ReplaceAll(docsPage, docsHost, html.EscapeString(origin(r)))))
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

// docsFiles are form.js, guide.js, and the explorer of openapi.json: its page, and RapiDoc 9.3.8 (MIT, rapidoc.LICENSE) as npm has it, packed.
//
//go:embed docs
var docsFiles embed.FS

// asset is a file of the explorer as it is sent.
type asset struct {
	media, tag    string
	plain, packed []byte
}

var assetTypes = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".LICENSE": "text/plain; charset=utf-8"}

// docsAsset answers a file of the explorer; its page runs scripts of this origin only, and asks only this origin.
func (a *api) docsAsset(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	assets, err := a.assets()
	if err != nil {
		return err
	}
	found, ok := assets[mux.Vars(r)["asset"]]
	if !ok {
		return fault.New(fault.NotFound, "There is nothing at this address")
	}
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	found.send(w, r)
	return nil
}

// formScript answers the script that pages of all sites load for their forms.
func (a *api) formScript(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	assets, err := a.assets()
	if err != nil {
		return err
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	assets["form.js"].send(w, r)
	return nil
}

func (f asset) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", f.tag)
	serve(w, r, f.plain, f.packed)
}

// readAssets reads the files under the name they are asked by; the page is "explorer".
func readAssets() (map[string]asset, error) {
	files, err := docsFiles.ReadDir("docs")
	if err != nil {
		return nil, err
	}
	all := map[string]asset{}
	for _, f := range files {
		name := f.Name()
		plain, err := docsFiles.ReadFile("docs/" + name)
		if err != nil {
			return nil, err
		}
		packed := plain
		if unpacked, ok := strings.CutSuffix(name, ".gz"); ok {
			name = unpacked
			plain, err = unpack(packed)
		} else {
			packed, err = pack(plain)
		}
		if err != nil {
			return nil, fmt.Errorf("read docs/%s: %w", name, err)
		}
		sum := sha256.Sum256(plain)
		all[strings.TrimSuffix(name, ".html")] = asset{assetTypes[path.Ext(name)], `"` + hex.EncodeToString(sum[:8]) + `"`,
			plain, packed}
	}
	return all, nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// openAPIText is the description of every route (OpenAPI 3.1). It is kept by hand, and tests hold it and the code
// together: the route table, every answer that the tests get, and every example.
//
//go:embed openapi.json
var openAPIText string

// described is the document as it is sent. It is the same at every address: its server is "/".
type described struct {
	plain, packed []byte
	tag           string
}

// openAPI answers the document. It is public: browsers of other origins may read it too.
func (a *api) openAPI(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	d, err := a.described()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("ETag", d.tag)
	serve(w, r, d.plain, d.packed)
	return nil
}

func describe() (described, error) {
	var plain bytes.Buffer
	if err := json.Compact(&plain, []byte(openAPIText)); err != nil {
		return described{}, fmt.Errorf("read openapi.json: %w", err)
	}
	sum := sha256.Sum256(plain.Bytes())
	packed, err := pack(plain.Bytes())
	return described{plain: plain.Bytes(), packed: packed, tag: `"` + hex.EncodeToString(sum[:8]) + `"`}, err
}

func pack(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(plain)
	if err == nil {
		err = z.Close()
	}
	return b.Bytes(), err
}

// serve sends what is the same for everybody, packed where the client can take that; If-None-Match is obeyed.
func serve(w http.ResponseWriter, r *http.Request, plain, packed []byte) {
	h := w.Header()
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", strings.TrimSuffix(h.Get("ETag"), `"`)+`-gz"`) // other bytes, so another strong tag
		plain = packed
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(plain))
}

func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return strings.TrimRight(strings.ReplaceAll(weight, " ", ""), "0.") != "q="
			}
		}
	}
	return false
}
