package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/tenant"
)

// A key that may only write does not read by writing: of leads that were there it learns no more than that it met or
// changed them.
func TestWritingIsNotReading(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"a@example.com","name":"Ada","metadata":{"secret":1}}`)
	lead, path := mustID(t, made), "/api/v1/leads/"+mustID(t, made)
	_, blind := b.mustKey(t, b.workspace, []tenant.Scope{tenant.LeadsWrite})
	for what, c := range map[string][3]string{
		"onDuplicate=return": {"POST", "/api/v1/leads?onDuplicate=return", `{"email":"a@example.com"}`},
		"onDuplicate=update": {"POST", "/api/v1/leads?onDuplicate=update", `{"email":"a@example.com","status":"qualified"}`},
		"PATCH":              {"PATCH", path, `{"phone":"+1-555-0100"}`},
		"PATCH of nothing":   {"PATCH", path, `{}`},
	} {
		t.Run(what, func(t *testing.T) {
			got := b.send(t, blind, c[0], c[1], c[2])
			b.wantBlind(t, what, got, lead)
		})
	}
	if got := b.send(t, b.secret, "DELETE", path, ""); got.status != http.StatusNoContent {
		t.Fatalf("DELETE = %d %s", got.status, got.text)
	}
	b.wantBlind(t, "restore", b.send(t, blind, "POST", path+"/restore", ""), lead)
	if l := b.send(t, b.secret, "POST", "/api/v1/leads?onDuplicate=return",
		`{"email":"a@example.com"}`).lead(t); l.Name != "Ada" || l.Status != "qualified" || l.Phone == "" {
		t.Errorf("a key that may read gets %+v, want the lead with the changes", l)
	}
	if l := b.send(t, blind, "POST", "/api/v1/leads", `{"email":"b@example.com","name":"Bob"}`).lead(t); l.Name != "Bob" {
		t.Errorf("creating answers %+v, want what was sent", l)
	}
	// The answer that was kept for who may read is not for who may not.
	b.ask(t, b.secret, "POST", "/api/v1/leads?onDuplicate=return", `{"email":"a@example.com"}`, "Idempotency-Key: k")
	b.ask(t, blind, "POST", "/api/v1/leads?onDuplicate=return", `{"email":"a@example.com"}`,
		"Idempotency-Key: k").wantError(t, "repeating a reader's request", 422, "IDEMPOTENCY_MISMATCH")
}

func (b *bundle) wantBlind(t *testing.T, what string, got answer, lead string) {
	t.Helper()
	var shown map[string]string
	got.data(t, &shown)
	if got.status != 200 || len(shown) != 2 || shown["id"] != lead || shown["updatedAt"] == "" ||
		got.header.Get("ETag") == "" {
		t.Errorf("%s = %d %s, want id and updatedAt only", what, got.status, got.text)
	}
}

// Everybody can read a publishable key in a page, so misusing it must cost its workspace nothing.
func TestAPublishableKeyAsBearer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 2})
	form := b.mustForm(t, c, tenant.Form{})[len("/f/"):]
	for range 60 {
		got := b.send(t, form, "GET", "/api/v1/leads", "")
		got.wantError(t, "a publishable key at the API", 403, "FORBIDDEN")
		if got.header.Get("X-RateLimit-Limit") != "" || got.header.Get("RateLimit") != "" {
			t.Fatalf("headers = %v, want nothing of the workspace's limit", got.header)
		}
	}
	got := b.send(t, form, "GET", "/api/v1/leads", "")
	for range 300 { // one a second is allowed again
		if got.status == 429 {
			break
		}
		got = b.send(t, form, "GET", "/api/v1/leads", "")
	}
	got.wantError(t, "one too many", 429, "RATE_LIMITED")
	if got.header.Get("Retry-After") == "" || got.header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("headers = %v, want Retry-After and nothing of the workspace's limit", got.header)
	}
	if got := b.send(t, c.secret, "GET", "/api/v1/leads", ""); got.status != 200 ||
		got.header.Get("X-RateLimit-Remaining") != "1" {
		t.Errorf("the workspace's own request = %d, %s left, want all of its limit but this one", got.status,
			got.header.Get("X-RateLimit-Remaining"))
	}
}

// A key that expires makes none that outlives it, neither as a new key nor as a successor.
func TestKeysDoNotOutliveTheirMaker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	end := b.now().Add(time.Hour).UTC().Truncate(time.Second)
	brief := b.mustMakeKey(t, b.secret,
		`{"name":"brief","scopes":["leads:read","leads:write","keys:manage"],"expiresAt":"`+end.Format(time.RFC3339)+`"}`)
	latest := end.Format("2006-01-02T15:04:05.000Z")
	got := b.send(t, brief.Secret, "POST", "/api/v1/keys", `{"name":"x","scopes":["leads:read"],"expiresAt":"`+
		end.Add(time.Second).Format(time.RFC3339)+`"}`)
	got.wantError(t, "a later end", 400, "VALIDATION_ERROR")
	if got.body.Details.Field != "expiresAt" || !cmp.Equal(got.body.Details.Message,
		"Must not be later than this API key's own expiry, "+latest) {
		t.Errorf("a later end = %s, want the latest one named", got.text)
	}
	for _, body := range []string{`{"name":"x","scopes":["leads:read"]}`, `{"name":"x","kind":"publishable"}`,
		`{"name":"x","mode":"test","scopes":["leads:read"]}`} {
		if k := b.mustMakeKey(t, brief.Secret, body); k.ExpiresAt == nil || *k.ExpiresAt != latest {
			t.Errorf("%s made by a key that ends %s ends %v", body, latest, k.ExpiresAt)
		}
	}
	earlier := end.Add(-time.Minute).Format("2006-01-02T15:04:05.000Z")
	if k := b.mustMakeKey(t, brief.Secret, `{"name":"x","scopes":["leads:read"],"expiresAt":"`+earlier+
		`"}`); k.ExpiresAt == nil || *k.ExpiresAt != earlier {
		t.Errorf("an earlier end became %v, want %s", k.ExpiresAt, earlier)
	}
	lasting := b.mustMakeKey(t, b.secret, `{"name":"lasting","scopes":["leads:read"]}`)
	b.forward(time.Minute)
	for what, key := range map[string]string{"itself": brief.ID, "a key without end": lasting.ID} {
		var next madeKey
		if b.send(t, brief.Secret, "POST", "/api/v1/keys/"+key+"/rotate", "").data(t, &next); next.ExpiresAt == nil ||
			*next.ExpiresAt != latest {
			t.Errorf("rotating %s gives a key until %v, want %s", what, next.ExpiresAt, latest)
		}
	}
}

// What was changed between is not brought back unseen.
func TestRestoreHonoursIfMatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/v1/leads/" + b.mustCreate(t, b.owner, "a@example.com")
	stale := b.send(t, b.secret, "GET", path, "").header.Get("ETag")
	b.mustSend(t, "PATCH", path, `{"name":"x"}`, 200)
	b.mustSend(t, "DELETE", path, "", 204)
	b.ask(t, b.secret, "POST", path+"/restore", "", "If-Match: "+stale).wantError(t, "a version that is gone", 412,
		"PRECONDITION_FAILED")
	b.ask(t, b.secret, "POST", path+"/restore", "", "If-Match: x").wantError(t, "a malformed If-Match", 400,
		"VALIDATION_ERROR")
	b.ask(t, b.secret, "POST", path+"/restore", "", "If-Match: *").wantOK(t, "If-Match: *")
}
