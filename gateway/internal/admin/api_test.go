package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/tenant"
)

type workspace struct {
	ID, Name, CreatedAt string
	Rate, Burst         int
	Statuses            []string
	RetrySchedule       []int
}

// usual is the schedule of a workspace that has none of its own, in seconds.
var usual = []int{0, 5, 30, 120, 600, 1800, 7200, 18000, 36000, 50400, 72000, 86400}

type key struct {
	ID, Name, Secret, Hint, WorkspaceID, CreatedAt string
	Scopes                                         []string
	ExpiresAt, RevokedAt, LastUsedAt               *string
}

func TestWorkspaces(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	const path = "/admin/api/v1/workspaces"
	var made, read, changed workspace
	b.call("POST", path, `{"name":" Acme ","burst":7,"statuses":["hot","cold"]}`, http.StatusCreated, &made)
	want := workspace{ID: made.ID, Name: "Acme", CreatedAt: made.CreatedAt, Rate: tenant.DefaultRate, Burst: 7,
		Statuses: []string{"hot", "cold"}, RetrySchedule: usual}
	if diff := cmp.Diff(want, made); diff != "" || !strings.HasPrefix(made.ID, "ws_") || !strings.HasSuffix(made.CreatedAt,
		"Z") {
		t.Errorf("POST %s (-want +got):\n%s", path, diff)
	}
	b.call("GET", path+"/"+made.ID, "", http.StatusOK, &read)
	if diff := cmp.Diff(made, read); diff != "" {
		t.Errorf("GET after POST (-made +read):\n%s", diff)
	}
	b.call("PATCH", path+"/"+made.ID, `{"rate":5,"burst":null,"statuses":[],"retrySchedule":[0,60,86400]}`, http.StatusOK,
		&changed)
	want.Rate, want.Statuses, want.RetrySchedule = 5, tenant.DefaultStatuses(), []int{0, 60, 86400}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("PATCH (-want +got):\n%s", diff)
	}
	changed = workspace{}
	b.call("PATCH", path+"/"+made.ID, `{"retrySchedule":null}`, http.StatusOK, &changed)
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("PATCH with null (-want +got):\n%s", diff)
	}
	changed = workspace{}
	b.call("PATCH", path+"/"+made.ID, `{"retrySchedule":[]}`, http.StatusOK, &changed)
	if want.RetrySchedule = usual; !cmp.Equal(want, changed) {
		t.Errorf("PATCH with an empty schedule = %+v, want the usual one", changed)
	}
	b.call("PATCH", path+"/ws_00000000000000000000000000", `{"rate":5}`, http.StatusNotFound, nil)
	b.call("GET", path+"/nonsense", "", http.StatusNotFound, nil)
}

func TestListsArePaged(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws := b.workspace()
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("bot %d", i))
		b.call("POST", ws+"/chatbots", fmt.Sprintf(`{"name":"bot %d"}`, i), http.StatusCreated, nil)
	}
	var got []string
	cursor, pages := "", 0
	for {
		a := b.call("GET", ws+"/chatbots?limit=2&cursor="+cursor, "", http.StatusOK, nil)
		var page struct {
			Data       []struct{ Name string }
			NextCursor *string
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Data {
			got = append(got, c.Name)
		}
		if pages++; page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("chatbots over %d pages, want 3 (-want +got):\n%s", pages, diff)
	}
	b.call("GET", ws+"/chatbots?cursor=%zz", "", http.StatusBadRequest, nil)
	a := b.call("GET", ws+"/chatbots?limit=0&cursor=x", "", http.StatusBadRequest, nil)
	for _, field := range []string{`"field":"limit"`, `"field":"cursor"`} {
		if !strings.Contains(a.body, field) {
			t.Errorf("GET ?limit=0&cursor=x = %s, want %s in it", a.body, field)
		}
	}
	if a := b.call("GET", ws+"/keys", "", http.StatusOK, nil); a.body != `{"success":true,"data":[],"nextCursor":null}`+
		"\n" {
		t.Errorf("GET an empty list = %s", a.body)
	}
}

func TestMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws := b.workspace()
	long := strings.Repeat("n", 101)
	tests := []struct {
		path, body string
		want       []string // pointers
	}{
		{"", `{"rate":1.5,"burst":10000001,"statuses":["a","a",""],"nmae":"x"}`, []string{"/rate", "/burst", "/statuses/1",
			"/statuses/2", "/nmae", "/name"}},
		{"", `{"name":"` + long + `","rate":-1}`, []string{"/name", "/rate"}},
		{"", `{"name":"  "}`, []string{"/name"}},
		{"", `{"name":"x","retrySchedule":[5,-1,86401,"1",0]}`, []string{"/retrySchedule/0", "/retrySchedule/1",
			"/retrySchedule/2", "/retrySchedule/3"}},
		{"", `{"name":"x","retrySchedule":["0",5]}`, []string{"/retrySchedule/0"}},
		{"", `{"name":"x","retrySchedule":"daily"}`, []string{"/retrySchedule"}},
		{"/chatbots", `{"name":"a\u0000b"}`, []string{"/name"}},
		{"/keys", `{"scopes":["leads:read","root"],"expiresAt":"2001-01-01T00:00:00Z"}`, []string{"/scopes/1", "/expiresAt",
			"/name"}},
		{"/keys", `{"name":"x","scopes":[]}`, []string{"/scopes"}},
		{"/keys", `{"name":"x","expiresAt":"` + b.clock.Now().Add(58*time.Second).UTC().Format(time.RFC3339) + `"}`,
			[]string{"/expiresAt"}},
		{"/keys", `{"name":7,"expiresAt":"tomorrow"}`, []string{"/name", "/expiresAt"}},
	}
	for _, tt := range tests {
		t.Run(tt.path+" "+tt.body, func(t *testing.T) {
			path := ws + tt.path
			if tt.path == "" {
				path = "/admin/api/v1/workspaces"
			}
			a := b.call("POST", path, tt.body, http.StatusBadRequest, nil)
			var got struct {
				Code    string
				Details struct {
					Errors []struct{ Pointer, Message string }
				}
			}
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			var pointers []string
			for _, e := range got.Details.Errors {
				pointers = append(pointers, e.Pointer)
			}
			sorted := cmp.Transformer("set", func(all []string) map[string]int {
				set := map[string]int{}
				for _, s := range all {
					set[s]++
				}
				return set
			})
			if diff := cmp.Diff(tt.want, pointers, sorted); diff != "" || got.Code != "VALIDATION_ERROR" {
				t.Errorf("POST %s %s = %s (-want +got):\n%s", tt.path, tt.body, a.body, diff)
			}
		})
	}
}

func TestKeysAreMadeRotatedAndRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws := b.workspace()
	principal := func(secret string) error {
		hash, ok := tenant.HashSecret(secret)
		if !ok {
			t.Fatalf("HashSecret(%q) = not ok, want a secret", secret)
		}
		_, err := b.db.PrincipalByHash(t.Context(), hash, b.clock.Now())
		return err
	}
	var first, second key
	until := b.clock.Now().Add(90 * 24 * time.Hour).UTC().Format(time.RFC3339)
	b.call("POST", ws+"/keys", `{"name":"site","scopes":["leads:write"],"expiresAt":"`+until+`"}`, http.StatusCreated,
		&first)
	if err := principal(first.Secret); err != nil {
		t.Errorf("the new key opens nothing: %v", err)
	}
	if diff := cmp.Diff([]string{"leads:write"}, first.Scopes); diff != "" || first.ExpiresAt == nil {
		t.Errorf("POST keys: expires %v, scopes (-want +got):\n%s", first.ExpiresAt, diff)
	}
	list := b.call("GET", ws+"/keys", "", http.StatusOK, nil)
	if strings.Contains(list.body, first.Secret) || strings.Contains(list.body, `"secret":`) {
		t.Errorf("GET keys tells a secret: %s", list.body)
	}

	b.call("POST", ws+"/keys/"+first.ID+"/rotate", `{"overlapSeconds":60}`, http.StatusCreated, &second)
	if diff := cmp.Diff(first.Scopes, second.Scopes); diff != "" || second.Name != first.Name || second.ExpiresAt == nil {
		t.Errorf("rotate: name %q, expires %v, scopes (-want +got):\n%s", second.Name, second.ExpiresAt, diff)
	}
	if err := principal(first.Secret); err != nil {
		t.Errorf("the old key within the overlap: %v, want it to work", err)
	}
	b.clock.Forward(61 * time.Second)
	if err := principal(first.Secret); err == nil {
		t.Error("the old key after the overlap works, want it ended")
	}
	if err := principal(second.Secret); err != nil {
		t.Errorf("the new key after the overlap: %v, want it to work", err)
	}
	b.call("POST", ws+"/keys/"+first.ID+"/rotate", "", http.StatusNotFound, nil)
	b.call("POST", ws+"/keys/"+second.ID+"/rotate", `{"overlapSeconds":2592001}`, http.StatusBadRequest, nil)

	var once, again key
	b.call("DELETE", ws+"/keys/"+second.ID, "", http.StatusOK, &once)
	b.clock.Forward(time.Hour)
	b.call("DELETE", ws+"/keys/"+second.ID, "", http.StatusOK, &again)
	if once.RevokedAt == nil {
		t.Error("DELETE key: revokedAt is null")
	}
	if diff := cmp.Diff(once, again); diff != "" {
		t.Errorf("DELETE again changed the key (-once +again):\n%s", diff)
	}
	if err := principal(second.Secret); err == nil {
		t.Error("the revoked key works")
	}
	other := b.workspace()
	b.call("DELETE", other+"/keys/"+first.ID, "", http.StatusNotFound, nil)
}

func TestRotateWithoutBodyOverlapsADay(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ws := b.workspace()
	for _, body := range []string{"", "{}", `{"overlapSeconds":null}`} {
		var made key
		b.call("POST", ws+"/keys", `{"name":"site"}`, http.StatusCreated, &made)
		b.call("POST", ws+"/keys/"+made.ID+"/rotate", body, http.StatusCreated, nil)
		var keys []key
		b.call("GET", ws+"/keys", "", http.StatusOK, &keys)
		want := b.clock.Now().UTC().Add(24 * time.Hour).Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
		for _, k := range keys {
			if k.ID == made.ID && (k.ExpiresAt == nil || *k.ExpiresAt != want) {
				t.Errorf("rotate with %q: the old key expires %v, want %s", body, k.ExpiresAt, want)
			}
		}
	}
}

func TestRouterErrorsAreInTheEnvelope(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.call("GET", "/admin/queuesX", "", http.StatusNotFound, nil)
	a := b.call("PUT", "/admin/api/v1/workspaces", "", http.StatusMethodNotAllowed, nil)
	if got := a.header.Get("Allow"); got != "GET, POST" {
		t.Errorf("PUT workspaces: Allow = %q, want GET, POST", got)
	}
	r := b.request("POST", "/admin/api/v1/workspaces", `{"name":"x"}`, "Authorization", "Bearer "+token, "Content-Type",
		"text/plain")
	if a := b.do(r); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("POST text/plain = %d, want 415", a.status)
	}
}
