package api_test

import (
	"fmt"
	"sync"
	"testing"

	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
)

// Expensive reads of a workspace cannot take all connections: while three are under way a fourth is told to come back,
// and nobody else is.
func TestExpensiveReadsAreFew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.mustCreate(t, b.owner, "a@example.com")
	other := b.mustWorkspace(t, tenant.Settings{})
	b.send(t, other.secret, "GET", "/api/v1/webhooks", "").wantOK(t, "before")
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	tx.MustExecContext(t.Context(), `lock table events, endpoints in access exclusive mode`)
	var under sync.WaitGroup
	for _, path := range []string{"/webhooks", "/events", "/leads/" + made + "/timeline"} {
		under.Go(func() { b.send(t, b.secret, "GET", "/api/v1"+path, "").wantOK(t, path) })
	}
	b.awaitBlocked(t, 3)
	for _, path := range []string{"/webhooks", "/deliveries", "/events", "/leads/" + made + "/timeline"} {
		got := b.send(t, b.secret, "GET", "/api/v1"+path, "")
		got.wantError(t, path, 429, "RATE_LIMITED")
		if got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After = %q, want 1", path, got.header.Get("Retry-After"))
		}
	}
	b.mustSend(t, "GET", "/api/v1/leads/"+made, "", 200)
	under.Go(func() { b.send(t, other.secret, "GET", "/api/v1/webhooks", "").wantOK(t, "another workspace's") })
	b.awaitBlocked(t, 4)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	under.Wait()
	b.mustSend(t, "GET", "/api/v1/deliveries", "", 200)
}

func (a answer) wantOK(t *testing.T, what string) {
	t.Helper()
	if a.status != 200 {
		t.Errorf("%s = %d %s, want 200", what, a.status, a.text)
	}
}

// awaitBlocked waits until n statements wait for a lock.
func (b *bundle) awaitBlocked(t *testing.T, n int) {
	t.Helper()
	testwait.Until(t, fmt.Sprintf("%d statements wait for a lock", n), func() bool {
		var blocked int
		if err := b.db.GetContext(t.Context(), &blocked,
			`select count(distinct pid) from pg_locks where not granted and relation is not null and database = (select oid from pg_database where datname = current_database())`); err != nil {
			t.Fatal(err)
		}
		return blocked == n
	})
}
