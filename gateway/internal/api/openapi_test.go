package api_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"leadgate/gateway/internal/api"
	"leadgate/shared/spectest"
)

// document is openapi.json, which every answer of every test here is held against.
var document = sync.OnceValues(func() (*spectest.Document, error) {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	return spectest.Read(text)
})

func mustDocument(t testing.TB) *spectest.Document {
	t.Helper()
	d, err := document()
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return d
}

// undocumented are pages for people, and the document itself.
var undocumented = []string{"/", "/docs", "/docs.md", "/docs/{asset}", "/llms.txt", "/openapi.json", "/form.js"}

// checkDocumented tells when an answer is not as documented.
func checkDocumented(t testing.TB, req *http.Request, a spectest.Answer) {
	t.Helper()
	path := req.URL.EscapedPath()
	if slices.Contains(undocumented, path) || strings.HasPrefix(path, "/docs/") {
		return
	}
	if err := mustDocument(t).Check(req.Method, path, a); err != nil {
		t.Errorf("%s %s is answered otherwise than openapi.json has it: %v", req.Method, req.URL, err)
	}
}

func TestDocumentIsWhole(t *testing.T) {
	t.Parallel()
	d := mustDocument(t)
	for _, wrong := range append(d.CheckSchemas(), d.CheckExamples()...) {
		t.Error(wrong)
	}
}

// The meta-schema is OpenAPI's own (testdata/openapi-3.1.json); it leaves schemas to JSON Schema, which compiling them
// checks.
func TestDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	read := func(name string) any {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if err := compiler.AddResource("https://spec.openapis.org/oas/3.1/schema",
		read("testdata/openapi-3.1.json")); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile("https://spec.openapis.org/oas/3.1/schema")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(read("openapi.json")); err != nil {
		t.Error(err)
	}
}

// The route table and the document are one: what either has, the other has.
func TestDocumentIsTheRouteTable(t *testing.T) {
	t.Parallel()
	type row struct {
		Scope string
		Query []string
	}
	table, written := map[string]row{}, map[string]row{}
	for _, r := range api.Table() {
		if !slices.Contains(undocumented, r.Path) {
			table[r.Method+" "+r.Path] = row{r.Scope, slices.Sorted(slices.Values(r.Query))}
		}
	}
	for _, o := range mustDocument(t).Operations() {
		scope := strings.Join(o.Scopes, " ")
		if scope == "" && !o.Public {
			scope = "*"
		}
		written[o.Method+" "+o.Path] = row{scope, slices.Sorted(slices.Values(o.Query))}
	}
	if diff := cmp.Diff(table, written); diff != "" {
		t.Errorf("openapi.json differs from the route table (-table +openapi.json):\n%s", diff)
	}
}

// Whoever can read one list can read all: each takes limit and cursor, and what answers pages is a list.
func TestListsArePaged(t *testing.T) {
	t.Parallel()
	for _, o := range mustDocument(t).Operations() {
		if o.Method != http.MethodGet || o.Public || o.ID == "getUsage" { // whose days are all on one page, from and until
			continue
		}
		limit, cursor := slices.Contains(o.Query, "limit"), slices.Contains(o.Query, "cursor")
		if paged := o.IsPaged(); limit != paged || cursor != paged {
			t.Errorf("%s answers pages: %v, takes limit: %v and cursor: %v, want all three alike", o.ID, paged, limit, cursor)
		}
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, "", "GET", "/openapi.json", "")
	d, err := spectest.Read([]byte(got.text))
	if err != nil || got.status != 200 || len(d.Operations()) != len(mustDocument(t).Operations()) {
		t.Fatalf("GET /openapi.json = %d, %v, want the whole document", got.status, err)
	}
	if !strings.Contains(got.text, `"servers":[{"url":"`+b.url+`"`) || strings.Contains(got.text, "your-domain.com") {
		t.Error("the document is not about the address it was asked at")
	}
	tag := got.header.Get("ETag")
	if got.header.Get("Access-Control-Allow-Origin") != "*" || tag == "" || !slices.Equal(got.header.Values("Vary"), []string{"X-Forwarded-Proto", "Accept-Encoding"}) ||
		!strings.Contains(got.header.Get("Cache-Control"), "max-age") {
		t.Errorf("headers = %v, want it public, tagged and kept", got.header)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/openapi.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	plain := b.do(t, req)
	if plain.header.Get("Content-Encoding") != "" || plain.text != got.text {
		t.Errorf("asked without gzip, the document is another")
	}
	req.Header.Set("If-None-Match", plain.header.Get("ETag"))
	if again := b.do(t, req); again.status != http.StatusNotModified || again.text != "" {
		t.Errorf("If-None-Match = %d, %d bytes, want 304 and none", again.status, len(again.text))
	}
	req.Host = "leads.example.com"
	if other := b.do(t, req); other.status != http.StatusOK || !strings.Contains(other.text, "http://leads.example.com") ||
		strings.Contains(other.text, b.url) {
		t.Errorf("asked at leads.example.com = %d, want a document about that address", other.status)
	}
}

// The explorer needs nothing from elsewhere, and its page runs no script but its own files.
func TestExplorer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	page := b.send(t, "", "GET", "/docs/explorer", "")
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" ||
		!strings.Contains(page.header.Get("Content-Security-Policy"), "script-src 'self';") {
		t.Fatalf("GET /docs/explorer = %d, headers %v", page.status, page.header)
	}
	if strings.Contains(page.text, "://") || strings.Contains(page.text, "<script>") || strings.Contains(page.text,
		` style="`) {
		t.Errorf("the explorer's page has what another origin serves, or an inline script: %s", page.text)
	}
	for part := range strings.SplitSeq(page.text, `"`) {
		if !strings.HasPrefix(part, "/docs/") && part != "/openapi.json" {
			continue
		}
		if got := b.send(t, "", "GET", part, ""); got.status != 200 || len(got.text) == 0 || got.header.Get("ETag") == "" {
			t.Errorf("GET %s = %d, %d bytes, want what the page loads", part, got.status, len(got.text))
		}
	}
	b.send(t, "", "GET", "/docs/passwd", "").wantError(t, "an unknown file", 404, "NOT_FOUND")
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/docs/rapidoc-min.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip;q=0, identity")
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.Header.Get("Content-Encoding") != "" || !bytes.Contains(text,
		[]byte("rapi-doc")) {
		t.Errorf("the script asked for unpacked: %d bytes, %v, headers %v", len(text), err, res.Header)
	}
}
