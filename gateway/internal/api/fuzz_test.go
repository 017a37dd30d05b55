package api_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/spectest"
	"leadgate/shared/tenant"
)

// FuzzAPI asks for anything in any way: no answer is a 5xx, and every one is documented. The seeds are the document's
// operations and examples. who picks the key: none, one without scopes, or one with all; and from 128 on it has an
// Idempotency-Key.
func FuzzAPI(f *testing.F) {
	d := mustDocument(f)
	for _, o := range d.Operations() {
		path := o.Path
		for kind, example := range exampleIDs {
			if o.Parameters["id"] == kind {
				path = strings.ReplaceAll(path, "{id}", example)
			}
		}
		path = strings.NewReplacer("{chatbotId}", exampleIDs["ChatbotId"], "{formKey}", "pk-workspace_x").Replace(path)
		query := url.Values{}
		for _, name := range o.Query {
			query.Set(name, "1")
		}
		bodies := append(o.Bodies, spectest.Body{})
		for _, body := range bodies {
			reader, media := encode(f, body)
			text := ""
			if reader != nil {
				raw, err := io.ReadAll(reader)
				if err != nil {
					f.Fatal(err)
				}
				text = string(raw)
			}
			f.Add(byte(2), o.Method, path, "", media, text)
			f.Add(byte(2), o.Method, path, query.Encode(), media, text)
		}
	}
	for _, odd := range []string{"/api/v1/leads/\x00", "/api/v1/leads/%00", "/api/v1/leads/lead_" + strings.Repeat("z",
		26), "//", "/docs/../x", "/api/v1/webhooks/we_7zzzzzzzzzzzzzzzzzzzzzzzzz/deliveries", "/f/" + strings.Repeat("x",
		300)} {
		f.Add(byte(2), "GET", odd, "cursor=%00&limit=-1&q=%ff&createdFrom=0000-00-00T00:00:00Z", "", "")
	}
	f.Add(byte(0), "POST", "/api/v1/leads", "onDuplicate=update", "application/json",
		`{"email":"a@example.com","metadata":{"a":1e999,"b":"\u0000"}}`)
	f.Add(byte(2), "POST", "/api/v1/imports", "mapping={}", "text/csv", "email\n\"")

	b := setup(f)
	c := b.mustWorkspace(f, tenant.Settings{Rate: tenant.MaxRate, Burst: tenant.MaxRate}) // else most answers were 429
	_, bare := b.mustKey(f, c.workspace, []tenant.Scope{})
	keys := []string{"", bare, c.secret}
	f.Fuzz(func(t *testing.T, who byte, method, path, query, media, body string) {
		if len(path)+len(query)+len(body) > 64<<10 {
			return
		}
		u, err := url.Parse(b.url)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		if u.Path, err = url.PathUnescape(path); err != nil {
			u.Path = path
		}
		u.RawQuery = url.PathEscape(query)
		if _, err := url.ParseQuery(query); err == nil && !strings.ContainsAny(query, " #\x00\r\n\t\x7f") &&
			strings.IndexFunc(query, func(r rune) bool { return r < 0x21 || r > 0x7e }) < 0 {
			u.RawQuery = query
		}
		if strings.HasSuffix(u.Path, "/test") { // it waits for a worker that is not here
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), method, u.String(), strings.NewReader(body))
		if err != nil {
			return // no request can be made of it
		}
		if key := keys[int(who)%len(keys)]; key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		if strings.IndexFunc(media, func(r rune) bool { return r < 0x20 || r > 0x7e }) >= 0 {
			return
		}
		req.Header.Set("Content-Type", media)
		if who >= 128 {
			req.Header.Set("Idempotency-Key", fmt.Sprint(rand.N(4)))
		}
		req.Header.Set("If-Match", `"`+id.New().String()+`"`)
		res, err := b.client.Transport.RoundTrip(req)
		if err != nil {
			return // net/http refuses to send it
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, u, err)
		}
		if res.StatusCode >= 500 {
			t.Errorf("%s %s %q = %d %s, want no 5xx", method, u, body, res.StatusCode, text)
		}
		if strings.HasPrefix(res.Header.Get("X-Request-Id"), "req_") { // else net/http answered before the gateway was asked
			checkDocumented(t, req, spectest.Answer{Status: res.StatusCode, Header: res.Header, Body: text})
		}
	})
}
