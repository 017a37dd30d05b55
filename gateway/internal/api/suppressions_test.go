package api_test

import (
	"strings"
	"testing"

	"leadgate/shared/tenant"
)

const suppressedMessage = "This email is suppressed; a lead can have it again once its suppression is deleted"

// An email that was suppressed, and never erased, is refused in the same words wherever a lead would take it.
func TestASuppressedEmailIsRefusedInTheSameWords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.mustWorkspace(t, tenant.Settings{})
	deleted, other := b.mustCreate(t, c, "gone@example.com"), b.mustCreate(t, c, "b@example.com")
	if got := b.send(t, c.secret, "DELETE", "/api/v1/leads/"+deleted, ""); got.status != 204 {
		t.Fatalf("DELETE = %d %s, want 204", got.status, got.text)
	}
	if got := b.send(t, c.secret, "POST", "/api/v1/suppressions", `{"email":"Gone@example.com"}`); got.status != 201 {
		t.Fatalf("POST the suppression = %d %s, want 201", got.status, got.text)
	}
	_, fresh := b.mustKey(t, c.workspace, tenant.Scopes()) // no gateway has the settings from before cached for it
	for name, test := range map[string]struct {
		method, path, body string
		status             int
	}{
		"create":  {"POST", "/api/v1/leads", `{"email":"gone@example.com"}`, 409},
		"batch":   {"POST", "/api/v1/leads/batch", `{"leads":[{"email":"gone@example.com"}]}`, 207},
		"update":  {"PATCH", "/api/v1/leads/" + other, `{"email":"GONE@example.com"}`, 409},
		"restore": {"POST", "/api/v1/leads/" + deleted + "/restore", "", 409},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.send(t, fresh, test.method, test.path, test.body)
			said := strings.Contains(got.text, `"error":"`+suppressedMessage+`"`)
			if got.status != test.status || !said || !strings.Contains(got.text, "EMAIL_SUPPRESSED") {
				t.Errorf("answer = %d %s, want %d and %q", got.status, got.text, test.status, suppressedMessage)
			}
		})
	}
}

// The first suppression of a workspace holds at once, also where its key was used a moment ago.
func TestTheFirstSuppressionHoldsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCreate(t, b.owner, "other@example.com")
	if got := b.send(t, b.secret, "POST", "/api/v1/suppressions", `{"email":"gone@example.com"}`); got.status != 201 {
		t.Fatalf("suppress = %d %s, want 201", got.status, got.text)
	}
	b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"Gone@example.com"}`).wantError(t, "create", 409,
		"EMAIL_SUPPRESSED")
	const batch = `{"leads":[{"email":"gone@example.com"},{"email":"new@example.com"},{"email":"GONE@example.com"}]}`
	got := b.send(t, b.secret, "POST", "/api/v1/leads/batch", batch)
	if n := strings.Count(got.text, "EMAIL_SUPPRESSED"); got.status != 207 || n != 2 || !strings.Contains(got.text, `"created":1`) {
		t.Errorf("batch = %d %s, want one created and two suppressed", got.status, got.text)
	}
}
