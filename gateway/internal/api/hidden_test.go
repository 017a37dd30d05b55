package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Who may not read leads does not read them in events and deliveries either, nor in what receivers answered about them.
func TestManagingWebhooksIsNotReadingLeads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const hidden = "hidden@example.com"
	hook := b.webhook(t, "POST", "", `{"url":"https://hooks.example.com/"}`, 201)
	lead := b.mustCreate(t, b.owner, hidden)
	b.mustAttempt(t, hook.ID, webhook.Attempt{Number: 1, Status: 200, ResponseHead: `{"email":"` + hidden + `"}`},
		webhook.Delivered)
	sent, _ := b.deliveries(t, "/api/v1/deliveries")
	_, blind := b.mustKey(t, b.workspace, []tenant.Scope{tenant.WebhooksManage})

	path := "/api/v1/deliveries/" + sent[0].ID
	var shown struct {
		LeadID   string
		EventID  string
		Attempts []struct{ ResponseHead *string }
		Event    struct {
			Type string
			Data *struct{ Email string }
		}
	}
	all := b.send(t, b.secret, "GET", path, "")
	if all.data(t, &shown); shown.Event.Data == nil || shown.Event.Data.Email != hidden || *shown.Attempts[0].ResponseHead == "" {
		t.Fatalf("GET with leads:read = %s, want the lead and the answer of the receiver", all.text)
	}
	event := "/api/v1/events/" + shown.EventID
	got := b.send(t, blind, "GET", path, "")
	if got.data(t, &shown); shown.Event.Data != nil || shown.Attempts[0].ResponseHead != nil || shown.LeadID != lead ||
		shown.Event.Type != webhook.LeadCreated {
		t.Errorf("GET without leads:read = %s, want null for data and responseHead, and the rest", got.text)
	}
	if got := b.send(t, blind, "GET", event, ""); got.status != 200 || !strings.Contains(got.text, `"data":null`) {
		t.Errorf("GET of the event without leads:read = %s, want null for its data", got.text)
	}
	for _, list := range []string{path, event, "/api/v1/events", "/api/v1/deliveries", "/api/v1/webhooks/" + hook.ID +
		"/deliveries"} {
		if got := b.send(t, blind, "GET", list, ""); got.status != 200 || strings.Contains(got.text, hidden) {
			t.Errorf("GET %s without leads:read = %d %s, want nothing of the lead", list, got.status, got.text)
		}
	}
	if got := b.send(t, blind, "POST", path+"/resend", ""); got.status != 202 || strings.Contains(got.text, hidden) {
		t.Errorf("resend without leads:read = %d %s, want it done", got.status, got.text)
	}
}

// Nor does such a key have them sent somewhere.
func TestEndpointsOfLeadsNeedLeadsRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, blind := b.mustKey(t, b.workspace, []tenant.Scope{tenant.WebhooksManage})
	hook := b.webhook(t, "POST", "", `{"url":"https://hooks.example.com/"}`, 201)
	before := b.webhook(t, "GET", "/"+hook.ID, "", 200)
	wantForbidden := func(what string, got answer) {
		t.Helper()
		got.wantError(t, what, http.StatusForbidden, "FORBIDDEN")
		if !strings.Contains(got.body.Error, "leads:read") || !strings.Contains(got.body.Error, "eventTypes") {
			t.Errorf("%s = %s, want the scope and the field named", what, got.text)
		}
	}
	for _, body := range []string{`{"url":"https://mine.example.com/"}`,
		`{"url":"https://mine.example.com/","eventTypes":["lead.deleted"]}`,
		`{"url":"https://mine.example.com/","eventTypes":["endpoint.*","lead.*"],"payload":"thin"}`} {
		wantForbidden("POST "+body, b.send(t, blind, "POST", "/api/v1/webhooks", body))
	}
	made := b.send(t, blind, "POST", "/api/v1/webhooks", `{"url":"https://mine.example.com/","eventTypes":["endpoint.*"]}`)
	own := "/api/v1/webhooks/" + mustID(t, made)
	wantForbidden("PATCH to events of leads", b.send(t, blind, "PATCH", own, `{"eventTypes":["lead.*"]}`))
	wantForbidden("PATCH to the default", b.send(t, blind, "PATCH", own, `{"eventTypes":null}`))
	b.send(t, blind, "PATCH", own, `{"url":"https://other.example.com/"}`).wantOK(t, "PATCH of an endpoint of no leads")
	for _, body := range []string{`{"url":"https://mine.example.com/"}`, `{"payload":"full"}`, `{"eventTypes":["endpoint.*"]}`,
		`{"headers":{"X":"y"}}`} {
		wantForbidden("PATCH "+body, b.send(t, blind, "PATCH", "/api/v1/webhooks/"+hook.ID, body))
	}
	if after := b.webhook(t, "GET", "/"+hook.ID, "", 200); !cmp.Equal(before, after) {
		t.Errorf("after all refusals the endpoint is %+v, want %+v", after, before)
	}
	b.send(t, blind, "PATCH", "/api/v1/webhooks/"+hook.ID, `{"url":"nowhere"}`).wantError(t, "a mistake", 400,
		"VALIDATION_ERROR")
	for _, call := range [][2]string{{"POST", "/rotate-secret"}, {"DELETE", ""}} {
		if got := b.send(t, blind, call[0], "/api/v1/webhooks/"+hook.ID+call[1], ""); got.status/100 != 2 {
			t.Errorf("%s %s without leads:read = %d %s, want it done", call[0], call[1], got.status, got.text)
		}
	}
}

func TestHeaderValuesAreWriteOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const hidden = "Bearer hunter2"
	made := b.send(t, b.secret, "POST", "/api/v1/webhooks",
		`{"url":"https://hooks.example.com/","headers":{"Authorization":"`+hidden+`","X-Team":"sales"}}`)
	path := "/api/v1/webhooks/" + mustID(t, made)
	stored := func() map[string]string {
		t.Helper()
		e, err := b.db.GetEndpoint(t.Context(), b.workspace, mustEndpointID(t, path[len("/api/v1/webhooks"):]))
		if err != nil {
			t.Fatal(err)
		}
		return e.Headers
	}
	for what, got := range map[string]answer{"POST": made, "GET": b.send(t, b.secret, "GET", path, ""),
		"list":   b.send(t, b.secret, "GET", "/api/v1/webhooks", ""),
		"PATCH":  b.send(t, b.secret, "PATCH", path, `{"description":"CRM"}`),
		"rotate": b.send(t, b.secret, "POST", path+"/rotate-secret", "")} {
		if strings.Contains(got.text, "hunter2") || strings.Contains(got.text, "sales") ||
			!strings.Contains(got.text, `"headers":{"Authorization":"***","X-Team":"***"}`) {
			t.Errorf("%s = %s, want the names of the headers with ***", what, got.text)
		}
	}
	// What was read can be sent back: the values stay, under a name in other spelling too.
	got := b.send(t, b.secret, "PATCH", path, `{"headers":{"authorization":"***","X-Team":"support","X-New":"1"}}`)
	got.wantOK(t, "PATCH with the mask")
	want := map[string]string{"authorization": hidden, "X-Team": "support", "X-New": "1"}
	if diff := cmp.Diff(want, stored()); diff != "" {
		t.Errorf("headers after a PATCH with the mask (-want +got):\n%s", diff)
	}
	b.wantRefused(t, "PATCH", path[len("/api/v1/webhooks"):], `{"headers":{"X-Other":"***","X-New":null}}`,
		[]string{"/headers/X-Other"})
	b.wantRefused(t, "POST", "", `{"url":"https://hooks.example.com/","headers":{"X-Token":"***"}}`,
		[]string{"/headers/X-Token"})
	if diff := cmp.Diff(want, stored()); diff != "" {
		t.Errorf("headers after refusals (-want +got):\n%s", diff)
	}
}

// A key that manages keys ends or changes none that may do more than itself.
func TestKeysAreManagedByTheirPeers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	manager := []tenant.Scope{tenant.KeysManage, tenant.LeadsWrite}
	own, weak := b.mustKey(t, b.workspace, manager)
	strong, _ := b.mustKey(t, b.workspace, []tenant.Scope{tenant.LeadsWrite, tenant.WorkspaceManage})
	peer, _ := b.mustKey(t, b.workspace, []tenant.Scope{tenant.LeadsWrite})
	form := b.mustMakeKey(t, b.secret, `{"name":"form","kind":"publishable"}`).ID
	_, noForms := b.mustKey(t, b.workspace, []tenant.Scope{tenant.KeysManage})
	path := func(k id.UUID) string { return "/api/v1/keys/" + id.Key.Format(k) }
	for what, got := range map[string]answer{
		"revoke":            b.send(t, weak, "DELETE", path(strong), ""),
		"rename":            b.send(t, weak, "PATCH", path(strong), `{"name":"x"}`),
		"rotate":            b.send(t, weak, "POST", path(strong)+"/rotate", ""),
		"revoke the owner":  b.send(t, weak, "DELETE", path(b.key), ""),
		"revoke of a form":  b.send(t, noForms, "DELETE", "/api/v1/keys/"+form, ""),
		"rename of a form":  b.send(t, noForms, "PATCH", "/api/v1/keys/"+form, `{"name":"x"}`),
		"change of a form":  b.send(t, noForms, "PATCH", "/api/v1/keys/"+form, `{"form":{"source":"x"}}`),
		"revoke of a peer+": b.send(t, noForms, "DELETE", path(peer), ""),
	} {
		got.wantError(t, what, http.StatusForbidden, "FORBIDDEN")
		if !strings.Contains(got.body.Error, "workspace:manage") && !strings.Contains(got.body.Error, "leads:") {
			t.Errorf("%s = %s, want the scopes that it lacks", what, got.text)
		}
	}
	var shown struct {
		Name      string
		RevokedAt *string
	}
	if b.send(t, b.secret, "GET", path(strong), "").data(t, &shown); shown.RevokedAt != nil || shown.Name == "x" {
		t.Errorf("after all refusals the key is %+v, want it as it was", shown)
	}
	b.send(t, weak, "PATCH", path(peer), `{"name":"x"}`).wantOK(t, "rename a peer")
	for what, k := range map[string]string{"a peer": path(peer), "a form": "/api/v1/keys/" + form, "itself": path(own)} {
		if got := b.send(t, weak, "DELETE", k, ""); got.status != http.StatusNoContent {
			t.Errorf("revoke %s = %d %s, want 204", what, got.status, got.text)
		}
		b.forward(time.Millisecond)
	}
}
