package admin_test

import (
	"net/http"
	"strings"
	"testing"
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
	page := b.look("/admin/stores")
	for _, f := range append(s.Postgres.Facts, s.Redis.Facts...) {
		if f.State != "good" || f.Value == nil {
			t.Errorf("%s of new stores = %v, %s, want it good", f.Name, f.Value, f.State)
		}
		if !strings.Contains(page.body, `<th scope="row">`+f.Name+`</th>`) {
			t.Errorf("GET /admin/stores = %s, want %s on it", page.body, f.Name)
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
