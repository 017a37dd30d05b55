package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// files are the style sheet, the script, and htmx 2.0.6 (0BSD, htmx.LICENSE) as npm has it, packed.
//
//go:embed assets
var files embed.FS

type asset struct {
	media, version string
	packed         []byte
}

var assetTypes = map[string]string{"style.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8",
	"htmx.js": "text/javascript; charset=utf-8", "htmx.LICENSE": "text/plain; charset=utf-8"}

// assets are the files by their names, packed once.
var assets = sync.OnceValue(func() map[string]asset {
	all := map[string]asset{}
	for name, media := range assetTypes {
		packed, err := files.ReadFile("assets/htmx.min.js.gz")
		if name != "htmx.js" {
			var plain []byte
			if plain, err = files.ReadFile("assets/" + name); err == nil {
				packed = pack(plain)
			}
		}
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(packed)
		all[name] = asset{media, hex.EncodeToString(sum[:6]), packed}
	}
	return all
})

func pack(plain []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = z.Write(plain)                                 // into memory
	_ = z.Close()
	return b.Bytes()
}

// assetPath is where a page finds an asset: its address changes with its content, so that it may be kept for ever.
func assetPath(base, name string) string { return base + name + "?v=" + assets()[name].version }

// ServeAsset answers the asset name.
func ServeAsset(w http.ResponseWriter, r *http.Request, name string) error {
	found, ok := assets()[name]
	if !ok {
		return fault.New(fault.NotFound, "There is no such file")
	}
	h := w.Header()
	h.Set("Content-Type", found.media)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == found.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", `"`+found.version+`"`)
	if r.Header.Get("If-None-Match") == `"`+found.version+`"` {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		_, _ = w.Write(found.packed) // a failed write means the client has left
		return nil
	}
	z, err := gzip.NewReader(bytes.NewReader(found.packed))
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	_, _ = io.Copy(w, z) //nolint:gosec // it is embedded; a failed write means the client has left
	return nil
}

// ServeAccent answers the style sheet of a brand's colour, which is "#rrggbb": no page has styles inline.
func ServeAccent(w http.ResponseWriter, accent string) error {
	b := tenant.Brand{Accent: strings.ToLower(accent)}
	on := b.OnAccent()
	if on == "" {
		return fault.InvalidField("accent", fault.Truncate(accent), "Must be a colour such as #0b6b5d")
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	_, err := fmt.Fprintf(w, ":root { --brand: %s; --on-brand: %s; }\n", b.Accent, on)
	return err
}
