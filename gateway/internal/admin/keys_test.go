package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

type madeKey struct {
	ID, Kind, Mode, Secret, Key, WorkspaceID string
	Form                                     *struct{ Origins []string }
}

// A publishable key is shown whole as often as one looks; keys of test data are in a workspace of their own, which the
// first one makes.
func TestKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var live struct{ ID, Mode string }
	b.call("POST", "/admin/api/v1/workspaces", `{"name":"Acme"}`, http.StatusCreated, &live)
	keys := "/admin/api/v1/workspaces/" + live.ID + "/keys"
	make := func(body string) madeKey {
		t.Helper()
		var made madeKey
		b.call("POST", keys, body, http.StatusCreated, &made)
		return made
	}
	form := make(
		`{"name":"form","kind":"publishable","form":{"origins":["https://www.example.com"],"captcha":"turnstile","captchaSecret":"not-to-be-shown"}}`)
	if !strings.HasPrefix(form.Key, "pk-workspace_") || form.Secret != "" || form.Form == nil ||
		!slices.Equal(form.Form.Origins, []string{"https://www.example.com"}) {
		t.Errorf("a publishable key = %+v, want its text as key, and its form", form)
	}
	if list := b.call("GET", keys, "", http.StatusOK, nil); !strings.Contains(list.body, form.Key) ||
		strings.Contains(list.body, "not-to-be-shown") {
		t.Errorf("GET keys = %s, want %s and no secret of its form", list.body, form.Key)
	}
	first, second := make(`{"name":"test","mode":"test"}`), make(`{"name":"again","mode":"test","kind":"publishable"}`)
	if !strings.HasPrefix(first.Secret, "sk-test_") || !strings.HasPrefix(second.Key, "pk-test_") ||
		first.WorkspaceID == live.ID || first.WorkspaceID != second.WorkspaceID {
		t.Errorf("keys of test data = %+v and %+v, want both in one other workspace", first, second)
	}
	if list := b.call("GET", "/admin/api/v1/workspaces", "", http.StatusOK, nil); !strings.Contains(list.body,
		`"name":"Acme (test)","mode":"test","testOf":"`+live.ID+`"`) || live.Mode != "live" {
		t.Errorf("GET workspaces = %s, want the sandbox as one", list.body)
	}
	for _, body := range []string{
		`{"name":"x","form":{}}`, `{"name":"x","kind":"publishable","scopes":["leads:read"]}`, `{"name":"x","kind":"other"}`,
		`{"name":"x","mode":"other"}`,
		`{"name":"x","kind":"publishable","form":{"chatbotId":"` + id.Chatbot.Format(id.New()) + `"}}`,
		`{"name":"x","kind":"publishable","form":{"origins":["https://www.example.com/path"]}}`,
	} {
		b.call("POST", keys, body, http.StatusBadRequest, nil)
	}
}

// What the operator does is audited too, as done by no key.
func TestOperatorIsAudited(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var ws, key, next struct{ ID string }
	b.call("POST", "/admin/api/v1/workspaces", `{"name":"Acme"}`, http.StatusCreated, &ws)
	path := "/admin/api/v1/workspaces/" + ws.ID
	b.call("PATCH", path, `{"rate":7}`, http.StatusOK, nil)
	b.call("PATCH", path, `{}`, http.StatusOK, nil) // changes nothing
	b.call("POST", path+"/chatbots", `{"name":"Bot"}`, http.StatusCreated, nil)
	b.call("POST", path+"/keys", `{"name":"a","scopes":["leads:read"]}`, http.StatusCreated, &key)
	b.call("POST", path+"/keys/"+key.ID+"/rotate", "", http.StatusCreated, &next)
	for range 2 { // again it changes nothing
		b.call("DELETE", path+"/keys/"+key.ID, "", http.StatusOK, nil)
	}
	workspace, err := id.Workspace.Parse(ws.ID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.db.ListAudit(t.Context(), workspace, id.UUID{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range all {
		got = append(got, a.Action)
		if a.KeyID != (id.UUID{}) {
			t.Errorf("%s is said to be done by the key %s, want the operator", a.Action, id.Key.Format(a.KeyID))
		}
	}
	slices.Reverse(got)
	want := []string{tenant.WorkspaceCreated, tenant.WorkspaceUpdated, tenant.ChatbotCreated, tenant.KeyCreated,
		tenant.KeyRotated, tenant.KeyRevoked}
	if !slices.Equal(got, want) {
		t.Fatalf("audit = %v, want %v", got, want)
	}
	if all[4].Details["rateCeiling"] != 7.0 || all[1].Details["next"] != next.ID || all[1].Target != key.ID {
		t.Errorf("details = %v and %v of %s, want the new rate, and the successor of the key", all[4].Details, all[1].Details,
			all[1].Target)
	}
}
