package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// origin is the address of this installation.
func (a *api) origin(r *http.Request) string { return httpx.Origin(r, a.PublicURL) }

// docsFiles are form.js, guide.js, the guide's page about form builders, and the explorer of openapi.json: its page, and
// RapiDoc 9.3.8 (MIT, rapidoc.LICENSE) as npm has it, packed.
//
//go:embed docs
var docsFiles embed.FS

// asset is a file as it is sent.
type asset struct {
	media, tag    string
	plain, packed []byte
}

var assetTypes = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".LICENSE": "text/plain; charset=utf-8"}

// docsAsset answers a page of the guide, or a file of the explorer; its page runs scripts of this origin only, and asks
// only this origin.
func (a *api) docsAsset(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if pages, err := a.guide(); err != nil {
		return err
	} else if _, ok := pages[r.URL.Path]; ok {
		return a.docsPage(w, r, p)
	}
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
	found.send(w, r, "public, max-age=300")
	return nil
}

// formScript answers the script that pages of all sites load for their forms.
func (a *api) formScript(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	assets, err := a.assets()
	if err != nil {
		return err
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	assets["form.js"].send(w, r, "public, max-age=300")
	return nil
}

func newAsset(media string, plain, packed []byte) asset {
	sum := sha256.Sum256(plain)
	return asset{media, `"` + hex.EncodeToString(sum[:8]) + `"`, plain, packed}
}

func (f asset) send(w http.ResponseWriter, r *http.Request, cache string) {
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", cache)
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
		if name == "form.js" {
			if plain, err = withTexts(plain); err != nil {
				return nil, err
			}
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
		all[strings.TrimSuffix(name, ".html")] = newAsset(assetTypes[path.Ext(name)], plain, packed)
	}
	return all, nil
}

// withTexts puts what form.js says into it.
func withTexts(script []byte) ([]byte, error) {
	texts, err := json.Marshal(form.ScriptTexts())
	if err != nil {
		return nil, fmt.Errorf("encode the texts of form.js: %w", err)
	}
	return bytes.Replace(script, []byte("const languages = {}"), append([]byte("const languages = "), texts...), 1), nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
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

// serve sends a file, packed where the client can take that; If-None-Match is obeyed.
func serve(w http.ResponseWriter, r *http.Request, plain, packed []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
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
