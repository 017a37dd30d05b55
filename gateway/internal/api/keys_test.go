package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// madeKey is a key as its maker sees it.
type madeKey struct {
	ID, Kind, Mode, Secret, Key, Hint, WorkspaceID string
	Name                                           string
	Scopes                                         []string
	ExpiresAt, RevokedAt                           *string
	Form                                           *struct {
		ChatbotID, RedirectURL, Source string
		Origins                        []string
		HasCaptchaSecret               bool
	}
}

func (a answer) data(t *testing.T, to any) {
	t.Helper()
	if err := json.Unmarshal(a.body.Data, to); err != nil {
		t.Fatalf("answer = %d %s: %v", a.status, a.text, err)
	}
}

// mustMakeKey makes a key by the API.
func (b *bundle) mustMakeKey(t *testing.T, secret, body string) (k madeKey) {
	t.Helper()
	got := b.send(t, secret, "POST", "/api/v1/keys", body)
	if got.status != http.StatusCreated {
		t.Fatalf("POST keys %s = %d %s, want 201", body, got.status, got.text)
	}
	got.data(t, &k)
	return k
}

// works tells what a request with a key gets.
func (b *bundle) works(t *testing.T, secret string) int {
	t.Helper()
	return b.send(t, secret, "GET", "/api/v1/workspace", "").status
}

func TestKeysAreManagedByKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	until := b.now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	made := b.mustMakeKey(t, b.secret, `{"name":" site ","scopes":["leads:read","keys:manage"],"expiresAt":"`+until+`"}`)
	if made.Name != "site" || made.Kind != "secret" || made.Mode != "live" || !strings.HasSuffix(made.Secret, made.Hint) ||
		made.ExpiresAt == nil || !slices.Equal(made.Scopes, []string{"leads:read", "keys:manage"}) {
		t.Errorf("POST keys = %+v, want what was asked for", made)
	}
	if got := b.works(t, made.Secret); got != http.StatusOK {
		t.Errorf("the new key gets %d, want 200", got)
	}
	list := b.send(t, b.secret, "GET", "/api/v1/keys?limit=1", "")
	if strings.Contains(list.text, `"secret":`) || !strings.Contains(list.text, made.ID) || list.body.NextCursor == nil {
		t.Errorf("GET keys = %s, want the newest, without its secret, and another page", list.text)
	}
	if next := b.send(t, b.secret, "GET", "/api/v1/keys?limit=1&cursor="+*list.body.NextCursor,
		""); !strings.Contains(next.text, id.Key.Format(b.key)) || next.body.NextCursor != nil {
		t.Errorf("the next page = %s, want the first key and no further page", next.text)
	}
	renamed := b.send(t, b.secret, "PATCH", "/api/v1/keys/"+made.ID, `{"name":"page"}`)
	if renamed.status != http.StatusOK || !strings.Contains(renamed.text, `"name":"page"`) {
		t.Errorf("PATCH key = %d %s, want it renamed", renamed.status, renamed.text)
	}
	var next madeKey
	rotated := b.send(t, b.secret, "POST", "/api/v1/keys/"+made.ID+"/rotate", `{"overlapSeconds":60}`)
	if rotated.data(t, &next); rotated.status != http.StatusCreated || next.Secret == made.Secret || next.Name != "page" ||
		next.ExpiresAt == nil || !slices.Equal(next.Scopes, made.Scopes) {
		t.Errorf("rotate = %d %s, want a successor", rotated.status, rotated.text)
	}
	if old, new := b.works(t, made.Secret), b.works(t, next.Secret); old != 200 || new != 200 {
		t.Errorf("during the overlap: old key %d, new key %d, want 200 and 200", old, new)
	}
	b.forward(time.Minute)
	if old, new := b.works(t, made.Secret), b.works(t, next.Secret); old != 401 || new != 200 {
		t.Errorf("after the overlap: old key %d, new key %d, want 401 and 200", old, new)
	}
	b.send(t, b.secret, "POST", "/api/v1/keys/"+made.ID+"/rotate", "").wantError(t, "rotating a key that ended", 404,
		"NOT_FOUND")
	for range 2 { // again it changes nothing; the first time it revokes itself
		if got := b.send(t, next.Secret, "DELETE", "/api/v1/keys/"+next.ID, ""); got.status != http.StatusNoContent {
			t.Errorf("DELETE key = %d %s, want 204", got.status, got.text)
		}
	}
	b.forward(time.Second)
	if got := b.works(t, next.Secret); got != http.StatusUnauthorized {
		t.Errorf("the revoked key gets %d, want 401", got)
	}
	var gone madeKey
	if b.send(t, b.secret, "GET", "/api/v1/keys/"+next.ID, "").data(t, &gone); gone.RevokedAt == nil {
		t.Error("GET of a revoked key does not say since when")
	}
}

// Whoever manages keys gets no further than its own scopes: not by making a key, nor by learning the text of another,
// nor by way of a form.
func TestKeysCannotGrowTheirPower(t *testing.T) {
	t.Parallel()
	b := setup(t)
	strong := b.mustMakeKey(t, b.secret, `{"name":"strong","scopes":["leads:read","leads:write"]}`)
	form := b.mustMakeKey(t, b.secret, `{"name":"form","kind":"publishable"}`)
	test := b.mustMakeKey(t, b.secret, `{"name":"test","mode":"test","scopes":["leads:write","keys:manage","leads:read"]}`)
	weak := b.mustMakeKey(t, b.secret, `{"name":"weak","scopes":["keys:manage","leads:read"]}`)
	for what, c := range map[string][4]string{
		"a scope it lacks": {weak.Secret, "POST", "",
			`{"name":"x","scopes":["leads:read","leads:write"]}`},
		"the default scopes": {weak.Secret, "POST", "", `{"name":"x"}`},
		"all scopes": {weak.Secret, "POST", "",
			`{"name":"x","scopes":["leads:read","leads:write","webhooks:manage","keys:manage","workspace:manage"]}`},
		"a scope it lacks, of test data": {weak.Secret, "POST", "",
			`{"name":"x","mode":"test","scopes":["leads:write"]}`},
		"a form":                     {weak.Secret, "POST", "", `{"name":"x","kind":"publishable"}`},
		"the text of a stronger key": {weak.Secret, "POST", strong.ID + "/rotate", ""},
		"the text of the strongest":  {weak.Secret, "POST", id.Key.Format(b.key) + "/rotate", ""},
		"the text of a test key":     {weak.Secret, "POST", test.ID + "/rotate", ""},
		"a successor of a form":      {weak.Secret, "POST", form.ID + "/rotate", ""},
		"another form":               {weak.Secret, "PATCH", form.ID, `{"form":{"origins":["*"]}}`},
		"another name of a form":     {weak.Secret, "PATCH", form.ID, `{"name":"mine"}`},
		"live data with a test key": {test.Secret, "POST", "",
			`{"name":"x","mode":"live","scopes":["leads:read"]}`},
		"a live form with a test key":          {test.Secret, "POST", "", `{"name":"x","mode":"live","kind":"publishable"}`},
		"keys without the scope to manage any": {strong.Secret, "GET", "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			b.send(t, c[0], c[1], "/api/v1/keys"+strings.TrimSuffix("/"+c[2], "/"), c[3]).wantError(t, what, 403, "FORBIDDEN")
		})
	}
	for _, c := range [][3]string{
		{"GET", weak.ID, ""}, {"PATCH", weak.ID, `{"name":"x"}`}, {"POST", weak.ID + "/rotate", ""},
		{"DELETE", id.Key.Format(b.key), ""},
	} {
		t.Run(c[0], func(t *testing.T) {
			b.send(t, test.Secret, c[0], "/api/v1/keys/"+c[1], c[2]).wantError(t, "a test key on a live one: "+c[0], 404,
				"NOT_FOUND")
		})
	}
	if got := b.mustMakeKey(t, weak.Secret, `{"name":"x","scopes":["leads:read"]}`); len(got.Scopes) != 1 {
		t.Errorf("what is within its scopes = %+v, want a key", got)
	}
	for range 2 {
		b.forward(time.Second) // the key that was to be revoked still works
		if got := b.works(t, b.secret); got != http.StatusOK {
			t.Errorf("the first key gets %d, want 200", got)
		}
	}
}

func TestKeysOfOthersAreUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.mustWorkspace(t, tenant.Settings{})
	theirs := []string{id.Key.Format(other.key), b.mustMakeKey(t, other.secret, `{"name":"t","mode":"test"}`).ID,
		id.Key.Format(id.New()), "key_x", "%00"}
	for _, name := range theirs {
		for _, c := range [][3]string{{"GET", "", ""}, {"PATCH", "", `{"name":1}`}, {"POST", "/rotate", ""}, {"DELETE", "",
			""}} {
			t.Run(c[0]+" "+name, func(t *testing.T) {
				b.send(t, b.secret, c[0], "/api/v1/keys/"+name+c[1], c[2]).wantError(t, c[0]+" "+name, 404, "NOT_FOUND")
			})
		}
	}
	if list := b.send(t, b.secret, "GET", "/api/v1/keys", ""); strings.Contains(list.text, theirs[0]) ||
		strings.Contains(list.text, theirs[1]) {
		t.Errorf("GET keys = %s, want none of another workspace's", list.text)
	}
	bot := id.Chatbot.Format(other.chatbot)
	b.send(t, b.secret, "POST", "/api/v1/keys", `{"name":"f","kind":"publishable","form":{"chatbotId":"`+bot+
		`"}}`).wantError(t, "another's chatbot", 400, "VALIDATION_ERROR")
	mine := b.mustMakeKey(t, b.secret, `{"name":"f","kind":"publishable"}`)
	b.send(t, b.secret, "PATCH", "/api/v1/keys/"+mine.ID, `{"form":{"chatbotId":"`+bot+`"}}`).wantError(t,
		"another's chatbot later", 400, "VALIDATION_ERROR")
}

func TestPublishableKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bot := id.Chatbot.Format(b.chatbot)
	made := b.mustMakeKey(t, b.secret, `{"name":"f","kind":"publishable","form":{"chatbotId":"`+bot+
		`","origins":["https://www.example.com"],"captcha":"turnstile","captchaSecret":"not-to-be-shown"}}`)
	if !strings.HasPrefix(made.Key, "pk-workspace_") || made.Secret != "" || len(made.Scopes) != 0 || made.Form == nil ||
		made.Form.ChatbotID != bot || !made.Form.HasCaptchaSecret || made.Form.Source != "form" {
		t.Errorf("POST keys = %+v, want a publishable key with its form", made)
	}
	b.send(t, made.Key, "GET", "/api/v1/workspace", "").wantError(t, "a publishable key for anything else", 403,
		"FORBIDDEN")
	path := "/api/v1/keys/" + made.ID
	patched := b.send(t, b.secret, "PATCH", path,
		`{"form":{"redirectUrl":"https://www.example.com/thanks","origins":null}}`)
	var now madeKey
	if patched.data(t, &now); now.Form == nil || now.Form.RedirectURL != "https://www.example.com/thanks" ||
		len(now.Form.Origins) != 0 || now.Form.ChatbotID != bot || !now.Form.HasCaptchaSecret || now.Key != made.Key {
		t.Errorf("PATCH form = %s, want the given members changed and the others as they were", patched.text)
	}
	for _, got := range []answer{patched, b.send(t, b.secret, "GET", path, ""), b.send(t, b.secret, "GET", "/api/v1/keys",
		""), b.send(t, b.secret, "GET", "/api/v1/audit", "")} {
		if strings.Contains(got.text, "not-to-be-shown") {
			t.Errorf("a captcha's secret is told: %s", got.text)
		}
	}
	var reset madeKey
	if b.send(t, b.secret, "PATCH", path, `{"form":null}`).data(t, &reset); reset.Form == nil ||
		reset.Form.HasCaptchaSecret || reset.Form.ChatbotID != "" {
		t.Errorf("PATCH form null = %+v, want the defaults", reset.Form)
	}
	var next madeKey
	if b.send(t, b.secret, "POST", path+"/rotate", "").data(t, &next); !strings.HasPrefix(next.Key, "pk-workspace_") ||
		next.Key == made.Key || next.Secret != "" || next.Form == nil {
		t.Errorf("rotate = %+v, want another publishable key", next)
	}
	for body, field := range map[string]string{
		`{"name":"x","form":{}}`: "form", `{"name":"x","kind":"publishable","scopes":["leads:read"]}`: "scopes",
		`{"name":"x","kind":"x"}`: "kind", `{"name":"x","mode":"x"}`: "mode",
		`{"kind":"secret"}`: "name", `{"name":""}`: "name", `{"name":null}`: "name", `{"name":"x","scopes":[]}`: "scopes",
		`{"name":"x","scopes":["root"]}`: "scopes", `{"name":"x","expiresAt":"2001-01-01T00:00:00Z"}`: "expiresAt",
		`{"name":"x","kind":"publishable","form":{"origins":["http://EXAMPLE.com"]}}`: "form.origins",
		`{"name":"x","secret":"x"}`: "secret",
	} {
		t.Run(body, func(t *testing.T) {
			got := b.send(t, b.secret, "POST", "/api/v1/keys", body)
			if got.wantError(t, body, 400, "VALIDATION_ERROR"); got.body.Details.Field != field {
				t.Errorf("%s: field %q, want %q", body, got.body.Details.Field, field)
			}
		})
	}
	b.send(t, b.secret, "PATCH", "/api/v1/keys/"+id.Key.Format(b.key), `{"form":{}}`).wantError(t,
		"a form of a secret key", 400, "VALIDATION_ERROR")
}

// Test data is apart from live data: another workspace, made once by however many ask, with the same email in both.
func TestSandbox(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all sync.WaitGroup
	keys := make([]madeKey, 8)
	for i := range keys {
		all.Go(func() {
			keys[i] = b.mustMakeKey(t, b.secret,
				`{"name":"t","mode":"test","scopes":["leads:read","leads:write","keys:manage","workspace:manage"]}`)
		})
	}
	all.Wait()
	test := keys[0]
	for _, k := range keys {
		if !strings.HasPrefix(k.Secret, "sk-test_") || k.Mode != "test" || k.WorkspaceID != test.WorkspaceID ||
			k.WorkspaceID == id.Workspace.Format(b.workspace) {
			t.Errorf("a test key = %+v, want it in the one sandbox %s", k, test.WorkspaceID)
		}
	}
	b.mustCreate(t, b.owner, "a@example.com")
	inTest := mustID(t, b.send(t, test.Secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`))
	b.send(t, test.Secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`).wantError(t, "again in test", 409,
		"DUPLICATE_EMAIL")
	b.send(t, b.secret, "GET", "/api/v1/leads/"+inTest, "").wantError(t, "a test lead with a live key", 404, "NOT_FOUND")
	b.send(t, test.Secret, "POST", "/api/v1/chatbots/"+id.Chatbot.Format(b.chatbot)+"/leads",
		`{"email":"b@example.com"}`).wantError(t, "a live chatbot with a test key", 404, "CHATBOT_NOT_FOUND")
	b.send(t, b.secret, "POST", "/api/v1/keys", `{"name":"f","kind":"publishable","mode":"test","form":{"chatbotId":"`+
		id.Chatbot.Format(b.chatbot)+`"}}`).wantError(t, "a live chatbot in a test form", 400, "VALIDATION_ERROR")
	if got := b.send(t, test.Secret, "PATCH", "/api/v1/workspace",
		`{"name":"Sandbox","statuses":["a"]}`); !strings.Contains(got.text, `"mode":"test"`) || got.status != 200 {
		t.Errorf("the sandbox = %d %s, want it changed", got.status, got.text)
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/workspace", ""); !strings.Contains(got.text, `"mode":"live"`) ||
		strings.Contains(got.text, "Sandbox") {
		t.Errorf("the live workspace = %s, want it as it was", got.text)
	}
	if got := b.send(t, test.Secret, "GET", "/api/v1/keys", ""); strings.Contains(got.text, `"mode":"live"`) ||
		strings.Count(got.text, `"mode":"test"`) != len(keys) {
		t.Errorf("keys for a test key = %s, want the sandbox's", got.text)
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/keys", ""); strings.Count(got.text, `"mode":"test"`) != len(keys) ||
		strings.Count(got.text, `"mode":"live"`) != 1 {
		t.Errorf("keys for a live key = %s, want both", got.text)
	}
	if made := b.mustMakeKey(t, test.Secret, `{"name":"of its own mode","scopes":["leads:read"]}`); made.Mode != "test" ||
		made.WorkspaceID != test.WorkspaceID {
		t.Errorf("a key made by a test key = %+v, want a test key", made)
	}
	if got := b.send(t, b.secret, "DELETE", "/api/v1/keys/"+test.ID, ""); got.status != http.StatusNoContent {
		t.Errorf("a live key revokes a test key: %d %s, want 204", got.status, got.text)
	}
	b.forward(time.Second)
	if got := b.works(t, test.Secret); got != http.StatusUnauthorized {
		t.Errorf("the revoked test key gets %d, want 401", got)
	}
}
