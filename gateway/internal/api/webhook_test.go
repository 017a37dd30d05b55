package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// shownWebhook is an endpoint as a client reads it.
type shownWebhook struct {
	ID, URL, Description, Payload, Signature, Secret, ReplayID string
	CreatedAt, UpdatedAt, WorkspaceID                          string
	EventTypes, ChatbotIDs                                     []string
	Headers                                                    map[string]string
	Rate                                                       *int
	MaxInFlight, TimeoutSeconds                                int
	Batch                                                      *struct{ Max, WaitMs int }
	PublicKey, DisabledAt, DisabledReason                      *string
	FormerSecrets                                              []shownSecret
	Enabled                                                    bool
	Health                                                     struct {
		State                                               string
		Failures                                            int
		FailingSince, NextProbeAt, LastError, LastSuccessAt *string
	}
	Backlog *struct {
		Pending, Exhausted, Held int
		OldestPendingAt          *string
		OldestHeldAt             *string
	}
}

// webhook asks for an endpoint, which has to be answered with status.
func (b *bundle) webhook(t *testing.T, method, path, body string, status int) shownWebhook {
	t.Helper()
	got := b.send(t, b.secret, method, "/api/v1/webhooks"+path, body)
	var e shownWebhook
	if err := json.Unmarshal(got.body.Data, &e); err != nil || got.status != status {
		t.Fatalf("%s %s %.200s = %d %s, want %d and an endpoint", method, path, body, got.status, got.text, status)
	}
	return e
}

// mustWebhook makes an endpoint with more, which begins with a comma, and returns its path below /api/v1/webhooks.
func (b *bundle) mustWebhook(t *testing.T, more string) string {
	t.Helper()
	return "/" + b.webhook(t, "POST", "", `{"url":"https://hooks.example.com/"`+more+`}`, 201).ID
}

func TestCreateWebhookShowsTheSecretOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, b.secret, "POST", "/api/v1/webhooks",
		`{"url":"https://hooks.example.com/in?a=1&b=2","eventTypes":["lead.enriched","lead.created"],"description":"CRM"}`)
	want := `^\{"success":true,"data":\{("id":"(we_[0-9a-z]{26})","url":"https://hooks\.example\.com/in\?a=1&b=2","description":"CRM","eventTypes":\["lead\.created","lead\.enriched"\],` +
		`"chatbotIds":null,"headers":\{\},"payload":"full","rate":null,"maxInFlight":32,"timeoutSeconds":15,"batch":null,"signature":"v1","publicKey":null,"formerSecrets":\[\],` +
		`"enabled":true,"disabledAt":null,"disabledReason":null,"health":\{"state":"ok","failures":0,"failingSince":null,"nextProbeAt":null,"lastError":null,"lastSuccessAt":null,"slowSince":null\}),` +
		`("createdAt":"` + timestamp + `","updatedAt":"` + timestamp + `","workspaceId":"` +
		id.Workspace.Format(b.workspace) + `"),"secret":"(whsec_[A-Za-z0-9+/=]+)"\}\}\n$`
	m := regexp.MustCompile(want).FindStringSubmatch(got.text)
	if got.status != 201 || m == nil {
		t.Fatalf("POST = %d %s, want 201 %s", got.status, got.text, want)
	}
	if wrong := webhook.CheckSecret(m[4]); wrong != "" {
		t.Errorf("secret %q: %s", m[4], wrong)
	}
	if l := got.header.Get("Location"); l != "/api/v1/webhooks/"+m[2] {
		t.Errorf("Location = %q, want /api/v1/webhooks/%s", l, m[2])
	}
	shown := m[1] + `,"backlog":{"pending":0,"exhausted":0,"held":0,"oldestPendingAt":null,"oldestHeldAt":null},` + m[3]
	if read := b.send(t, b.secret, "GET", "/api/v1/webhooks/"+m[2], ""); read.text != `{"success":true,"data":{`+shown+
		"}}\n" {
		t.Errorf("GET = %s, want the same with a backlog and without the secret", read.text)
	}
	if list := b.send(t, b.secret, "GET", "/api/v1/webhooks", ""); list.text != `{"success":true,"data":[{`+shown+
		`}],"nextCursor":null}`+"\n" {
		t.Errorf("list = %s, want the same with a backlog and without the secret", list.text)
	}
}

func TestCreateWebhookDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{
		`{"url":"https://hooks.example.com/"}`,
		`{"url":"https://hooks.example.com/","eventTypes":null,"description":null,"chatbotIds":null,"headers":null,"payload":null,"rate":null,"maxInFlight":null,"timeoutSeconds":null,"signature":null,"secret":null,"enabled":null}`,
		`{"url":"https://hooks.example.com/","eventTypes":["lead.*","endpoint.*","lead.*"],"headers":{},"payload":"full","maxInFlight":32,"timeoutSeconds":15,"batch":null,"signature":"v1","enabled":true}`,
	} {
		got := b.webhook(t, "POST", "", body, 201)
		want := shownWebhook{ID: got.ID, Secret: got.Secret, CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt,
			WorkspaceID: got.WorkspaceID, Health: got.Health, FormerSecrets: got.FormerSecrets,
			URL: "https://hooks.example.com/", EventTypes: []string{"endpoint.*", "lead.*"}, Headers: map[string]string{},
			Payload: "full", MaxInFlight: 32, TimeoutSeconds: 15, Signature: "v1", Enabled: true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestCreateWebhookTakesEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bot := id.Chatbot.Format(b.chatbot)
	own := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of 24 bytes...."))
	made := b.webhook(t, "POST", "", `{"url":"https://hooks.example.com/","description":"d","eventTypes":["endpoint.failing"],"chatbotIds":["`+bot+`","`+bot+`"],"headers":{"Authorization":"Bearer t~k3n","x-team":"","X-Null":null},
		"payload":"thin","rate":10000,"maxInFlight":1,"timeoutSeconds":30,"enabled":false,"secret":"`+own+`"}`, 201)
	rate, reason := 10000, "owner"
	want := shownWebhook{ID: made.ID, CreatedAt: made.CreatedAt, UpdatedAt: made.UpdatedAt, WorkspaceID: made.WorkspaceID,
		DisabledAt: &made.CreatedAt, DisabledReason: &reason, FormerSecrets: made.FormerSecrets,
		URL: "https://hooks.example.com/", Description: "d", EventTypes: []string{"endpoint.failing"},
		ChatbotIDs: []string{bot}, Headers: map[string]string{"Authorization": "***", "x-team": "***"},
		Payload: "thin", Rate: &rate, MaxInFlight: 1, TimeoutSeconds: 30, Signature: "v1", Secret: own}
	want.Health.State = "disabled"
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("POST (-want +got):\n%s", diff)
	}
	read := b.webhook(t, "GET", "/"+made.ID, "", 200)
	want.Secret, want.Backlog = "", read.Backlog
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("GET (-want +got):\n%s", diff)
	}
}

func TestCreateWebhookByEd25519(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own := webhook.NewSigningKey()
	for body, secret := range map[string]string{`"signature":"v1a"`: "", `"secret":"` + own + `"`: own,
		`"signature":"v1a","secret":"` + own + `"`: own} {
		made := b.webhook(t, "POST", "", `{"url":"https://hooks.example.com/",`+body+`}`, 201)
		if made.Signature != "v1a" || !strings.HasPrefix(made.Secret, "whsk_") || secret != "" && made.Secret != secret ||
			made.PublicKey == nil || *made.PublicKey != webhook.PublicKey(made.Secret) {
			t.Errorf("%.20s: signature %q, publicKey %v, want v1a and the public half of the key", body, made.Signature,
				made.PublicKey)
		}
		read := b.webhook(t, "GET", "/"+made.ID, "", 200)
		if read.Signature != "v1a" || read.PublicKey == nil || *read.PublicKey != *made.PublicKey || read.Secret != "" {
			t.Errorf("%.20s: GET shows signature %q, publicKey %v, secret %q, want the same without secret", body,
				read.Signature, read.PublicKey, read.Secret)
		}
	}
}

// badFields are mistakes in the fields that can be given and changed, with their pointers.
func badFields(b *bundle) map[string][]string {
	long := strings.Repeat("x", webhook.MaxHeaderValue+1)
	names := strings.Builder{}
	for i := range 2*webhook.MaxHeaders + 1 {
		fmt.Fprintf(&names, `,"x-%d":""`, i)
	}
	return map[string][]string{
		`"url":5`:                                  {"/url"},
		`"url":""`:                                 {"/url"},
		`"url":"hi"`:                               {"/url"},
		`"url":"http://hooks.example.com/"`:        {"/url"},
		`"url":"https://127.0.0.1/"`:               {"/url"},
		`"url":"https://u:p@hooks.example.com/"`:   {"/url"},
		`"url":"https://hooks.example.com/\u0000"`: {"/url"},
		`"url":"https://hooks.example.com/` + strings.Repeat("a", 2048) + `"`: {"/url"},
		`"eventTypes":[]`:                                  {"/eventTypes"},
		`"eventTypes":"lead.*"`:                            {"/eventTypes"},
		`"eventTypes":["lead.gone"]`:                       {"/eventTypes/0"},
		`"eventTypes":["lead.*","*"]`:                      {"/eventTypes/1"},
		`"eventTypes":["webhook.test"]`:                    {"/eventTypes/0"},
		`"eventTypes":["lead.created",7]`:                  {"/eventTypes/1"},
		`"description":"` + strings.Repeat("x", 501) + `"`: {"/description"},
		`"description":"a\u0000"`:                          {"/description"},
		`"chatbotIds":[]`:                                  {"/chatbotIds"},
		`"chatbotIds":"cb_x"`:                              {"/chatbotIds"},
		`"chatbotIds":[5,"cb_x","` + id.Chatbot.Format(b.chatbot) + `","` + id.Chatbot.Format(id.New()) +
			`"]`: {"/chatbotIds/0", "/chatbotIds/1", "/chatbotIds/3"},
		`"chatbotIds":["cb_x"` + strings.Repeat(`,"cb_x"`, webhook.MaxChatbots) +
			`]`: places("/chatbotIds/%d", 20),
		`"headers":[]`:                                   {"/headers"},
		`"headers":{"X-A":5}`:                            {"/headers/X-A"},
		`"headers":{"a b":"","a/b":"","":""}`:            {"/headers/a b", "/headers/a~1b", "/headers/"},
		`"headers":{"Host":"x","webhook-id":"y"}`:        {"/headers/Host", "/headers/webhook-id"},
		`"headers":{"X-A":"a\r\nb","X-B":"é","X-C":" "}`: {"/headers/X-A", "/headers/X-B", "/headers/X-C"},
		`"headers":{"X-A":"` + long + `"}`:               {"/headers/X-A"},
		`"headers":{"X-A":"1","x-a":"2"}`:                {"/headers/x-a"},
		`"headers":{` + names.String()[1:] + `}`:         {"/headers"},
		`"payload":"half"`:                               {"/payload"},
		`"payload":1`:                                    {"/payload"},
		`"rate":0`:                                       {"/rate"},
		`"rate":10001`:                                   {"/rate"},
		`"rate":1.5`:                                     {"/rate"},
		`"maxInFlight":0`:                                {"/maxInFlight"},
		`"maxInFlight":257`:                              {"/maxInFlight"},
		`"timeoutSeconds":0`:                             {"/timeoutSeconds"},
		`"timeoutSeconds":31`:                            {"/timeoutSeconds"},
		`"enabled":"yes"`:                                {"/enabled"},
		`"retries":5`:                                    {"/retries"},
		`"description":3,"eventTypes":2,"rate":"x","enabled":1`: {"/description", "/eventTypes", "/rate", "/enabled"},
	}
}

// places is n pointers.
func places(format string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

// wantRefused checks that a body is refused at the pointers.
func (b *bundle) wantRefused(t *testing.T, method, path, body string, pointers []string) {
	t.Helper()
	got := b.send(t, b.secret, method, "/api/v1/webhooks"+path, body)
	what := method + " " + body[:min(len(body), 100)]
	got.wantError(t, what, 400, "VALIDATION_ERROR")
	var at []string
	for _, e := range got.body.Details.Errors {
		at = append(at, e.Pointer)
	}
	if diff := cmp.Diff(pointers, at); diff != "" {
		t.Errorf("%s: pointers (-want +got):\n%s", what, diff)
	}
}

func TestWebhookInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const ok = `{"url":"https://hooks.example.com/",`
	for field, pointers := range badFields(b) {
		if strings.HasPrefix(field, `"url"`) {
			b.wantRefused(t, "POST", "", "{"+field+"}", pointers)
		} else {
			b.wantRefused(t, "POST", "", ok+field+"}", pointers)
		}
	}
	many := strings.Builder{}
	for i := range webhook.MaxHeaders + 1 {
		fmt.Fprintf(&many, `,"x-%d":""`, i)
	}
	for body, pointers := range map[string][]string{
		`{}`:           {"/url"},
		`[]`:           {""},
		`{"url":null}`: {"/url"},
		// broken JSON, and only that
		`{"chatbotIds":["` + id.Chatbot.Format(id.New()) + `"],"url":"https://hooks.example.com/"`: {""},
		`{"url":1,"eventTypes":2,"description":3,"chatbotIds":["` + id.Chatbot.Format(id.New()) + `"]}`: {"/url",
			"/eventTypes", "/description", "/chatbotIds/0"},
		ok + `"headers":{` + many.String()[1:] + `}}`:                       {"/headers"},
		ok + `"signature":"v2"}`:                                            {"/signature"},
		ok + `"deliverHeld":true}`:                                          {"/deliverHeld"},
		ok + `"signature":"v1a","secret":"` + webhook.NewSecret() + `"}`:    {"/signature"},
		ok + `"signature":"v1","secret":"` + webhook.NewSigningKey() + `"}`: {"/signature"},
		ok + `"secret":7,"signature":7}`:                                    {"/secret", "/signature"},
	} {
		t.Run(body, func(t *testing.T) {
			b.wantRefused(t, "POST", "", body, pointers)
		})
	}
	b.send(t, b.secret, "POST", "/api/v1/webhooks", strings.Repeat(" ", 64<<10+1)).wantError(t, "too large", 413,
		"PAYLOAD_TOO_LARGE")
	if all := b.send(t, b.secret, "GET", "/api/v1/webhooks", ""); !strings.Contains(all.text, `"data":[]`) {
		t.Errorf("after all that was refused there are %s, want none", all.text)
	}
}

// A secret or a header's value that is wrong is not told back: it may be one typed badly.
func TestWebhookMistakesKeepSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{
		`"secret":"whsec_hunter2"`, `"secret":["whsec_hunter2"]`, `"secret":"hunter2"`, `"secret":"whsk_hunter2"`,
		`"headers":{"Authorization":"hunter2\n"}`, `"headers":{"Authorization":["hunter2"]}`,
	} {
		t.Run(body, func(t *testing.T) {
			got := b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/",`+body+`}`)
			if got.status != 400 || strings.Contains(got.text, "hunter2") || len(got.body.Details.Errors) != 1 {
				t.Errorf("%s = %d %s, want 400 without the value", body, got.status, got.text)
			}
		})
	}
}

func TestWebhooksAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var last string
	for range webhook.MaxEndpoints {
		last = b.mustWebhook(t, "")
	}
	b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`).wantError(t, "one too many",
		409, "CONFLICT")
	if got := b.send(t, b.secret, "DELETE", "/api/v1/webhooks"+last, ""); got.status != 204 {
		t.Fatalf("DELETE = %d %s, want 204", got.status, got.text)
	}
	b.mustWebhook(t, "") // a deleted one does not count
}

// shownDelivery is a delivery as a client reads it.
type shownDelivery struct {
	LeadID                                    string
	ID, EndpointID, EventID, EventType, State string
	Attempts                                  []struct {
		Number       int
		Status       *int
		Error        *string
		ResponseHead *string
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
	endpoint := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks",
		`{"url":"https://hooks.example.com/","eventTypes":["lead.created"]}`))
	made := b.mustCreate(t, b.owner, "a@example.com")
	path := "/api/v1/webhooks/" + endpoint + "/deliveries"
	got, next := b.deliveries(t, path)
	if len(got) != 1 || next != nil || got[0].State != "pending" || got[0].NextAttemptAt == nil ||
		got[0].LastStatus != nil || got[0].LastError != nil ||
		got[0].EndpointID != endpoint || got[0].LeadID != made || got[0].EventType != "lead.created" ||
		got[0].Attempts == nil || len(got[0].Attempts) != 0 {
		t.Fatalf("deliveries = %+v, want one pending without attempts", got)
	}

	b.mustAttempt(t, endpoint, webhook.Attempt{Number: 1, Error: "timeout: no answer within 15s",
		Latency: 15 * time.Second}, webhook.Pending)
	b.mustAttempt(t, endpoint, webhook.Attempt{Number: 2, Status: 200, ResponseHead: "thanks",
		Latency: 31 * time.Millisecond}, webhook.Delivered)
	got, _ = b.deliveries(t, path)
	d := got[0]
	if d.State != "delivered" || d.NextAttemptAt != nil || d.AttemptCount != 2 || len(d.Attempts) != 2 ||
		d.LastStatus == nil || *d.LastStatus != 200 || d.LastError != nil {
		t.Fatalf("delivery = %+v, want delivered at the second attempt", d)
	}
	if a := d.Attempts[0]; a.Number != 1 || a.Status != nil || a.Error == nil ||
		*a.Error != "timeout: no answer within 15s" || a.LatencyMs != 15000 {
		t.Errorf("first attempt = %+v, want the time-out", a)
	}
	if a := d.Attempts[1]; a.Number != 2 || a.Status == nil || *a.Status != 200 || a.Error != nil ||
		a.ResponseHead != nil || a.LatencyMs != 31 {
		t.Errorf("second attempt = %+v, want the 200, and no answer in a list", a)
	}
	whole := b.mustDelivery(t, d.ID).Attempts
	if len(whole) != 2 || whole[0].ResponseHead == nil || *whole[0].ResponseHead != "" || whole[1].ResponseHead == nil ||
		*whole[1].ResponseHead != "thanks" {
		t.Errorf("attempts of the delivery alone = %+v, want what was answered", whole)
	}
}

// mustAttempt records an attempt of the endpoint's one due delivery, as a worker does.
func (b *bundle) mustAttempt(t *testing.T, endpoint string, a webhook.Attempt, state webhook.State) {
	t.Helper()
	e, err := id.Endpoint.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	now, token := time.Now().Add(time.Second), id.New()
	s, err := b.db.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: b.workspace, Endpoint: e, Token: token,
		Lease: time.Minute, Limit: 10, Now: now})
	if err != nil || len(s.Due) != 1 {
		t.Fatalf("LeaseDue = %d jobs, %v, want 1", len(s.Due), err)
	}
	a.DeliveryID, a.ID, a.At = s.Due[0].DeliveryID, id.New(), now
	o := webhook.Outcome{Attempt: a, State: state}
	if state == webhook.Pending {
		o.NextAt = &now
	}
	if _, err := b.db.RecordOutcomes(t.Context(), pg.RecordRequest{Workspace: b.workspace, Endpoint: e, Token: token,
		Now: now, Outcomes: []webhook.Outcome{o}}); err != nil {
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
		"?limit=0": "limit", "?limit=201": "limit", "?limit=ten": "limit", "?limit=": "limit",
		"?limit=99999999999999999999": "limit",
		"?cursor=x":                   "cursor", "?cursor=": "cursor", "?cursor=%00": "cursor", "?cursor=" +
			endpoint: "cursor",
	} {
		t.Run(query, func(t *testing.T) {
			got := b.send(t, b.secret, "GET", path+query, "")
			got.wantError(t, query, 400, "VALIDATION_ERROR")
			if got.body.Details.Field != field {
				t.Errorf("%s names %q, want %q", query, got.body.Details.Field, field)
			}
		})
	}
	both := b.send(t, b.secret, "GET", path+"?limit=x&cursor=x", "")
	if len(both.body.Details.Errors) != 2 {
		t.Errorf("two mistakes = %s, want both told", both.text)
	}
}
