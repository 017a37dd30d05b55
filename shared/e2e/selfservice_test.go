package e2e

import (
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/testwait"
)

// madeKey is a key as its maker sees it.
type madeKey struct{ ID, Secret, Key, Mode, WorkspaceID string }

func (c *tenant) mustMakeKey(t *testing.T, with, body string) (k madeKey) {
	t.Helper()
	got := request(t, "POST", c.URL+"/api/v1/keys", with, body)
	if got.status != http.StatusCreated {
		t.Fatalf("POST keys %s = %v, want 201", body, got)
	}
	got.data(t, &k)
	return k
}

// mustOwner makes a key that may do everything.
func (c *tenant) mustOwner(t *testing.T) string {
	t.Helper()
	var k madeKey
	c.admin(t, "POST", "/workspaces/"+c.workspace+"/keys",
		`{"name":"owner","scopes":["leads:read","leads:write","webhooks:manage","keys:manage","workspace:manage"]}`).data(t,
		&k)
	return k.Secret
}

// today returns what the leads of whoever has the key came to.
func (c *tenant) today(t *testing.T, key string) (u struct{ Accepted, Duplicates, Rejected int }) {
	t.Helper()
	days := []struct{ Accepted, Duplicates, Rejected int }{}
	request(t, "GET", c.URL+"/api/v1/usage", key, "").data(t, &days)
	for _, d := range days[:2] { // around midnight there are two
		u.Accepted, u.Duplicates, u.Rejected = u.Accepted+d.Accepted, u.Duplicates+d.Duplicates, u.Rejected+d.Rejected
	}
	return u
}

// A workspace sets itself up with one key of the operator's: settings, a chatbot, keys for its site and for its tests;
// and takes them away again.
func TestWorkspaceLooksAfterItself(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	owner := c.mustOwner(t)
	site := c.mustMakeKey(t, owner, `{"name":"site","scopes":["leads:write"]}`)
	test := c.mustMakeKey(t, owner, `{"name":"test","mode":"test"}`)
	var bot struct{ ID string }
	request(t, "POST", c.URL+"/api/v1/chatbots", owner, `{"name":"Shop"}`).data(t, &bot)
	leads := c.URL + "/api/v1/chatbots/" + bot.ID + "/leads"
	if live, tests := request(t, "POST", leads, site.Secret, body("same@example.com")),
		request(t, "POST", c.URL+"/api/v1/leads", test.Secret, body("same@example.com")); live.status != 201 ||
		tests.status != 201 {
		t.Errorf("the same email = live %v and test %v, want 201 and 201", live, tests)
	}
	if got := request(t, "GET", c.URL+"/api/v1/leads", test.Secret, ""); strings.Count(string(got.body),
		"same@example.com") != 1 || strings.Contains(string(got.body), bot.ID) {
		t.Errorf("leads of test data = %v, want the one that is", got)
	}
	if got := request(t, "POST", c.URL+"/api/v1/keys", site.Secret,
		`{"name":"x","scopes":["leads:write"]}`); got.status != http.StatusForbidden {
		t.Errorf("a site's key makes keys: %v, want 403", got)
	}
	if got := request(t, "PATCH", c.URL+"/api/v1/workspace", owner, `{"burst":9}`); got.status != http.StatusOK {
		t.Errorf("PATCH workspace = %v, want 200", got)
	}
	testwait.Until(t, "the new limit", func() bool {
		return request(t, "GET", c.URL+"/api/v1/workspace", owner, "").header.Get("X-RateLimit-Limit") == "9"
	})
	request(t, "PATCH", c.URL+"/api/v1/workspace", owner, `{"burst":null}`)
	testwait.Until(t, "the old limit", func() bool {
		return request(t, "GET", c.URL+"/api/v1/workspace", owner, "").header.Get("X-RateLimit-Limit") != "9"
	})
	request(t, "DELETE", c.URL+"/api/v1/chatbots/"+bot.ID, owner, "")
	testwait.Until(t, "the deleted chatbot is gone", func() bool {
		return request(t, "POST", leads, site.Secret, body("late@example.com")).status == http.StatusNotFound
	})
	request(t, "DELETE", c.URL+"/api/v1/keys/"+site.ID, owner, "")
	testwait.Until(t, "the revoked key is refused", func() bool {
		return request(t, "POST", c.URL+"/api/v1/leads", site.Secret,
			body("later@example.com")).status == http.StatusUnauthorized
	})
	got := string(request(t, "GET", c.URL+"/api/v1/audit", owner, "").body)
	for _, action := range []string{"workspace.created", "key.created", "chatbot.created", "workspace.updated",
		"chatbot.deleted", "key.revoked"} {
		if !strings.Contains(got, `"action":"`+action+`"`) {
			t.Errorf("audit = %s, want %s in it", got, action)
		}
	}
}

// What a gateway counted is there after it was stopped and started. Not parallel: others use the gateway.
func TestUsageOutlivesTheGateway(t *testing.T) {
	c := mustTenant(t)
	for range 3 {
		c.call(t, "POST", "/api/v1/leads", body("one@example.com"))
	}
	c.call(t, "POST", "/api/v1/leads", `{"email":"wrong"}`)
	if err := c.Gateway().Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := c.today(t, c.key); u.Accepted != 1 || u.Duplicates != 2 || u.Rejected != 1 {
		t.Errorf("usage = %+v, want 1 accepted, 2 duplicates, 1 rejected", u)
	}
	c.call(t, "POST", "/api/v1/leads", body("two@example.com"))
	testwait.Until(t, "usage is written while the gateway runs", func() bool { return c.today(t, c.key).Accepted == 2 })
}
