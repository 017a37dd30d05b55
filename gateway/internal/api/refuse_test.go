package api_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/spectest"
	"leadgate/shared/tenant"
)

// odd are values that many fields refuse.
var odd = []any{"", strings.Repeat("x", 300), 0, -1, 1_000_000_000, 1.5, true, []any{}, []any{1}, map[string]any{}}

// TestBodiesAreRefusedAsDocumented sends each example with one field null, or odd, for each field of its schema: what
// the document refuses, the gateway does too, and null also the other way round.
func TestBodiesAreRefusedAsDocumented(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := mustDocument(t)
	for _, o := range d.Operations() {
		for _, body := range o.Bodies {
			example, isObject := body.Value.(map[string]any)
			if !isObject || !strings.HasSuffix(body.MediaType, "json") || strings.HasPrefix(o.Path, "/f/") {
				continue
			}
			fields, err := d.Fields(o, body.MediaType)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(o.ID+" "+body.MediaType+" "+body.Name, func(t *testing.T) {
				t.Parallel()
				c, made := b.mustWorkspace(t, tenant.Settings{}), map[string]string{}
				path := b.mustPath(t, o, c, made)
				for _, field := range fields {
					for _, value := range append(odd, nil) {
						sent := maps.Clone(example)
						sent[field] = value
						real := b.withThings(t, spectest.Body{MediaType: body.MediaType, Value: sent}, c, made)
						documented := d.ValidateBody(o, body.MediaType, real.Value) == nil
						got := b.sendBody(t, c.secret, o.Method, path, real)
						taken := got.takes(field)
						if taken && !documented || value == nil && !taken && documented {
							t.Errorf("%s %s with %.40v as %s = %d %s; documented: %v", o.Method, o.Path, value, field, got.status,
								got.text, documented)
						}
					}
				}
			})
		}
	}
}

// takes reports whether an answer finds nothing wrong with a field; others may be wrong without it, as a form is
// without its kind.
func (a answer) takes(field string) bool {
	for _, e := range a.body.Details.Errors {
		if e.Pointer == "/"+field || strings.HasPrefix(e.Pointer, "/"+field+"/") {
			return false
		}
	}
	return a.status != http.StatusMultiStatus || !strings.Contains(string(a.body.Data), `"status":400`)
}
