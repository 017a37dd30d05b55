package api_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/form"
	"leadgate/shared/tenant"
)

// believingProxy lets tests be clients of any address.
func believingProxy() func(*api.Deps) {
	return forms(prometheus.NewRegistry(), func(d *form.Deps) {
		d.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
}

// Whatever a page gets from one gateway another takes, and nothing is good at both that is good once.
func TestFormsOfTwoGateways(t *testing.T) {
	t.Parallel()
	a := setupForms(t)
	b := a.mustOther(t)
	path := a.mustForm(t, a.owner, tenant.Form{Origins: []string{site}, RequireToken: true, Captcha: tenant.Altcha,
		CaptchaDifficulty: 1000})
	var page struct{ Token string }
	if err := json.Unmarshal(a.getForm(t, path+"/token").body.Data, &page); err != nil {
		t.Fatal(err)
	}
	b.forward(2 * time.Second)
	solution := a.solve(t, path)
	body := func(n int) string {
		return fmt.Sprintf(`{"email":"a%d@example.com","_token":%q,"altcha":%q}`, n, page.Token, solution)
	}
	if got := b.fetch(t, path, body(1)); got.text != received {
		t.Fatalf("what the first gateway gave = %d %s at the second, want it taken", got.status, got.text)
	}
	for name, at := range map[string]*bundle{"first": a, "second": b} {
		at.fetch(t, path, body(2)).wantError(t, "the solution again at the "+name, 400, "VALIDATION_ERROR")
	}
	for _, s := range a.mustSubmissions(t, a.owner) {
		for _, r := range s.Reasons {
			if r.Check == "token" {
				t.Errorf("the token of the first gateway has %d points at the second: %s", r.Points, r.Note)
			}
		}
	}
}

// An address may send as much through two gateways as through one, and each notices what comes through it: what is sent
// to both in turn is marked by the time that it is twice as much.
func TestFormLimitsOfTwoGateways(t *testing.T) {
	t.Parallel()
	a := setupForms(t, believingProxy())
	b := a.mustOther(t, believingProxy())
	limited := a.mustForm(t, a.owner, tenant.Form{Origins: []string{site}, PerMinuteIP: 2})
	free := a.mustForm(t, a.owner, tenant.Form{Origins: []string{site}})
	n := 0
	send := func(at *bundle, path, client string) answer {
		t.Helper()
		n++
		return at.fetch(t, path, fmt.Sprintf(`{"email":"a%d@example.com"}`, n), "X-Forwarded-For", client)
	}
	for i, at := range []*bundle{a, b} {
		if got := send(at, limited, "192.0.2.1"); got.text != received {
			t.Fatalf("submission %d = %d %s, want it taken", i, got.status, got.text)
		}
	}
	send(a, limited, "192.0.2.1").wantError(t, "the third at the first", 429, "RATE_LIMITED")
	send(b, limited, "192.0.2.1").wantError(t, "the third at the second", 429, "RATE_LIMITED")
	for range 9 {
		send(a, free, "192.0.2.2")
		send(b, free, "192.0.2.2")
	}
	marked := 0
	for _, s := range a.mustSubmissions(t, a.owner) {
		for _, r := range s.Reasons {
			if r.Check == "velocity" {
				marked++
			}
		}
	}
	if marked != 2 {
		t.Errorf("%d submissions are marked for how many came, want the ninth of each gateway", marked)
	}
	if all := a.mustLeads(t, a.owner); len(all) != 20 {
		t.Errorf("%d leads, want 20", len(all))
	}
}
