package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// everyRoute is each route that takes a key, with the scope it needs, as the document has it;
// TestDocumentIsTheRouteTable holds the table to that.
func everyRoute(t *testing.T) map[string]tenant.Scope {
	all := map[string]tenant.Scope{}
	for _, o := range mustDocument(t).Operations() {
		if o.Public {
			continue
		}
		path := strings.NewReplacer("{chatbotId}", "cb_x", "{id}", "x").Replace(o.Path)
		all[o.Method+" "+path] = tenant.Scope(strings.Join(o.Scopes, " ")) // "" where every key will do
	}
	return all
}

func TestEveryRouteWantsAKeyAndItsScope(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for route, scope := range everyRoute(t) {
		method, path, _ := strings.Cut(route, " ")
		none := b.send(t, "", method, path, "")
		none.wantError(t, route+" without a key", 401, "UNAUTHORIZED")
		if none.header.Get("WWW-Authenticate") != "Bearer" || none.header.Get("X-RateLimit-Limit") != "" {
			t.Errorf("%s without a key: headers %v, want WWW-Authenticate and no rate limit", route, none.header)
		}
		if scope == "" {
			continue
		}
		others := []tenant.Scope{}
		for _, s := range tenant.Scopes() {
			if s != scope {
				others = append(others, s)
			}
		}
		_, secret := b.mustKey(t, b.workspace, others)
		refused := b.send(t, secret, method, path, "")
		refused.wantError(t, route+" without the scope", 403, "FORBIDDEN")
		if !strings.Contains(refused.body.Error, string(scope)) {
			t.Errorf("%s says %q, want the scope %s named", route, refused.body.Error, scope)
		}
		if refused.header.Get("X-RateLimit-Limit") == "" {
			t.Errorf("%s without the scope carries no rate limit", route)
		}
	}
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, secret := range map[string]string{
		"unknown": tenant.NewSecret(), "mistyped": b.secret[:len(b.secret)-1] + "_", "not a key": "abc",
	} {
		t.Run(name, func(t *testing.T) {
			b.send(t, secret, "GET", "/api/v1/webhooks", "").wantError(t, name, 401, "UNAUTHORIZED")
		})
	}
}

func TestRevokedKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCreate(t, b.owner, "a@example.com")
	if err := b.db.RevokeKey(t.Context(), b.workspace, b.key, b.now()); err != nil {
		t.Fatal(err)
	}
	b.forward(time.Second)
	b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"b@example.com"}`).wantError(t, "revoked", 401, "UNAUTHORIZED")
}

func TestRotationOverlaps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret := tenant.NewSecret()
	hash, _ := tenant.HashSecret(secret)
	next := tenant.Key{ID: id.New(), Name: "next", Scopes: tenant.DefaultScopes(), CreatedAt: b.now()}
	if err := b.db.RotateKey(t.Context(), b.workspace, b.key, b.now().Add(time.Hour), next, hash); err != nil {
		t.Fatal(err)
	}
	ask := func(secret string) int { return b.send(t, secret, "GET", "/api/v1/webhooks", "").status }
	if old, new := ask(b.secret), ask(secret); old != 200 || new != 200 {
		t.Errorf("during the overlap: old key %d, new key %d, want 200 and 200", old, new)
	}
	b.forward(time.Hour)
	if old, new := ask(b.secret), ask(secret); old != 401 || new != 200 {
		t.Errorf("after the overlap: old key %d, new key %d, want 401 and 200", old, new)
	}
}

func TestOtherTenantsAreUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.mustWorkspace(t, tenant.Settings{})
	lead := b.mustCreate(t, other, "a@example.com")
	hook := mustID(t, b.send(t, other.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`))
	for path, code := range map[string]string{
		"POST /api/v1/chatbots/" + id.Chatbot.Format(other.chatbot) + "/leads":              "CHATBOT_NOT_FOUND",
		"POST /api/v1/chatbots/" + id.Chatbot.Format(id.New()) + "/leads":                   "CHATBOT_NOT_FOUND",
		"POST /api/v1/chatbots/cb_1234567890abcdef/leads":                                   "CHATBOT_NOT_FOUND",
		"POST /api/v1/chatbots/" + strings.ToUpper(id.Chatbot.Format(b.chatbot)) + "/leads": "CHATBOT_NOT_FOUND",
		"GET /api/v1/leads/" + lead:                                                         "NOT_FOUND",
		"GET /api/v1/leads/" + id.Lead.Format(id.New()):                                     "NOT_FOUND",
		"GET /api/v1/leads/john":                                                            "NOT_FOUND",
		"GET /api/v1/webhooks/" + hook:                                                      "NOT_FOUND",
		"GET /api/v1/webhooks/" + hook + "/deliveries":                                      "NOT_FOUND",
		"GET /api/v1/webhooks/" + strings.Replace(lead, "lead_", "we_", 1) + "/deliveries":  "NOT_FOUND",
		"GET /api/v1/webhooks/%00":                                                          "NOT_FOUND",
	} {
		t.Run(path, func(t *testing.T) {
			method, path, _ := strings.Cut(path, " ")
			body := ""
			if method == "POST" {
				body = `{"email":"not even valid"}` // the address is wrong before the body is
			}
			b.send(t, b.secret, method, path, body).wantError(t, path, 404, code)
		})
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/webhooks",
		""); got.text != `{"success":true,"data":[],"nextCursor":null}`+"\n" {
		t.Errorf("webhooks = %s, want none of the other workspace's", got.text)
	}
}

func TestRateLimitHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 10})
	start := time.Now()
	want := func(got answer, what string, status, left int) {
		t.Helper()
		h := got.header
		if got.status != status {
			t.Errorf("%s = %d %s, want %d", what, got.status, got.text, status)
		}
		remaining, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
		if most := left + int(time.Since(start).Seconds()); err != nil || remaining < left || remaining > most {
			t.Errorf("%s: X-RateLimit-Remaining = %q, want %d to %d", what, h.Get("X-RateLimit-Remaining"), left, most)
		}
		reset, err := strconv.Atoi(h.Get("X-RateLimit-Reset"))
		if err != nil || reset > 10-remaining || reset < 1 {
			t.Errorf("%s: X-RateLimit-Reset = %q, want 1 to %d", what, h.Get("X-RateLimit-Reset"), 10-remaining)
		}
		for k, v := range map[string]string{
			"RateLimit-Policy": `"workspace";q=10;w=10`, "X-RateLimit-Limit": "10",
			"RateLimit": fmt.Sprintf(`"workspace";r=%d;t=%d`, remaining, reset),
		} {
			if h.Get(k) != v {
				t.Errorf("%s: %s = %q, want %q", what, k, h.Get(k), v)
			}
		}
	}
	// Requests of every kind take one each; one comes back every second.
	want(b.send(t, slow.secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`), "created", 201, 9)
	want(b.send(t, slow.secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`), "duplicate", 409, 8)
	want(b.send(t, slow.secret, "POST", "/api/v1/leads", `{"email":"a"}`), "invalid", 400, 7)
	want(b.send(t, slow.secret, "POST", "/api/v1/chatbots/cb_x/leads", `{}`), "no such chatbot", 404, 6)
	want(b.send(t, slow.secret, "GET", "/api/v1/leads/lead_x", ""), "no such lead", 404, 5)
	want(b.send(t, slow.secret, "GET", "/api/v1/webhooks", ""), "list", 200, 4)
}

func TestRateLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 1})
	// The one request allowed each second may fall between two of ours on a busy machine; then the next is refused.
	untilLimited := func(method, path, body string) answer {
		for range 20 {
			if got := b.send(t, slow.secret, method, path, body); got.status == http.StatusTooManyRequests {
				return got
			}
		}
		t.Fatalf("%s %s is never limited", method, path)
		return answer{}
	}
	for _, c := range [][3]string{
		{"POST", "/api/v1/leads", `{"email":"a@example.com"}`},
		{"POST", "/api/v1/leads", `{"email":"invalid"}`},
		{"GET", "/api/v1/webhooks", ""},
	} {
		got := untilLimited(c[0], c[1], c[2])
		got.wantError(t, strings.Join(c[:], " "), 429, "RATE_LIMITED")
		if got.header.Get("Retry-After") != "1" || got.header.Get("X-RateLimit-Remaining") != "0" {
			t.Errorf("%v: headers %v, want Retry-After 1 and nothing remaining", c, got.header)
		}
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/webhooks", ""); got.status != http.StatusOK {
		t.Errorf("another workspace = %d, want 200", got.status)
	}
}
