package console

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gorilla/mux"

	"leadgate/shared/tenant"
)

const keysPath = Root + "/keys"

func keyRoutes() []route {
	const scope, one = tenant.KeysManage, keysPath + "/{id}"
	return []route{
		{"GET", keysPath, scope, keys, []string{"GET /api/v1/keys"}, nil},
		{"GET", keysPath + "/new", scope, newKey, []string{"GET /api/v1/workspace"}, nil},
		{"POST", keysPath + "/new", scope, createKey, []string{"POST /api/v1/keys"}, newKey},
		{"GET", one, scope, showKey, []string{"GET /api/v1/keys/{id}"}, nil},
		{"POST", one, scope, renameKey, []string{"PATCH /api/v1/keys/{id}"}, showKey},
		{"POST", one + "/rotate", scope, rotateKey, []string{"POST /api/v1/keys/{id}/rotate"}, showKey},
		{"POST", one + "/revoke", scope, revokeKey, []string{"DELETE /api/v1/keys/{id}"}, showKey},
	}
}

type key struct {
	ID, Name, Kind, Mode, Hint, Secret, Key, CreatedAt, ExpiresAt, RevokedAt, LastUsedAt string
	Scopes                                                                               []string
}

// Publishable reports whether it is a form's.
func (k key) Publishable() bool { return k.Kind == string(tenant.PublishableKey) }

// Text is what is shown of it where it was just made.
func (k key) Text() string { return k.Secret + k.Key }

var scopeMeanings = map[tenant.Scope]string{
	tenant.LeadsRead: "See leads", tenant.LeadsWrite: "Create, change and delete leads",
	tenant.WebhooksManage: "Set up webhooks and see their deliveries", tenant.KeysManage: "Make and end keys and sign-ins",
	tenant.WorkspaceManage: "Change settings and chatbots, and see the audit",
}

// scopeChoice is a scope in words.
type scopeChoice struct{ Scope, Means string }

// scopeChoices are the scopes that a session may give: its own.
func (v *visit) scopeChoices() (all []scopeChoice) {
	for _, s := range tenant.Scopes() {
		if v.principal.May(s) {
			all = append(all, scopeChoice{string(s), scopeMeanings[s]})
		}
	}
	return all
}

// Means are its scopes in words.
func (k key) Means() []string { return scopeWords(k.Scopes) }

func scopeWords(scopes []string) (words []string) {
	for _, s := range scopes {
		words = append(words, scopeMeanings[tenant.Scope(s)])
	}
	return words
}

type keysPage struct {
	Keys []key
	Next string
}

// keys lists the keys of the workspace and of its test data.
func keys(v *visit) error {
	var p keysPage
	next, err := v.list("/api/v1/keys", pick(v.r.URL.Query(), "cursor"), &p.Keys)
	if err != nil {
		return err
	}
	if next != "" {
		p.Next = "?" + url.Values{"cursor": {next}}.Encode()
	}
	return v.show("keys.html", "Keys", p)
}

// Tag is whether it works, in a word.
func (k key) Tag() tag {
	switch {
	case k.RevokedAt != "":
		return tag{"", "Revoked"}
	case k.ExpiresAt != "" && past(k.ExpiresAt):
		return tag{"", "Expired"}
	case k.Mode == string(tenant.Test):
		return tag{"warn", "Test"}
	}
	return tag{"good", "Live"}
}

// Ended reports whether it opens nothing any more.
func (k key) Ended() bool { return k.RevokedAt != "" || k.ExpiresAt != "" && past(k.ExpiresAt) }

type newKeyPage struct {
	Form   url.Values
	Scopes []scopeChoice
	Test   bool // the session is one of test data, which makes no live keys
}

func newKey(v *visit) error {
	p := newKeyPage{Form: v.form, Scopes: v.scopeChoices(), Test: v.inSandbox()}
	if p.Form == nil {
		p.Form = url.Values{"scopes": {string(tenant.LeadsWrite)}}
	}
	return v.show("key-new.html", "New key", p)
}

// inSandbox reports whether what the visit shows is test data.
func (v *visit) inSandbox() bool { return v.principal.TestOf != (tenant.Principal{}).TestOf }

// createKey makes a secret key and shows it, this once. Publishable ones are made with their form.
func createKey(v *visit) error {
	f := v.r.PostForm
	body := map[string]any{"name": f.Get("name"), "kind": tenant.SecretKey, "scopes": append([]string{}, given(f, "scopes")...)}
	if mode := f.Get("mode"); mode != "" {
		body["mode"] = mode
	}
	if until := f.Get("expiresAt"); until != "" {
		body["expiresAt"] = utcTime(until)
	}
	var k key
	if err := v.send(http.MethodPost, "/api/v1/keys", body, &k); err != nil {
		return err
	}
	return v.show("key-secret.html", "Your new key", k)
}

func keyPath(v *visit) string { return "/api/v1/keys/" + url.PathEscape(mux.Vars(v.r)["id"]) }

func showKey(v *visit) error {
	var k key
	if err := v.get(keyPath(v), nil, &k); err != nil {
		return err
	}
	return v.show("key.html", k.Name, k)
}

func renameKey(v *visit) error {
	var k key
	if err := v.send(http.MethodPatch, keyPath(v), map[string]any{"name": v.r.PostForm.Get("name")}, &k); err != nil {
		return err
	}
	return v.done(keysPath+"/"+url.PathEscape(k.ID), "The key was renamed.")
}

// rotateKey makes the successor of a key and shows it, this once.
func rotateKey(v *visit) error {
	body := map[string]any{"overlapSeconds": numberOrText(v.r.PostForm.Get("overlapSeconds"))}
	var k key
	if err := v.send(http.MethodPost, keyPath(v)+"/rotate", body, &k); err != nil {
		return err
	}
	return v.show("key-secret.html", "The key that follows", k)
}

func revokeKey(v *visit) error {
	if err := v.send(http.MethodDelete, keyPath(v), nil, nil); err != nil {
		return err
	}
	return v.done(keysPath, "The key was revoked: it opens nothing any more, within a second.")
}

// keyNames are the names of keys by their ids, as far as the session may see them.
func (v *visit) keyNames() (map[string]string, error) {
	names := map[string]string{}
	if !v.principal.May(tenant.KeysManage) {
		return names, nil
	}
	var all []key
	if _, err := v.list("/api/v1/keys", url.Values{"limit": {"100"}}, &all); err != nil {
		return nil, err
	}
	for _, k := range slices.Backward(all) {
		names[k.ID] = k.Name
	}
	return names, nil
}
