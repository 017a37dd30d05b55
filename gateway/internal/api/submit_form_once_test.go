package api_test

import (
	"net/http"
	"sync"
	"testing"

	"leadgate/shared/tenant"
)

// A submission with an Idempotency-Key is kept once, however often it is sent and whatever it becomes.
func TestFormIsSentOnce(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	other := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	const first, second = `{"email":"ada@example.com","message":"The first question"}`, `{"email":"ada@example.com","message":"The second"}`
	const robot = `{"email":"bob@example.com","message":"[url=https://pills.example.net/]","_gotcha":"https://pills.example.net/"}`
	key := func(k string) []string { return []string{"Idempotency-Key", k} }
	var all sync.WaitGroup
	for range 4 { // at once: one is taken, the others wait or are answered alike
		all.Go(func() {
			if got := b.fetch(t, path, first, key("one")...); got.status != http.StatusOK && got.status != http.StatusConflict {
				t.Errorf("one = %d %s", got.status, got.text)
			}
		})
	}
	all.Wait()
	for _, again := range []struct{ path, body, key string }{
		{path, first, "one"}, {path, second, "two"}, {path, second, "two"}, {path, robot, "three"}, {path, robot, "three"},
		{other, second, "one"}, {other, second, "one"}, // another form's keys are others
	} {
		if got := b.fetch(t, again.path, again.body, key(again.key)...); got.text != received {
			t.Errorf("%s = %d %s, want it received", again.key, got.status, got.text)
		}
	}
	if got := b.fetch(t, path, second, key("one")...); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the key of another submission = %d %s, want 422", got.status, got.text)
	}
	created := b.keyed(t, b.secret, "/api/v1/leads", "one", `{"email":"eve@example.com"}`)
	if created.status != http.StatusCreated { // visitors cannot take the keys of the workspace's own programs
		t.Errorf("the API with a key of the form = %d %s, want 201", created.status, created.text)
	}
	if n := len(b.mustSubmissions(t, b.owner)); n != 4 {
		t.Errorf("%d submissions, want 4", n)
	}
	if got := b.fetch(t, path, `{"email":"nobody","message":"x"}`, key("four")...); got.status != http.StatusBadRequest {
		t.Errorf("a mistake = %d %s, want 400", got.status, got.text)
	}
	if got := b.fetch(t, path, `{"email":"joe@example.com","message":"x"}`, key("four")...); got.text != received {
		t.Errorf("mended, under the same key = %d %s, want it received", got.status, got.text)
	}
	books := b.mustBooks(t, b.owner)
	if books["received"] != 5 || books["new"] != 2 || books["appended"] != 2 || books["held"] != 1 {
		t.Errorf("books = %v, want 5 received: 2 new, 2 appended, 1 held", books)
	}
}
