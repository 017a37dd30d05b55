package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/rdb"
)

type storesAnswer struct {
	Postgres, Redis struct {
		Answers bool
		Facts   []struct {
			Name, State string
			Value       any
		}
	}
	Tables []struct{ Name string }
}

func TestStoresAreShown(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var s storesAnswer
	b.call("GET", "/admin/api/v1/stores", "", http.StatusOK, &s)
	if !s.Postgres.Answers || !s.Redis.Answers || len(s.Tables) != 10 {
		t.Errorf("GET stores = %+v, want both, and ten tables", s)
	}
	for _, days := range []int{40, 10, 0} { // the first is forgotten
		size := rdb.Size{At: b.clock.Now().AddDate(0, 0, -days), Bytes: 1 << 20}
		if err := rdb.KeepSize(t.Context(), b.redis, size); err != nil {
			t.Fatal(err)
		}
	}
	page := b.look("/admin/stores")
	if want := "a day in the last 10 days. How large its disk is"; !strings.Contains(page.body, want) {
		t.Errorf("GET /admin/stores = %s, want %q", page.body, want)
	}
	for _, f := range append(s.Postgres.Facts, s.Redis.Facts...) {
		if f.State != "good" || f.Value == nil {
			t.Errorf("%s of new stores = %v, %s, want it good", f.Name, f.Value, f.State)
		}
		if !strings.Contains(page.body, `<th scope="row">`+f.Name+`</th>`) {
			t.Errorf("GET /admin/stores = %s, want %s on it", page.body, f.Name)
		}
	}
}

// What is right of a Redis that has a limit is what OPERATIONS.md and compose.yaml set.
func TestRedisThrowsHintsAway(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	if err := b.redis.ConfigSet(t.Context(), "maxmemory", "1gb").Err(); err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[string]string{"volatile-lru": "good", "noeviction": "warn", "allkeys-lru": "warn"} {
		if err := b.redis.ConfigSet(t.Context(), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
		var s storesAnswer
		b.call("GET", "/admin/api/v1/stores", "", http.StatusOK, &s)
		for _, f := range s.Redis.Facts {
			if f.Name == "When full" && (f.Value != policy || f.State != want) {
				t.Errorf("%s of a Redis with %s = %v, %s, want %s", f.Name, policy, f.Value, f.State, want)
			}
		}
	}
}

// A store that is away does not keep the other from being shown.
func TestStoresFailSoft(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*bundle){
		"Postgres": func(b *bundle) { b.db.Close() }, "Redis": func(b *bundle) { b.redis.Close() },
	} {
		b := setup(t, nil)
		away(b)
		if a := b.look("/admin/stores"); a.status != http.StatusOK || !strings.Contains(a.body, name+" does not answer") ||
			!strings.Contains(a.body, `<th scope="row">Role</th>`) {
			t.Errorf("GET /admin/stores without %s = %d %s, want the other, and that it does not answer", name, a.status, a.body)
		}
		var s storesAnswer
		b.call("GET", "/admin/api/v1/stores", "", http.StatusOK, &s)
		if s.Postgres.Answers == (name == "Postgres") || s.Redis.Answers == (name == "Redis") {
			t.Errorf("GET stores without %s = %+v, want what answers", name, s)
		}
	}
}
