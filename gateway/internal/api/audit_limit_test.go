package api_test

import (
	"net/http"
	"testing"

	"leadgate/shared/id"
)

// Whoever has made all the changes of an hour can still end a key: it may be the one that made them.
func TestKeysCanAlwaysBeEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.mustMakeKey(t, b.secret, `{"name":"lost"}`)
	other := b.mustMakeKey(t, b.secret, `{"name":"old"}`)
	b.db.MustExecContext(t.Context(), `
insert into audit (workspace_id, id, key_id, action, target, details, created_at)
select $1, overlay(uuid_floor(now())::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, $2, 'key.updated', 'x', '{}', now() from generate_series(1, 1000) n`, b.workspace, b.key)
	limited := b.send(t, b.secret, "PATCH", "/api/v1/keys/"+made.ID, `{"name":"x"}`)
	limited.wantError(t, "a change beyond 1,000 an hour", 429, "RATE_LIMITED")
	if got := b.send(t, b.secret, "POST", "/api/v1/keys/"+other.ID+"/rotate", ""); got.status != http.StatusCreated {
		t.Errorf("rotating a key then = %d %s, want 201", got.status, got.text)
	}
	for _, key := range []string{made.ID, id.Key.Format(b.key)} {
		if got := b.send(t, b.secret, "DELETE", "/api/v1/keys/"+key, ""); got.status != http.StatusNoContent {
			t.Errorf("revoking a key then = %d %s, want 204", got.status, got.text)
		}
	}
}

// Whoever makes all the console sessions of an hour keeps nobody from changing settings, opening links that are made, or
// ending sessions.
func TestConsoleSessionsAreLimitedApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made, link := b.mustMakeLink(t, b.secret, `{}`)
	b.db.MustExecContext(t.Context(), `
insert into audit (workspace_id, id, key_id, action, target, details, created_at)
select $1, overlay(uuid_floor(now())::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, $2, 'console_session.created',
       'x', '{}', now()
  from generate_series(1, 1000) n`, b.workspace, b.key)
	b.send(t, b.secret, "POST", "/api/v1/console-sessions", `{}`).wantError(t, "a session beyond 1,000 an hour", 429,
		"RATE_LIMITED")
	if got := b.send(t, b.secret, "PATCH", "/api/v1/workspace", `{"name":"x"}`); got.status != http.StatusOK {
		t.Errorf("a change of settings then = %d %s, want 200", got.status, got.text)
	}
	b.mustSignIn(t, link)
	if got := b.send(t, b.secret, "DELETE", "/api/v1/console-sessions/"+made.ID, ""); got.status != http.StatusNoContent {
		t.Errorf("ending a session then = %d %s, want 204", got.status, got.text)
	}
}
