package api_test

import (
	"maps"
	"strings"
	"testing"

	"leadgate/shared/spectest"
	"leadgate/shared/tenant"
)

// TestNullIsTakenWhereItIsDocumented sends each example with one field null, for each field of its schema: the gateway
// refuses it where the document does, and nowhere else.
func TestNullIsTakenWhereItIsDocumented(t *testing.T) {
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
					sent := maps.Clone(example)
					sent[field] = nil
					real := b.withThings(t, spectest.Body{MediaType: body.MediaType, Value: sent}, c, made)
					documented := d.ValidateBody(o, body.MediaType, real.Value) == nil
					got := b.sendBody(t, c.secret, o.Method, path, real)
					taken := true
					for _, e := range got.body.Details.Errors {
						taken = taken && e.Pointer != "/"+field // others may need it: a form needs a kind
					}
					if taken != documented {
						t.Errorf("%s %s with %s null = %d %s; documented: %v", o.Method, o.Path, field, got.status, got.text, documented)
					}
				}
			})
		}
	}
}
