package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// failing makes an endpoint with one delivery that fails, and returns its path and id.
func (b *bundle) failing(name, url, lastError string) (path, endpoint string) {
	b.t.Helper()
	ws := b.named(name)
	e := pgtest.Endpoint(b.t, b.db, ws, func(e *webhook.Endpoint) { e.URL = url })
	pgtest.Lead(b.t, b.db, ws)
	const q = `
update endpoints set failures = 7, failing_since = $3, probe_at = $4, last_error = $5 where workspace_id = $1 and id = $2`
	if _, err := b.db.ExecContext(b.t.Context(), q, ws, e.ID, time.Now().Add(-time.Hour), time.Now().Add(time.Minute),
		lastError); err != nil {
		b.t.Fatal(err)
	}
	endpoint = id.Endpoint.Format(e.ID)
	return "workspaces/" + id.Workspace.Format(ws) + "/endpoints/" + endpoint, endpoint
}

// named makes a workspace of a name.
func (b *bundle) named(name string) id.UUID {
	b.t.Helper()
	var made struct{ ID string }
	b.call("POST", "/admin/api/v1/workspaces", `{"name":"`+name+`"}`, http.StatusCreated, &made)
	ws, err := id.Workspace.Parse(made.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return ws
}

func (b *bundle) post(path, form string) answer {
	b.t.Helper()
	return b.do(b.request("POST", path, form, "Authorization", "Bearer "+token, "Accept", "text/html", "Content-Type",
		"application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"))
}

func TestWhatFailsIsListedAndProbed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	if a := b.look("/admin/failing"); !strings.Contains(a.body, "No webhook fails") {
		t.Errorf("GET failing = %s, want a page that says that none does", a.body)
	}
	path, endpoint := b.failing("Acme <b>", "https://hooks.example.com/secret-part", "status: 503")
	var all []struct {
		WorkspaceName, EndpointID, Host, State, LastError string
		Waiting                                           int
		NextAttemptAt                                     *string
	}
	a := b.call("GET", "/admin/api/v1/failing", "", http.StatusOK, &all)
	if len(all) != 1 || all[0].WorkspaceName != "Acme <b>" || all[0].EndpointID != endpoint || all[0].Waiting != 1 ||
		all[0].Host != "hooks.example.com" || all[0].State != "open" || all[0].NextAttemptAt == nil ||
		strings.Contains(a.body, "secret-part") {
		t.Errorf("GET failing = %s, want the endpoint with its workspace's name, without the path of its URL", a.body)
	}
	for _, page := range []string{"/admin/failing", "/admin/"} {
		a := b.look(page)
		for _, want := range []string{"Acme &lt;b&gt;", "hooks.example.com", "the server answered 503", "Probe now",
			`<time datetime="` + (*all[0].NextAttemptAt)[:19]} {
			if !strings.Contains(a.body, want) {
				t.Errorf("GET %s = %s, want %q", page, a.body, want)
			}
		}
	}
	if a := b.post("/admin/"+path+"/probe", ""); a.status != http.StatusSeeOther ||
		!strings.Contains(b.look(a.header.Get("Location")).body, "One delivery is tried now") {
		t.Errorf("POST probe = %d to %s, want the page that says so", a.status, a.header.Get("Location"))
	}
	if a := b.dashboard("GET", "/api/queues/failing/pending_tasks"); !strings.Contains(a.body, endpoint) {
		t.Errorf("queue failing after a probe was asked for = %s, want the task of %s", a.body, endpoint)
	}
	b.call("POST", "/admin/api/v1/"+path+"/probe", "", http.StatusAccepted, nil)
}

func TestProbeSaysWhyNot(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	path, endpoint := b.failing("Acme", "https://hooks.example.com/in", "timeout")
	other := b.workspace()
	b.call("POST", other+"/endpoints/"+endpoint+"/probe", "", http.StatusNotFound, nil)
	b.call("POST", other+"/endpoints/we_x/probe", "", http.StatusNotFound, nil)
	for _, c := range []struct{ set, want string }{
		{`update deliveries set state = 'held', next_at = null where workspace_id is not null`, "Nothing waits"},
		{`update endpoints set enabled = false where workspace_id is not null`, "is disabled"},
	} {
		if _, err := b.db.ExecContext(t.Context(), c.set); err != nil {
			t.Fatal(err)
		}
		if a := b.post("/admin/"+path+"/probe", ""); a.status != http.StatusConflict || !strings.Contains(a.body, c.want) {
			t.Errorf("POST probe = %d %s, want 409 with %q", a.status, a.body, c.want)
		}
	}
}

// What a stopped webhook has not got is held, which is not nothing.
func TestStoppedWebhookHoldsWhatComes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.failing("Acme", "https://hooks.example.com/x", "status: 410")
	const q = `
update endpoints set enabled = false, disabled_reason = 'gone', disabled_at = now() where workspace_id is not null`
	if _, err := b.db.ExecContext(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if a := b.look("/admin/failing"); !strings.Contains(a.body, "Stopped") || !strings.Contains(a.body, `<td class="n">held</td>`) {
		t.Errorf("GET failing = %s, want that it is stopped, and that what comes is held", a.body)
	}
}
