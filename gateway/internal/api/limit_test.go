package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/tenant"
)

func TestABrokenQueryIsNotTheFirstPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/v1/webhooks/" + mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks",
		`{"url":"https://hooks.example.com/"}`)) + "/deliveries"
	for _, query := range []string{"?cursor=%zz", "?limit=1;cursor=x"} {
		b.send(t, b.secret, "GET", path+query, "").wantError(t, query, 400, "VALIDATION_ERROR")
	}
}

// Every endpoint is a row to write for every lead, in a commit shared with other workspaces, so the limit holds for the
// hasty too.
func TestAWorkspaceHasFiftyWebhooksAtMost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const limit, body = 50, `{"url":"https://hooks.example.com/"}`
	var mu sync.Mutex
	var posts sync.WaitGroup
	made := map[int]int{}
	for range limit + 10 {
		posts.Go(func() {
			got := b.send(t, b.secret, "POST", "/api/v1/webhooks", body)
			mu.Lock()
			defer mu.Unlock()
			made[got.status]++
		})
	}
	posts.Wait()
	if made[http.StatusCreated] != limit || made[http.StatusConflict] != 10 {
		t.Fatalf("statuses of %d simultaneous posts = %v, want %d times 201 and 10 times 409", limit+10, made, limit)
	}
	b.send(t, b.secret, "POST", "/api/v1/webhooks", body).wantError(t, "one more", 409, "CONFLICT")
	if n := strings.Count(b.send(t, b.secret, "GET", "/api/v1/webhooks", "").text, `"id":`); n != limit {
		t.Errorf("list has %d endpoints, want all %d", n, limit)
	}
	all, _ := page[shownWebhook](t, b, "/api/v1/webhooks")
	for _, limit := range []string{"1", "7", "50", "200"} {
		if paged, _ := pages[shownWebhook](t, b, "/api/v1/webhooks", url.Values{"limit": {limit}}); !cmp.Equal(all, paged) {
			t.Errorf("the list in pages of %s differs from the whole: %s", limit, cmp.Diff(all, paged))
		}
	}
	other := b.mustWorkspace(t, tenant.Settings{})
	mustID(t, b.send(t, other.secret, "POST", "/api/v1/webhooks", body))
	if docs := b.send(t, "", "GET", "/docs", "").text; !strings.Contains(docs, "<td>50 per workspace;") {
		t.Error("/docs does not tell the limit of 50 endpoints")
	}
}

// Whoever tries made-up API keys is stopped; keys that were seen at work go on from the same address, and a visitor's
// forms with them.
func TestMadeUpKeysAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, b.secret, "GET", "/api/v1/workspace", "")
	limited := 0
	for range 70 {
		switch got := b.send(t, tenant.NewSecret(), "GET", "/api/v1/workspace", ""); got.status {
		case http.StatusUnauthorized:
		case http.StatusTooManyRequests:
			limited++
			if got.header.Get("Retry-After") == "" || got.body.Code != "RATE_LIMITED" {
				t.Fatalf("limited = %s, want when to try again", got.text)
			}
		default:
			t.Fatalf("a made-up key = %d %s", got.status, got.text)
		}
	}
	if limited < 5 || limited > 10 { // the limit refills, one a second
		t.Errorf("%d of 70 requests were limited, want those beyond 60", limited)
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/workspace", ""); got.status != http.StatusOK {
		t.Errorf("a key in use = %d %s, want 200", got.status, got.text)
	}
}
