package api_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/tenant"
)

// mustSandbox makes a key of a workspace's sandbox that may do everything.
func (b *bundle) mustSandbox(t *testing.T, c owner) owner {
	t.Helper()
	k := b.mustMakeKey(t, c.secret, `{"name":"t","mode":"test","scopes":["leads:read","leads:write","webhooks:manage","keys:manage","workspace:manage"]}`)
	ws, err := id.Workspace.Parse(k.WorkspaceID)
	if err != nil {
		t.Fatal(err)
	}
	return owner{workspace: ws, secret: k.Secret}
}

// Live and test data of a workspace have one rate limit together, also while Redis is away.
func TestSandboxSharesTheRateLimit(t *testing.T) {
	t.Parallel()
	for name, redis := range map[string]bool{"with Redis": true, "without Redis": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 300}) // 300 s until it is full again
			sandbox := b.mustSandbox(t, c)
			if !redis {
				b.redis.Close()
			}
			left := 0
			for i := 0; ; i++ {
				by := []string{c.secret, sandbox.secret}[i%2]
				got := b.send(t, by, "POST", "/api/v1/leads", `{"email":"nobody"}`)
				if got.status == 429 {
					break
				}
				if left++; left > 310 {
					t.Fatal("no request was limited")
				}
			}
			if left < 290 {
				t.Errorf("%d requests passed, want 300 together", left)
			}
			for who, secret := range map[string]string{"live": c.secret, "test": sandbox.secret} {
				if got := b.send(t, secret, "POST", "/api/v1/leads", `{"email":"nobody"}`); got.status != 429 ||
					got.header.Get("X-RateLimit-Limit") != "300" {
					t.Errorf("%s = %d with the limit %s, want 429 with 300", who, got.status,
						got.header.Get("X-RateLimit-Limit"))
				}
			}
		})
	}
}

// The limit is the live workspace's, as it is now; the sandbox has no say in it.
func TestSandboxFollowsTheLiveLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sandbox := b.mustSandbox(t, b.owner)
	b.mustSend(t, "PATCH", "/api/v1/workspace", `{"rate":50,"burst":70,"statuses":["a"]}`, 200)
	b.forward(time.Second)
	got := b.send(t, sandbox.secret, "GET", "/api/v1/workspace", "")
	if !strings.Contains(got.text, `"rate":50,"burst":70,"rateCeiling":1000,"burstCeiling":2000,"statuses":["new"`) ||
		got.header.Get("X-RateLimit-Limit") != "70" {
		t.Errorf("the sandbox = %s with the limit %s, want the rate and burst of the live workspace, and its own statuses",
			got.text, got.header.Get("X-RateLimit-Limit"))
	}
	got = b.send(t, sandbox.secret, "PATCH", "/api/v1/workspace", `{"rate":10,"burst":10,"name":"x"}`)
	got.wantError(t, "PATCH of the sandbox's limit", 400, "VALIDATION_ERROR")
	if !strings.Contains(got.text, `"/rate"`) || !strings.Contains(got.text, `"/burst"`) || !strings.Contains(got.text, "live") {
		t.Errorf("PATCH of the sandbox's limit = %s, want rate and burst named, and where to set them", got.text)
	}
	b.send(t, sandbox.secret, "PATCH", "/api/v1/workspace", `{"rate":null,"name":"x"}`).wantOK(t, "PATCH of nothing")
	b.mustSend(t, "PATCH", "/api/v1/workspace", `{"rate":null,"burst":null}`, 200)
	if got := b.send(t, sandbox.secret, "GET", "/api/v1/workspace", ""); !strings.Contains(got.text, `"rate":1000,"burst":2000`) {
		t.Errorf("the sandbox = %s, want the defaults again", got.text)
	}
}

func TestSandboxSharesSlotsAndMemory(t *testing.T) {
	t.Parallel()
	memory := limit.NewBudget[id.UUID](1 << 20)
	b := setup(t, withMemory(memory))
	sandbox := b.mustSandbox(t, b.owner)
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	tx.MustExecContext(t.Context(), `lock table events, endpoints in access exclusive mode`)
	var under sync.WaitGroup
	for _, secret := range []string{b.secret, sandbox.secret, b.secret} {
		under.Go(func() { b.send(t, secret, "GET", "/api/v1/events", "").wantOK(t, "under way") })
	}
	b.awaitBlocked(t, 3)
	b.send(t, sandbox.secret, "GET", "/api/v1/events", "").wantError(t, "a fourth, of test data", 429, "RATE_LIMITED")
	b.send(t, b.secret, "GET", "/api/v1/events", "").wantError(t, "a fourth, of live data", 429, "RATE_LIMITED")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	under.Wait()

	memory.Charge(b.workspace, 1<<20)
	large := `{"email":"a@example.com","metadata":{"a":"` + strings.Repeat("x", 20_000) + `"}}`
	b.send(t, sandbox.secret, "POST", "/api/v1/leads", large).wantError(t, "a body beyond the share", 503, "UNAVAILABLE")
	form := b.mustMakeKey(t, sandbox.secret, `{"name":"f","kind":"publishable","form":{"origins":["`+site+`"]}}`).Key
	if got := b.fetch(t, "/f/"+form, large); got.status != 503 {
		t.Errorf("a form's body beyond the share = %d %s, want 503", got.status, got.text)
	}
	memory.Release(b.workspace, 1<<20)
	mustID(t, b.send(t, sandbox.secret, "POST", "/api/v1/leads", large))
}
