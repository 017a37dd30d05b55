package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"leadgate/shared/tenant"
)

// openAPIText is the description of every route (OpenAPI 3.1). It is kept by hand, and tests hold it and the code together:
// the route table, every answer that the tests get, and every example.
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
		h.Set("ETag", strings.TrimSuffix(h.Get("ETag"), `"`)+`-gz"`) // other octets, so another strong tag
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
