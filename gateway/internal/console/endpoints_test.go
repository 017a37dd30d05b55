package console_test

import (
	"context"
	"html"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

type shownEndpoint struct {
	ID, URL, Description, Payload, DisabledReason string
	EventTypes                                    []string
	Headers                                       map[string]string
	Rate, MaxInFlight                             int
	Enabled                                       bool
	FormerSecrets                                 []struct{ ExpiresAt string }
}

// mustEndpoint makes an endpoint by the API and returns its id.
func (b *bundle) mustEndpoint(t testing.TB, more string) string {
	t.Helper()
	var made shownEndpoint
	b.call(t, "POST", "/webhooks", `{"url":"https://hooks.example.com/in"`+more+`}`, &made)
	return made.ID
}

func (b *bundle) endpoint(t testing.TB, id string) (e shownEndpoint) {
	t.Helper()
	b.call(t, "GET", "/webhooks/"+id, "", &e)
	return e
}

// mustAttempt records an attempt at the one delivery of an endpoint that is due, as a worker does.
func (b *bundle) mustAttempt(t testing.TB, endpoint string, a webhook.Attempt, state webhook.State) (delivery string) {
	t.Helper()
	e, err := id.Endpoint.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	now, token := time.Now().Add(time.Second), id.New()
	s, err := b.db.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: b.workspace, Endpoint: e, Token: token,
		Lease: time.Minute, Limit: 1, Now: now})
	if err != nil || len(s.Due) != 1 {
		t.Fatalf("LeaseDue = %d jobs, %v, want 1", len(s.Due), err)
	}
	a.DeliveryID, a.ID, a.At = s.Due[0].DeliveryID, id.New(), now
	o := webhook.Outcome{Attempt: a, State: state}
	if state == webhook.Pending {
		o.NextAt = &now
	}
	health := s.Endpoint.Health
	health.Record(webhook.Result{Delivery: a.DeliveryID, Error: a.Error, Status: a.Status, At: now}, now, 0.5, false, o.NextAt)
	if _, err := b.db.RecordOutcomes(t.Context(), pg.RecordRequest{Workspace: b.workspace, Endpoint: e, Token: token,
		Now: now, Outcomes: []webhook.Outcome{o}, Health: &health}); err != nil {
		t.Fatal(err)
	}
	return id.Delivery.Format(a.DeliveryID)
}

// work answers each test of an endpoint as a worker would whose receiver answers so.
func (b *bundle) work(t *testing.T, a webhook.Attempt) {
	t.Helper()
	server := asynq.NewServerFromRedisClient(b.redis, asynq.Config{Concurrency: 1,
		Queues: map[string]int{task.QueueWebhook: 1}, TaskCheckInterval: 20 * time.Millisecond, LogLevel: asynq.FatalLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc(task.TypeWoken, func(context.Context, *asynq.Task) error { return nil })
	mux.HandleFunc(task.TypeTest, func(ctx context.Context, asked *asynq.Task) error {
		key, err := task.ParseKey(asked.Payload())
		if err != nil {
			return err
		}
		a.DeliveryID, a.ID, a.Number, a.At = key.Delivery, id.New(), 1, time.Now()
		state := webhook.Delivered
		if a.Error != "" {
			state = webhook.Exhausted
		}
		_, err = b.db.RecordTestDelivery(ctx, key.Workspace, key.Endpoint, webhook.Outcome{Attempt: a, State: state})
		return err
	})
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
}

// want fails where a page lacks one of texts.
func (a answer) want(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("%s = %d, and lacks %q in\n%s", a.path, a.status, text, a.text)
			return
		}
	}
}

// What is set up on the page is what the API then has, and its secret is there once.
func TestEndpointIsSetUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	v.get(t, "/console/endpoints").want(t, "Set up the first webhook")
	got := v.post(t, "/console/endpoints/new", url.Values{"url": {"not a url"}, "eventTypes": {"lead.created"},
		"rate": {"often"}, "description": {"Our CRM"}})
	got.want(t, "<b>rate</b>", `value="Our CRM"`, `value="often"`)
	if got.status != 400 {
		t.Errorf("a mistake = %d, want 400", got.status)
	}
	v.post(t, "/console/endpoints/new", url.Values{"url": {"https://hooks.example.com/in"}}).want(t, "<b>eventTypes</b>")
	got = v.post(t, "/console/endpoints/new", url.Values{"url": {"https://hooks.example.com/in"}, "rate": {"50"},
		"eventTypes": {"lead.created", "lead.updated"}, "description": {"Our CRM"}, "payload": {"thin"},
		"headers": {"Authorization: Bearer abc\nX-Shop: 7"}})
	got.want(t, "whsec_", "shown this once", "standardwebhooks")
	var all []shownEndpoint
	b.call(t, "GET", "/webhooks", "", &all)
	if len(all) != 1 || all[0].Payload != "thin" || all[0].Rate != 50 || len(all[0].Headers) != 2 || len(all[0].EventTypes) != 2 {
		t.Fatalf("endpoints = %+v", all)
	}
	page := "/console/endpoints/" + all[0].ID
	v.get(t, "/console/endpoints").want(t, "Our CRM", "Not used yet")
	if again := v.get(t, page); strings.Contains(again.text, "whsec_") {
		t.Error("the secret is shown again")
	}
	v.get(t, page+"/edit").want(t, "Authorization: ***\nX-Shop: ***")
	v.post(t, page+"/edit", url.Values{"url": {"https://hooks.example.com/other"}, "headers": {"Authorization: ***"},
		"eventTypes": {"lead.*"}, "payload": {"thin"}, "description": {"Our CRM"}}).want(t, "The settings were saved.")
	e := b.endpoint(t, all[0].ID)
	if e.URL != "https://hooks.example.com/other" || len(e.Headers) != 1 || e.Rate != 0 || e.EventTypes[0] != "lead.*" ||
		e.Payload != "thin" {
		t.Errorf("after the change it is %+v", e)
	}
}

// Pausing, turning on, a new secret and deleting do what the API then says.
func TestEndpointActions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	hook := b.mustEndpoint(t, "")
	page := "/console/endpoints/" + hook
	v.post(t, page+"/pause", nil).want(t, "The endpoint is paused", "Paused")
	if b.endpoint(t, hook).Enabled {
		t.Error("it is on")
	}
	b.mustLead(t, `{"email":"ada@example.com"}`)
	v.get(t, page).want(t, "deliver the 1 that was held")
	v.post(t, page+"/enable", url.Values{"deliverHeld": {"1"}}).want(t, "What was held is on its way", "held of hooks.example.com")
	if !b.endpoint(t, hook).Enabled {
		t.Error("it is off")
	}
	v.post(t, page+"/rotate", url.Values{"overlapSeconds": {"3600"}}).want(t, "whsec_", "shown this once")
	if got := b.endpoint(t, hook).FormerSecrets; len(got) != 1 {
		t.Errorf("former secrets = %v", got)
	}
	v.post(t, page+"/delete", nil).want(t, "The endpoint was deleted")
	if got := v.get(t, page); got.status != 404 {
		t.Errorf("after it was deleted = %d", got.status)
	}
}

// Why an endpoint fails is on its page in words, with what its server answered, which is only text there.
func TestEndpointSaysWhyItFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	hook := b.mustEndpoint(t, `,"description":"Our CRM"`)
	b.mustLead(t, `{"email":"ada@example.com"}`)
	const probe = `<script>alert(1)</script><img src=x onerror=alert(2)>`
	var delivery string
	for n := range 3 {
		delivery = b.mustAttempt(t, hook, webhook.Attempt{Number: n + 1, Status: 503, Error: webhook.StatusError(503),
			ResponseHead: probe, Latency: 31 * time.Millisecond}, webhook.Pending)
	}
	const escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"
	list := v.get(t, "/console/endpoints")
	list.want(t, "Our CRM", "Fails", "because your server answered 503")
	got := v.get(t, "/console/endpoints/"+hook)
	got.want(t, "Why it fails", "your server answered 503", escaped, "/console/deliveries/"+delivery)
	one := v.get(t, "/console/deliveries/"+delivery)
	one.want(t, "A lead is new", "ada@example.com", "your server answered 503", escaped, "Attempt 3")
	_, again, _ := strings.Cut(one.text, `hx-get="`)
	again, _, _ = strings.Cut(again, `"`)
	if same := v.get(t, html.UnescapeString(again)); same.status != 204 {
		t.Errorf("the same page again, %s = %d, want 204", again, same.status)
	}
	for _, page := range []answer{list, got, one} {
		if strings.Contains(page.text, "<script>alert") || strings.Contains(page.text, "<img src=x") {
			t.Errorf("%s has the receiver's markup", page.path)
		}
	}
	v.get(t, "/console/deliveries?state=pending&endpointId="+hook).want(t, "lead.created", "Failed, will be tried again")
	v.get(t, "/console/deliveries?state=delivered").want(t, "No delivery is like this.")
	if bad := v.get(t, "/console/deliveries?state=odd"); bad.status != 400 || !strings.Contains(bad.text, "<b>state</b>") {
		t.Errorf("a wrong state = %d", bad.status)
	}
	v.post(t, "/console/deliveries/"+delivery+"/resend", nil).want(t, "It is sent again now")
	b.mustAttempt(t, hook, webhook.Attempt{Number: 4, Status: 200}, webhook.Delivered)
	if news := v.get(t, html.UnescapeString(again)); news.status != 200 || !strings.Contains(news.text, "It arrived.") {
		t.Errorf("after it arrived the page is %d", news.status)
	}
}

// The result of a test is on the page that asked for it.
func TestEndpointIsTested(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attempt webhook.Attempt
		want    []string
	}{
		"arrives": {webhook.Attempt{Status: 204}, []string{"The test arrived", "your server answered 204"}},
		"fails": {webhook.Attempt{Status: 500, Error: webhook.StatusError(500), ResponseHead: "oops"},
			[]string{"The test failed", "your server answered 500", "oops"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.work(t, c.attempt)
			v := b.mustSignIn(t, b.secret)
			v.post(t, "/console/endpoints/"+b.mustEndpoint(t, "")+"/test", nil).want(t, c.want...)
		})
	}
}

// A replay is begun, is seen, and ends where it is told to.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	hook := b.mustEndpoint(t, "")
	v.post(t, "/console/replays", url.Values{"endpointId": {hook}}).want(t, "<b>states</b>")
	v.post(t, "/console/replays", url.Values{"endpointId": {hook}, "states": {"held", "exhausted"}, "rate": {"7"},
		"from": {"2026-01-02T03:04"}}).want(t, "The replay has begun", "Runs")
	var all []struct {
		ID, State, From string
		Rate            int
	}
	b.call(t, "GET", "/replays", "", &all)
	if len(all) != 1 || all[0].Rate != 7 || all[0].From != "2026-01-02T03:04:00.000Z" {
		t.Fatalf("replays = %+v", all)
	}
	v.post(t, "/console/replays/"+all[0].ID+"/cancel", nil).want(t, "The replay was cancelled")
	b.call(t, "GET", "/replays", "", &all)
	if all[0].State != "cancelled" {
		t.Errorf("it is %s", all[0].State)
	}
}
