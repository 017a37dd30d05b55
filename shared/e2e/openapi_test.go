package e2e

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"leadgate/shared/spectest"
)

// document is /openapi.json of the running gateway, which its answers are held against.
var document = sync.OnceValues(func() (*spectest.Document, error) {
	sys, err := running()
	if err != nil {
		return nil, err
	}
	res, err := http.Get(sys.URL + "/openapi.json")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return spectest.Read(text)
})

// checkDocumented tells when the gateway's public listener answers otherwise than its own document has it. Pages are no
// part of that.
func checkDocumented(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	sys, err := running()
	if err != nil || !strings.HasPrefix(req.URL.String(), sys.URL+"/") || !strings.HasPrefix(req.URL.Path, "/api/") &&
		!strings.HasPrefix(req.URL.Path, "/f/") {
		return
	}
	d, err := document()
	if err != nil {
		t.Fatalf("/openapi.json: %v", err)
	}
	if err := d.Check(req.Method, req.URL.EscapedPath(), spectest.Answer{Status: res.StatusCode, Header: res.Header,
		Body: body}); err != nil {
		t.Errorf("%s %s is answered otherwise than /openapi.json has it: %v", req.Method, req.URL, err)
	}
}
