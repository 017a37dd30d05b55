package api_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/form"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// forms replaces the API's forms by ones with other Deps.
func forms(registry *prometheus.Registry, change func(*form.Deps)) func(*api.Deps) {
	return func(d *api.Deps) {
		fd := d.Forms.Deps
		fd.Registry = registry
		change(&fd)
		d.Forms = form.New(fd)
	}
}

func TestFormLimits(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	b := setupForms(t, forms(registry, func(d *form.Deps) {
		d.Trusted = []netip.Prefix{netip.MustParsePrefix(
			"127.0.0.0/8")}
	}))
	limits := func(what string) {
		t.Helper()
		path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, PerMinute: 3, PerMinuteIP: 2})
		send := func(client string, header ...string) answer {
			return b.submit(t, path, "email="+url.QueryEscape(id.New().String()+"@example.com"), append(header,
				"X-Forwarded-For", client)...)
		}
		for i := range 2 {
			if got := send("192.0.2.1"); got.status != 200 {
				t.Fatalf("%s: submission %d = %d %s", what, i, got.status, got.text)
			}
		}
		got := send("192.0.2.1, 127.0.0.9")
		if got.status != 429 || got.header.Get("Retry-After") == "" || !strings.Contains(got.text, "<h1>") ||
			got.header.Get("Access-Control-Allow-Origin") != site {
			t.Errorf("%s: the third of an address = %d %v %s, want 429 and a page", what, got.status, got.header, got.text)
		}
		if got := send("192.0.2.2"); got.status != 200 {
			t.Errorf("%s: another address = %d, want 200", what, got.status)
		}
		send("192.0.2.3", "Accept", "application/json").wantError(t, what+": the fourth of the form", 429, "RATE_LIMITED")
		if other := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}}); b.fetch(t, other,
			`{"email":"a@example.com"}`).status != 200 {
			t.Errorf("%s: another form is limited too", what)
		}
	}
	limits("with Redis")
	b.redis.Close()
	limits("without Redis")
	if got := counted(t, registry, "limited"); got != 4 {
		t.Errorf("limited = %v, want 4", got)
	}
	c := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 1, AllowedOrigins: []string{site}})
	path, status := b.mustForm(t, c, tenant.Form{}), 0
	for range 10 { // one a second is allowed
		if status = b.fetch(t, path, `{"email":"`+id.New().String()+`@example.com"}`).status; status == 429 {
			break
		}
	}
	if status != 429 {
		t.Errorf("beyond the workspace's limit = %d, want 429", status)
	}
}

// counted is how many submissions came to outcome.
func counted(t *testing.T, registry *prometheus.Registry, outcome string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "leadgate_form_submissions_total" && m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
