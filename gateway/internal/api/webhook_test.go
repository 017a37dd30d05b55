package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

func TestCreateWebhookShowsTheSecretOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/in?a=1&b=2","eventTypes":["lead.enriched","lead.created"],"description":"CRM"}`)
	want := `^\{"success":true,"data":\{("id":"(we_[0-9a-z]{26})","url":"https://hooks\.example\.com/in\?a=1&b=2","description":"CRM","eventTypes":\["lead\.created","lead\.enriched"\],"enabled":true,"createdAt":"` +
		timestamp + `","updatedAt":"` + timestamp + `","workspaceId":"` + id.Workspace.Format(b.workspace) + `"),"secret":"(whsec_[A-Za-z0-9+/=]+)"\}\}\n$`
	m := regexp.MustCompile(want).FindStringSubmatch(got.text)
	if got.status != 201 || m == nil {
		t.Fatalf("POST = %d %s, want 201 %s", got.status, got.text, want)
	}
	if _, err := hook.SecretBytes(m[3]); err != nil {
		t.Errorf("secret %q: %v", m[3], err)
	}
	if l := got.header.Get("Location"); l != "/api/v1/webhooks/"+m[2] {
		t.Errorf("Location = %q, want /api/v1/webhooks/%s", l, m[2])
	}
	if read := b.send(t, b.secret, "GET", "/api/v1/webhooks/"+m[2], ""); read.text != `{"success":true,"data":{`+m[1]+"}}\n" {
		t.Errorf("GET = %s, want the same without the secret", read.text)
	}
	if list := b.send(t, b.secret, "GET", "/api/v1/webhooks", ""); list.text != `{"success":true,"data":[{`+m[1]+`}],"nextCursor":null}`+"\n" {
		t.Errorf("list = %s, want the same without the secret", list.text)
	}
}

func TestCreateWebhookDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{`{"url":"https://hooks.example.com/"}`, `{"url":"https://hooks.example.com/","eventTypes":null,"description":null}`, `{"url":"https://hooks.example.com/","eventTypes":["lead.*","lead.*"]}`} {
		got := b.send(t, b.secret, "POST", "/api/v1/webhooks", body)
		if want := `"description":"","eventTypes":["lead.*"],"enabled":true`; got.status != 201 || !strings.Contains(got.text, want) {
			t.Errorf("%s = %d %s, want 201 with %s", body, got.status, got.text, want)
		}
	}
}

func TestWebhookInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const ok = `"url":"https://hooks.example.com/"`
	for body, pointers := range map[string][]string{
		`{}`:                                  {"/url"},
		`[]`:                                  {""},
		`{"url":null}`:                        {"/url"},
		`{"url":5}`:                           {"/url"},
		`{"url":""}`:                          {"/url"},
		`{"url":"hi"}`:                        {"/url"},
		`{"url":"http://hooks.example.com/"}`: {"/url"},
		`{"url":"https://127.0.0.1/"}`:        {"/url"},
		`{"url":"https://u:p@hooks.example.com/"}`:                              {"/url"},
		`{"url":"https://hooks.example.com/\u0000"}`:                            {"/url"},
		`{"url":"https://hooks.example.com/` + strings.Repeat("a", 2048) + `"}`: {"/url"},
		`{` + ok + `,"eventTypes":[]}`:                                          {"/eventTypes"},
		`{` + ok + `,"eventTypes":"lead.*"}`:                                    {"/eventTypes"},
		`{` + ok + `,"eventTypes":["lead.gone"]}`:                               {"/eventTypes"},
		`{` + ok + `,"eventTypes":["*"]}`:                                       {"/eventTypes"},
		`{` + ok + `,"eventTypes":["lead.created",7]}`:                          {"/eventTypes/1"},
		`{` + ok + `,"description":"` + strings.Repeat("x", 501) + `"}`:         {"/description"},
		`{` + ok + `,"description":"a\u0000"}`:                                  {"/description"},
		`{` + ok + `,"secret":"whsec_mine"}`:                                    {"/secret"},
		`{"url":1,"eventTypes":2,"description":3}`:                              {"/url", "/eventTypes", "/description"},
	} {
		got := b.send(t, b.secret, "POST", "/api/v1/webhooks", body)
		what := body[:min(len(body), 60)]
		got.wantError(t, what, 400, "VALIDATION_ERROR")
		var at []string
		for _, e := range got.body.Details.Errors {
			at = append(at, e.Pointer)
		}
		if diff := cmp.Diff(pointers, at); diff != "" {
			t.Errorf("%s: pointers (-want +got):\n%s", what, diff)
		}
	}
	b.send(t, b.secret, "POST", "/api/v1/webhooks", strings.Repeat(" ", 64<<10+1)).wantError(t, "too large", 413, "PAYLOAD_TOO_LARGE")
}

// shownDelivery is a delivery as a client reads it.
type shownDelivery struct {
	LeadID                                    string
	ID, EndpointID, EventID, EventType, State string
	Attempts                                  []struct {
		Number       int
		Status       *int
		Error        *string
		ResponseHead string
		LatencyMs    int
		At           string
	}
	AttemptCount         int
	NextAttemptAt        *string
	LastStatus           *int
	LastError            *string
	CreatedAt, UpdatedAt string
}

func (b *bundle) deliveries(t *testing.T, path string) ([]shownDelivery, *string) {
	t.Helper()
	got := b.send(t, b.secret, "GET", path, "")
	var all []shownDelivery
	if err := json.Unmarshal(got.body.Data, &all); err != nil || got.status != 200 {
		t.Fatalf("%s = %d %s, want deliveries", path, got.status, got.text)
	}
	return all, got.body.NextCursor
}

func TestDeliveriesShowEveryAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	endpoint := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/","eventTypes":["lead.created"]}`))
	made := b.mustCreate(t, b.owner, "a@example.com")
	path := "/api/v1/webhooks/" + endpoint + "/deliveries"
	got, next := b.deliveries(t, path)
	if len(got) != 1 || next != nil || got[0].State != "pending" || got[0].NextAttemptAt == nil || got[0].LastStatus != nil || got[0].LastError != nil ||
		got[0].EndpointID != endpoint || got[0].LeadID != made || got[0].EventType != "lead.created" || got[0].Attempts == nil || len(got[0].Attempts) != 0 {
		t.Fatalf("deliveries = %+v, want one pending without attempts", got)
	}

	b.mustAttempt(t, endpoint, hook.Attempt{Number: 1, Error: "timeout: no answer within 15s", Latency: 15 * time.Second}, hook.Pending)
	b.mustAttempt(t, endpoint, hook.Attempt{Number: 2, Status: 200, ResponseHead: "thanks", Latency: 31 * time.Millisecond}, hook.Delivered)
	got, _ = b.deliveries(t, path)
	d := got[0]
	if d.State != "delivered" || d.NextAttemptAt != nil || d.AttemptCount != 2 || len(d.Attempts) != 2 || d.LastStatus == nil || *d.LastStatus != 200 || d.LastError != nil {
		t.Fatalf("delivery = %+v, want delivered at the second attempt", d)
	}
	if a := d.Attempts[0]; a.Number != 1 || a.Status != nil || a.Error == nil || *a.Error != "timeout: no answer within 15s" || a.LatencyMs != 15000 {
		t.Errorf("first attempt = %+v, want the time-out", a)
	}
	if a := d.Attempts[1]; a.Number != 2 || a.Status == nil || *a.Status != 200 || a.Error != nil || a.ResponseHead != "thanks" || a.LatencyMs != 31 {
		t.Errorf("second attempt = %+v, want the 200", a)
	}
}

// mustAttempt records an attempt of the endpoint's one due delivery, as a worker does.
func (b *bundle) mustAttempt(t *testing.T, endpoint string, a hook.Attempt, state hook.State) {
	t.Helper()
	e, err := id.Endpoint.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	now, token := time.Now().Add(time.Second), id.New()
	s, err := b.db.TakeDue(t.Context(), pg.Take{Workspace: b.workspace, Endpoint: e, Token: token, Lease: time.Minute, Limit: 10, Now: now})
	if err != nil || len(s.Jobs) != 1 {
		t.Fatalf("TakeDue = %d jobs, %v, want 1", len(s.Jobs), err)
	}
	a.DeliveryID, a.ID, a.At = s.Jobs[0].DeliveryID, id.New(), now
	o := hook.Outcome{Attempt: a, State: state}
	if state == hook.Pending {
		o.NextAt = &now
	}
	if _, err := b.db.RecordOutcomes(t.Context(), pg.Record{Workspace: b.workspace, Endpoint: e, Token: token, Now: now, Outcomes: []hook.Outcome{o}}); err != nil {
		t.Fatal(err)
	}
}

func TestDeliveriesPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.owner = b.mustWorkspace(t, tenant.Settings{})
	endpoint := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`))
	for i := range 5 {
		b.mustCreate(t, b.owner, fmt.Sprintf("a%d@example.com", i))
	}
	path := "/api/v1/webhooks/" + endpoint + "/deliveries"
	all, next := b.deliveries(t, path)
	if len(all) != 5 || next != nil {
		t.Fatalf("deliveries = %d, next %v, want 5 on one page", len(all), next)
	}
	var paged []shownDelivery
	sizes := []int{}
	for cursor := ""; ; {
		some, next := b.deliveries(t, path+"?limit=2"+cursor)
		paged, sizes = append(paged, some...), append(sizes, len(some))
		if next == nil {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(*next)
	}
	if diff := cmp.Diff([]int{2, 2, 1}, sizes); diff != "" {
		t.Errorf("sizes of pages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, paged); diff != "" {
		t.Errorf("pages together (-want +got):\n%s", diff)
	}
	if some, next := b.deliveries(t, path+"?limit=5"); len(some) != 5 || next != nil {
		t.Errorf("a page that holds all = %d, next %v, want 5 and no next", len(some), next)
	}
	for query, field := range map[string]string{
		"?limit=0": "limit", "?limit=201": "limit", "?limit=ten": "limit", "?limit=": "limit", "?limit=99999999999999999999": "limit",
		"?cursor=x": "cursor", "?cursor=": "cursor", "?cursor=%00": "cursor", "?cursor=" + endpoint: "cursor",
	} {
		got := b.send(t, b.secret, "GET", path+query, "")
		got.wantError(t, query, 400, "VALIDATION_ERROR")
		if got.body.Details.Field != field {
			t.Errorf("%s names %q, want %q", query, got.body.Details.Field, field)
		}
	}
	both := b.send(t, b.secret, "GET", path+"?limit=x&cursor=x", "")
	if len(both.body.Details.Errors) != 2 {
		t.Errorf("two mistakes = %s, want both told", both.text)
	}
}
