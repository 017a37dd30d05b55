package api_test

import (
	"slices"
	"strings"
	"testing"

	"leadgate/shared/spectest"
	"leadgate/shared/tenant"
)

// before is what an operation's example needs to be true first.
var before = map[string]func(t *testing.T, b *bundle, c owner, path string) string{
	"restoreLead": func(t *testing.T, b *bundle, c owner, path string) string {
		if got := b.send(t, c.secret, "DELETE", strings.TrimSuffix(path, "/restore"), ""); got.status != 204 {
			t.Fatalf("DELETE the lead = %d %s, want 204", got.status, got.text)
		}
		return path
	},
	"deleteSuppression": func(t *testing.T, b *bundle, c owner, path string) string {
		if got := b.send(t, c.secret, "POST", path, `{"email":"a@example.com"}`); got.status != 201 {
			t.Fatalf("POST the suppression = %d %s, want 201", got.status, got.text)
		}
		return path + "?email=a@example.com"
	},
	"getFormChallenge": func(t *testing.T, b *bundle, c owner, _ string) string {
		return b.mustForm(t, c, tenant.Form{Origins: []string{"*"}, Captcha: tenant.Altcha}) + "/challenge"
	},
	"showThanks": func(t *testing.T, b *bundle, c owner, _ string) string {
		return "/api/v1/keys/" + b.mustMakeKey(t, c.secret, `{"name":"page","kind":"publishable"}`).ID + "/thanks"
	},
	"listRefusedOrigins": func(t *testing.T, b *bundle, c owner, _ string) string {
		return "/api/v1/keys/" + b.mustMakeKey(t, c.secret, `{"name":"page","kind":"publishable"}`).ID + "/refused-origins"
	},
	"previewForm": func(t *testing.T, b *bundle, c owner, _ string) string {
		return "/api/v1/keys/" + b.mustMakeKey(t, c.secret, `{"name":"page","kind":"publishable"}`).ID + "/preview"
	},
}

// Every operation answers its own example with a documented success; that the answer is as documented is seen wherever
// one comes back.
func TestEveryExampleSucceeds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, o := range mustDocument(t).Operations() {
		bodies := o.Bodies
		if len(bodies) == 0 {
			bodies = []spectest.Body{{}}
		}
		for _, body := range bodies {
			t.Run(strings.Trim(o.ID+" "+body.MediaType+" "+body.Name, " "), func(t *testing.T) {
				t.Parallel()
				c, made := b.mustWorkspace(t, tenant.Settings{}), map[string]string{}
				path := b.mustPath(t, o, c, made)
				if first := before[o.ID]; first != nil {
					path = first(t, b, c, path)
				}
				if body.MediaType != "" {
					body = b.withThings(t, body, c, made)
				}
				secret := c.secret
				if o.Public {
					secret = ""
				}
				got := b.sendBody(t, secret, o.Method, path, body)
				if !slices.Contains(o.Success, got.status) {
					t.Errorf("%s %s %v = %d %s, want one of %v", o.Method, path, body.Value, got.status, got.text, o.Success)
				}
			})
		}
	}
}
