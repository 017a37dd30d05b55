package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

type shownWorkspace struct {
	ID, Name, Mode, Dedupe, UpdatedAt      string
	Rate, Burst, RateCeiling, BurstCeiling int
	Statuses, AllowedOrigins               []string
	RetrySchedule                          []int
	DefaultRegion                          *string
	DeliveryTargetMs                       *int
}

// patchWorkspace changes the workspace and returns what it answers.
func (b *bundle) patchWorkspace(t *testing.T, secret, body string) (w shownWorkspace) {
	t.Helper()
	got := b.send(t, secret, "PATCH", "/api/v1/workspace", body)
	if got.status != http.StatusOK {
		t.Fatalf("PATCH workspace %s = %d %s, want 200", body, got.status, got.text)
	}
	got.data(t, &w)
	return w
}

func TestWorkspaceSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, weak := b.mustKey(t, b.workspace, nil)
	var first shownWorkspace
	if b.send(t, weak, "GET", "/api/v1/workspace", "").data(t, &first); first.ID != id.Workspace.Format(b.workspace) ||
		first.Mode != "live" || first.Dedupe != "workspace" || first.Rate != tenant.DefaultRate ||
		len(first.RetrySchedule) != 12 || first.AllowedOrigins == nil {
		t.Errorf("GET workspace = %+v, want it with its defaults, for a key without scopes too", first)
	}
	changed := b.patchWorkspace(t, b.secret,
		`{"name":"Acme","rate":5,"burst":7,"statuses":["hot"," cold "],"dedupe":"chatbot","defaultRegion":"se","allowedOrigins":["https://www.example.com","http://localhost:3000"],"retrySchedule":[0,60],"deliveryTargetMs":5000}`)
	if changed.Name != "Acme" || changed.Rate != 5 || changed.Burst != 7 || changed.RateCeiling != tenant.DefaultRate ||
		!slices.Equal(changed.Statuses, []string{"hot", "cold"}) || changed.Dedupe != "chatbot" ||
		changed.DefaultRegion == nil || *changed.DefaultRegion != "SE" ||
		len(changed.AllowedOrigins) != 2 || !slices.Equal(changed.RetrySchedule, []int{0, 60}) ||
		changed.DeliveryTargetMs == nil || *changed.DeliveryTargetMs != 5000 {
		t.Errorf("PATCH workspace = %+v, want what was given", changed)
	}
	b.forward(time.Second)
	made := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`)
	if made.header.Get("X-RateLimit-Limit") != "7" || !strings.Contains(made.text, `"status":"hot"`) {
		t.Errorf("a lead a second later = %s with the limit %s, want the new settings", made.text,
			made.header.Get("X-RateLimit-Limit"))
	}
	if again := b.patchWorkspace(t, b.secret, `{"rate":5}`); again.UpdatedAt != changed.UpdatedAt {
		t.Errorf("PATCH that changes nothing moves updatedAt from %s to %s", changed.UpdatedAt, again.UpdatedAt)
	}
	reset := b.patchWorkspace(t, b.secret,
		`{"rate":null,"burst":null,"statuses":null,"dedupe":null,"defaultRegion":null,"allowedOrigins":null,"retrySchedule":null,"deliveryTargetMs":null}`)
	if reset.Rate != first.Rate || reset.Burst != first.Burst || !slices.Equal(reset.Statuses, first.Statuses) ||
		reset.DefaultRegion != nil || reset.Dedupe != "workspace" || len(reset.AllowedOrigins) != 0 || len(reset.RetrySchedule) != 12 ||
		reset.Name != "Acme" || reset.DeliveryTargetMs != nil {
		t.Errorf("PATCH with nulls = %+v, want the defaults", reset)
	}
}

// The operator's ceiling is above what a workspace wants for itself, also when it is lowered later.
func TestWorkspaceStaysBelowItsCeiling(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow := b.mustWorkspace(t, tenant.Settings{Rate: 50, Burst: 100})
	for body, field := range map[string]string{`{"rate":51}`: "rate", `{"burst":101}`: "burst", `{"rate":0}`: "rate",
		`{"rate":-1}`: "rate", `{"rateCeiling":1000}`: "rateCeiling", `{"suppressing":false}`: "suppressing",
		`{"deliveryTargetMs":99}`: "deliveryTargetMs", `{"deliveryTargetMs":86400001}`: "deliveryTargetMs"} {
		t.Run(body, func(t *testing.T) {
			got := b.send(t, slow.secret, "PATCH", "/api/v1/workspace", body)
			if got.wantError(t, body, 400, "VALIDATION_ERROR"); got.body.Details.Field != field {
				t.Errorf("%s: field %q, want %q", body, got.body.Details.Field, field)
			}
		})
	}
	if w := b.patchWorkspace(t, slow.secret, `{"rate":50,"burst":100}`); w.Rate != 50 || w.Burst != 100 {
		t.Errorf("PATCH to the ceiling = %+v, want that", w)
	}
	if _, err := b.db.UpdateWorkspace(t.Context(), slow.workspace, func(w *tenant.Workspace) error {
		w.Settings.Rate,
			w.Settings.Burst = 10, 20
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.forward(time.Second)
	got := b.send(t, slow.secret, "GET", "/api/v1/workspace", "")
	if !strings.Contains(got.text, `"rate":10,"burst":20,"rateCeiling":10,"burstCeiling":20`) ||
		got.header.Get("X-RateLimit-Limit") != "20" {
		t.Errorf("under a lower ceiling = %s with the limit %s, want 10/s and 20", got.text,
			got.header.Get("X-RateLimit-Limit"))
	}
}

func TestWorkspaceMistakes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, b.secret, "PATCH", "/api/v1/workspace",
		`{"name":"","rate":1000000000,"dedupe":"x","allowedOrigins":["https://www.example.com/","www.example.com","https://WWW.example.com"],"retrySchedule":[1],"statuses":["a","A "]}`)
	got.wantError(t, "many mistakes", 400, "VALIDATION_ERROR")
	var pointers []string
	for _, e := range got.body.Details.Errors {
		pointers = append(pointers, e.Pointer)
	}
	want := []string{"/name", "/rate", "/dedupe", "/allowedOrigins/0", "/allowedOrigins/1", "/allowedOrigins/2",
		"/retrySchedule/0", "/statuses/1"}
	if !slices.Equal(pointers, want) {
		t.Errorf("mistakes at %v, want all of %v", pointers, want)
	}
	for _, body := range []string{`{"name":null}`, `{"defaultRegion":"UK"}`, `{"defaultRegion":""}`, `{"defaultRegion":"SWE"}`,
		`{"defaultRegion":46}`, `{"statuses":[]}`, `{"retrySchedule":[]}`,
		`{"allowedOrigins":["https://user@example.com"]}`, `{"allowedOrigins":["javascript:alert(1)"]}`, `[]`,
		`{"allowedOrigins":[` + strings.Repeat(`"https://a.example.com",`, 50) + `"*"]}`} {
		t.Run(body[:min(len(body), 60)], func(t *testing.T) {
			b.send(t, b.secret, "PATCH", "/api/v1/workspace", body).wantError(t, body[:min(len(body), 60)], 400,
				"VALIDATION_ERROR")
		})
	}
}

// Another dedupe is about the leads made from then on.
func TestDedupeIsAboutNewLeads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	post := func(path string) int {
		t.Helper()
		return b.send(t, b.secret, "POST", path, `{"email":"a@example.com"}`).status
	}
	chatbot := "/api/v1/chatbots/" + id.Chatbot.Format(b.chatbot) + "/leads"
	if first, second := post("/api/v1/leads"), post(chatbot); first != 201 || second != 409 {
		t.Errorf("among all leads: %d and %d, want 201 and 409", first, second)
	}
	b.patchWorkspace(t, b.secret, `{"dedupe":"chatbot"}`)
	b.forward(time.Second)
	if first, second := post(chatbot), post(chatbot); first != 201 || second != 409 {
		t.Errorf("among a chatbot's leads: %d and %d, want 201 and 409", first, second)
	}
	b.patchWorkspace(t, b.secret, `{"dedupe":"none"}`)
	b.forward(time.Second)
	if first, second := post(chatbot), post(chatbot); first != 201 || second != 201 {
		t.Errorf("without dedupe: %d and %d, want 201 and 201", first, second)
	}
}

func TestChatbots(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := mustID(t, b.send(t, b.secret, "POST", "/api/v1/chatbots", `{"name":" Shop "}`))
	path := "/api/v1/chatbots/" + made
	if got := b.send(t, b.secret, "GET", path, ""); got.status != 200 || !strings.Contains(got.text, `"name":"Shop"`) {
		t.Errorf("GET chatbot = %d %s, want it", got.status, got.text)
	}
	list := b.send(t, b.secret, "GET", "/api/v1/chatbots?limit=1", "")
	if !strings.Contains(list.text, id.Chatbot.Format(b.chatbot)) || list.body.NextCursor == nil {
		t.Fatalf("GET chatbots = %s, want the oldest and another page", list.text)
	}
	if next := b.send(t, b.secret, "GET", "/api/v1/chatbots?limit=1&cursor="+*list.body.NextCursor,
		""); !strings.Contains(next.text, made) || next.body.NextCursor != nil {
		t.Errorf("the next page = %s, want the new one and no further page", next.text)
	}
	if got := b.send(t, b.secret, "PATCH", path, `{"name":"Store"}`); got.status != 200 || !strings.Contains(got.text,
		`"name":"Store"`) {
		t.Errorf("PATCH chatbot = %d %s, want it renamed", got.status, got.text)
	}
	for _, body := range []string{`{}`, `{"name":null}`, `{"name":"\u0007"}`, `{"name":"` + strings.Repeat("x", 101) +
		`"}`, `{"name":"x","id":"cb_1"}`} {
		t.Run(body[:min(len(body), 40)], func(t *testing.T) {
			b.send(t, b.secret, "POST", "/api/v1/chatbots", body).wantError(t, body[:min(len(body), 40)], 400, "VALIDATION_ERROR")
		})
	}
	lead := mustID(t, b.send(t, b.secret, "POST", path+"/leads", `{"email":"a@example.com"}`))
	other := b.mustWorkspace(t, tenant.Settings{})
	for _, c := range [][2]string{{"GET", ""}, {"PATCH", `{"name":1}`}, {"DELETE", ""}} {
		b.send(t, other.secret, c[0], path, c[1]).wantError(t, "another workspace's: "+c[0], 404, "NOT_FOUND")
	}
	if got := b.send(t, b.secret, "DELETE", path, ""); got.status != http.StatusNoContent {
		t.Errorf("DELETE chatbot = %d %s, want 204", got.status, got.text)
	}
	b.forward(time.Second)
	b.send(t, b.secret, "POST", path+"/leads", `{"email":"b@example.com"}`).wantError(t, "a lead of a deleted chatbot",
		404, "CHATBOT_NOT_FOUND")
	b.send(t, b.secret, "DELETE", path, "").wantError(t, "DELETE again", 404, "NOT_FOUND")
	if got := b.send(t, b.secret, "GET", "/api/v1/leads/"+lead, ""); !strings.Contains(got.text, `"chatbotId":"`+made+
		`"`) {
		t.Errorf("its lead = %d %s, want it to keep its chatbotId", got.status, got.text)
	}
}

// Every change is in the audit once, with the key that made it and without anything secret; what changes nothing is
// not.
func TestAudit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.mustWorkspace(t, tenant.Settings{})
	b.patchWorkspace(t, b.secret, `{"rate":5,"name":"Test"}`)
	b.patchWorkspace(t, b.secret, `{"rate":5}`)
	bot := mustID(t, b.send(t, b.secret, "POST", "/api/v1/chatbots", `{"name":"Bot"}`))
	b.send(t, b.secret, "PATCH", "/api/v1/chatbots/"+bot, `{"name":"Bot 2"}`)
	b.send(t, b.secret, "PATCH", "/api/v1/chatbots/"+bot, `{}`)
	b.send(t, b.secret, "DELETE", "/api/v1/chatbots/"+bot, "")
	key := b.mustMakeKey(t, b.secret, `{"name":"Jane Doe","mode":"test"}`)
	b.send(t, b.secret, "PATCH", "/api/v1/keys/"+key.ID, `{"name":"Jane"}`)
	b.send(t, b.secret, "PATCH", "/api/v1/keys/"+key.ID, `{"name":"Jane"}`)
	var next madeKey
	b.send(t, b.secret, "POST", "/api/v1/keys/"+key.ID+"/rotate", "").data(t, &next)
	b.send(t, b.secret, "DELETE", "/api/v1/keys/"+key.ID, "")
	b.send(t, b.secret, "DELETE", "/api/v1/keys/"+key.ID, "")
	b.send(t, b.secret, "POST", "/api/v1/keys", `{"name":"x","scopes":["root"]}`)
	type row struct {
		ID, Action, Target string
		KeyID              *string
		Details            map[string]any
	}
	var all []row
	path := "/api/v1/audit?limit=3"
	for path != "" {
		var some []row
		got := b.send(t, b.secret, "GET", path, "")
		if got.data(t, &some); len(some) > 3 || strings.Contains(got.text, key.Secret) || strings.Contains(got.text,
			next.Secret) || strings.Contains(got.text, "Jane") {
			t.Errorf("GET audit = %s, want 3 at most, no secrets and no names of keys", got.text)
		}
		all, path = append(all, some...), ""
		if got.body.NextCursor != nil {
			path = "/api/v1/audit?limit=3&cursor=" + *got.body.NextCursor
		}
	}
	slices.Reverse(all)
	var got []string
	for _, r := range all {
		got = append(got, r.Action+" "+r.Target)
		if r.KeyID == nil || *r.KeyID != id.Key.Format(b.key) || !strings.HasPrefix(r.ID, "aud_") {
			t.Errorf("%s is said to be done by %v, want the key", r.Action, r.KeyID)
		}
	}
	want := []string{
		"workspace.updated " + id.Workspace.Format(b.workspace), "chatbot.created " + bot, "chatbot.updated " + bot,
		"chatbot.deleted " + bot,
		"workspace.created " + key.WorkspaceID, "key.created " + key.ID, "key.updated " + key.ID, "key.rotated " + key.ID,
		"key.revoked " + key.ID,
	}
	if !slices.Equal(got, want) {
		t.Fatalf("audit = %v, want %v", got, want)
	}
	if d := fmt.Sprint(all[0].Details); d != "map[rate:5]" {
		t.Errorf("details of the settings = %s, want the new rate alone", d)
	}
	if all[7].Details["next"] != next.ID {
		t.Errorf("details of the rotation = %v, want the successor %s", all[7].Details, next.ID)
	}
	if theirs := b.send(t, other.secret, "GET", "/api/v1/audit",
		""); theirs.text != `{"success":true,"data":[],"nextCursor":null}`+"\n" {
		t.Errorf("audit of another workspace = %s, want nothing", theirs.text)
	}
}

func TestChangesAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.db.ExecContext(t.Context(), `
insert into audit (workspace_id, id, key_id, action, target, details, created_at)
select $1, delivery_id(uuid_floor(now() - n * interval '1 s'), $2), $2, 'workspace.updated', '', '{}', now() - n * interval '1 s' from generate_series(1, 999) n`, b.workspace, b.key); err != nil {
		t.Fatal(err)
	}
	b.patchWorkspace(t, b.secret, `{"rate":5}`)
	got := b.send(t, b.secret, "PATCH", "/api/v1/workspace", `{"rate":6}`)
	if got.wantError(t, "the 1001st change of an hour", 429, "RATE_LIMITED"); got.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/workspace", ""); !strings.Contains(got.text, `"rate":5,`) {
		t.Errorf("the workspace = %s, want it unchanged", got.text)
	}
}
