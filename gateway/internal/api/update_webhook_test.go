package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

func TestPatchChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bot := id.Chatbot.Format(b.chatbot)
	path := b.mustWebhook(t, `,"description":"d","eventTypes":["lead.created"],"chatbotIds":["`+bot+
		`"],"headers":{"X-A":"1","X-B":"2"},"payload":"thin","rate":5,"maxInFlight":1,"timeoutSeconds":2`)
	want := b.webhook(t, "GET", path, "", 200)
	want.Backlog = nil
	rate := 10
	for _, c := range []struct {
		body   string
		change func(*shownWebhook)
	}{
		{`{}`, func(*shownWebhook) {}},
		{`{"enabled":true}`, func(*shownWebhook) {}},
		{`{"url":"https://hooks.example.com/b"}`, func(e *shownWebhook) { e.URL = "https://hooks.example.com/b" }},
		{`{"headers":{"x-a":"3","X-B":null,"X-C":"4"}}`, func(e *shownWebhook) {
			e.Headers = map[string]string{"x-a": "***", "X-C": "***"}
		}},
		{`{"headers":{}}`, func(*shownWebhook) {}},
		{`{"rate":10,"maxInFlight":256}`, func(e *shownWebhook) { e.Rate, e.MaxInFlight = &rate, 256 }},
		{`{"description":null,"eventTypes":null,"chatbotIds":null,"headers":null,"payload":null,"rate":null,"maxInFlight":null,"timeoutSeconds":null}`, func(e *shownWebhook) {
			e.Description, e.EventTypes, e.ChatbotIDs, e.Headers = "", []string{"endpoint.*", "lead.*"}, nil, map[string]string{}
			e.Payload, e.Rate, e.MaxInFlight, e.TimeoutSeconds = "full", nil, 32, 15
		}},
		{`{"chatbotIds":["` + bot + `"],"timeoutSeconds":30,"payload":"thin","description":"new"}`, func(e *shownWebhook) {
			e.ChatbotIDs, e.TimeoutSeconds, e.Payload, e.Description = []string{bot}, 30, "thin", "new"
		}},
		{`{"batch":{}}`, batched(100, 0)},
		{`{"batch":{"waitMs":1500}}`, batched(100, 1500)},
		{`{"batch":{"max":7}}`, batched(7, 1500)},
		{`{"batch":{"max":null,"waitMs":null}}`, batched(100, 0)},
		{`{"batch":null}`, func(e *shownWebhook) { e.Batch = nil }},
		{`{"batch":{"max":1,"waitMs":60000}}`, batched(1, 60_000)},
	} {
		c.change(&want)
		got := b.webhook(t, "PATCH", path, c.body, 200)
		if got.UpdatedAt < want.UpdatedAt {
			t.Errorf("PATCH %s: updated at %s, want not before %s", c.body, got.UpdatedAt, want.UpdatedAt)
		}
		want.UpdatedAt = got.UpdatedAt
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("PATCH %s (-want +got):\n%s", c.body, diff)
		}
		read := b.webhook(t, "GET", path, "", 200)
		read.Backlog = nil
		if diff := cmp.Diff(got, read); diff != "" {
			t.Errorf("GET after PATCH %s (-answered +read):\n%s", c.body, diff)
		}
	}
}

type shownSecret struct {
	Signature, ExpiresAt string
	PublicKey            *string
}

func batched(most, waitMs int) func(*shownWebhook) {
	return func(e *shownWebhook) { e.Batch = &struct{ Max, WaitMs int }{most, waitMs} }
}

func TestPatchInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many := strings.Builder{}
	for i := range webhook.MaxHeaders {
		fmt.Fprintf(&many, `,"x-%d":""`, i)
	}
	path := b.mustWebhook(t, `,"headers":{`+many.String()[1:]+`}`)
	before := b.webhook(t, "GET", path, "", 200)
	for field, pointers := range badFields(b) {
		b.wantRefused(t, "PATCH", path, "{"+field+"}", pointers)
	}
	for body, pointers := range map[string][]string{
		`[]`:           {""},
		`{"url":null}`: {"/url"},
		`{"secret":"` + webhook.NewSecret() + `","signature":null}`: {"/secret", "/signature"},
		`{"headers":{"one-more":""}}`:                               {"/headers"},
		`{"batch":100}`:                                             {"/batch"},
		`{"batch":{"max":0,"waitMs":-1}}`:                           {"/batch/max", "/batch/waitMs"},
		`{"batch":{"max":101,"waitMs":60001,"size":1}}`:             {"/batch/max", "/batch/waitMs", "/batch/size"},
		`{"deliverHeld":"yes"}`:                                     {"/deliverHeld"},
		`{"deliverHeld":true,"enabled":false}`:                      {"/deliverHeld"},
	} {
		t.Run(body, func(t *testing.T) {
			b.wantRefused(t, "PATCH", path, body, pointers)
		})
	}
	if diff := cmp.Diff(before, b.webhook(t, "GET", path, "", 200)); diff != "" {
		t.Errorf("after all that was refused (-before +after):\n%s", diff)
	}
	got := b.send(t, b.secret, "PATCH", "/api/v1/webhooks"+path, `{"secret":"whsec_hunter2"}`)
	if strings.Contains(got.text, "hunter2") || !strings.Contains(got.text, "rotate-secret") {
		t.Errorf("PATCH of the secret = %s, want rotate-secret named and not the secret", got.text)
	}
	b.webhook(t, "PATCH", path, `{"headers":{"one-more":"","x-0":null}}`, 200) // as many as before
}

// Each of many simultaneous patches changes its own field, and none undoes another's.
func TestSimultaneousPatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, "")
	bodies := []string{`{"description":"d"}`, `{"payload":"thin"}`, `{"rate":7}`, `{"maxInFlight":3}`,
		`{"timeoutSeconds":4}`, `{"eventTypes":["lead.created"]}`, `{"url":"https://hooks.example.com/b"}`}
	for i := range 10 {
		bodies = append(bodies, fmt.Sprintf(`{"headers":{"X-%d":"v"}}`, i))
	}
	var all sync.WaitGroup
	for _, body := range bodies {
		all.Go(func() {
			if got := b.send(t, b.secret, "PATCH", "/api/v1/webhooks"+path, body); got.status != 200 {
				t.Errorf("PATCH %s = %d %s, want 200", body, got.status, got.text)
			}
		})
	}
	all.Wait()
	got := b.webhook(t, "GET", path, "", 200)
	if got.Description != "d" || got.Payload != "thin" || got.Rate == nil || *got.Rate != 7 || got.MaxInFlight != 3 ||
		got.TimeoutSeconds != 4 || len(got.EventTypes) != 1 ||
		got.URL != "https://hooks.example.com/b" || len(got.Headers) != 10 {
		t.Errorf("after %d patches at once: %+v, want each of them", len(bodies), got)
	}
}

func TestDisableHoldsAndEnableDelivers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, `,"eventTypes":["lead.created"]`)
	b.mustCreate(t, b.owner, "a@example.com")
	backlog := func(pending, held int) {
		t.Helper()
		got := b.webhook(t, "GET", path, "", 200).Backlog
		if got == nil || got.Pending != pending || got.Held != held || got.Exhausted != 0 ||
			(got.OldestPendingAt == nil) != (pending == 0) || (got.OldestHeldAt == nil) != (held == 0) {
			t.Errorf("backlog = %+v, want %d pending, %d held", got, pending, held)
		}
	}
	backlog(1, 0)
	off := b.webhook(t, "PATCH", path, `{"enabled":false,"description":"off"}`, 200)
	if off.Enabled || off.Health.State != "disabled" || off.DisabledAt == nil || off.DisabledReason == nil ||
		*off.DisabledReason != "owner" || off.Description != "off" {
		t.Errorf("disabled = %+v, want it by its owner", off)
	}
	b.mustCreate(t, b.owner, "b@example.com")
	backlog(0, 2)
	again := b.webhook(t, "PATCH", path, `{"enabled":false}`, 200)
	if diff := cmp.Diff(off, again); diff != "" {
		t.Errorf("disabling again (-first +second):\n%s", diff)
	}
	b.wantRefused(t, "PATCH", path, `{"deliverHeld":true}`, []string{"/deliverHeld"})

	on := b.webhook(t, "PATCH", path, `{"enabled":null,"deliverHeld":true}`, 200) // null is the default, which is enabled
	if !on.Enabled || on.Health.State != "ok" || on.DisabledAt != nil || on.DisabledReason != nil {
		t.Errorf("enabled = %+v, want nothing of the disabling left", on)
	}
	replay, err := id.Replay.Parse(on.ReplayID)
	if err != nil {
		t.Fatalf("replayId = %q, want a replay", on.ReplayID)
	}
	r, err := b.db.GetReplay(t.Context(), b.workspace, replay)
	want := webhook.Filter{EndpointID: mustEndpointID(t, path), States: []webhook.State{webhook.Held}}
	if diff := cmp.Diff(want, r.Filter); diff != "" || err != nil || r.State != webhook.ReplayRunning ||
		r.Rate != webhook.MaxReplayRate {
		t.Errorf("the replay = %+v, %v, want it running at the highest rate (-want +got):\n%s", r, err, diff)
	}
	if n := b.queued(t, task.QueueReplay); n != 1 {
		t.Errorf("tasks for the replay = %d, want 1", n)
	}
	if more := b.webhook(t, "PATCH", path, `{"deliverHeld":true}`, 200); more.ReplayID == "" ||
		more.ReplayID == on.ReplayID {
		t.Errorf("deliverHeld on an enabled endpoint = replay %q, want another", more.ReplayID)
	}
	if none := b.webhook(t, "PATCH", path, `{"deliverHeld":false,"description":null}`, 200); none.ReplayID != "" {
		t.Errorf("deliverHeld false = replay %q, want none", none.ReplayID)
	}
	for range webhook.MaxReplays - 2 {
		b.webhook(t, "PATCH", path, `{"deliverHeld":true}`, 200)
	}
	b.send(t, b.secret, "PATCH", "/api/v1/webhooks"+path, `{"deliverHeld":true,"description":"lost"}`).wantError(t,
		"one replay too many", 409, "CONFLICT")
	if got := b.webhook(t, "GET", path, "", 200); got.Description != "" {
		t.Errorf("a refused patch left %q, want nothing of it", got.Description)
	}
}

// queued counts the tasks that wait in a queue, which is made with its first.
func (b *bundle) queued(t *testing.T, queue string) int {
	t.Helper()
	waiting, err := asynq.NewInspectorFromRedisClient(b.redis).ListPendingTasks(queue)
	if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
		t.Fatal(err)
	}
	return len(waiting)
}

// mustEndpointID is the endpoint of a path below /api/v1/webhooks.
func mustEndpointID(t *testing.T, path string) id.UUID {
	t.Helper()
	e, err := id.Endpoint.Parse(strings.TrimPrefix(path, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What failed is shown, and forgotten when the endpoint is enabled anew; without Redis too.
func TestHealthIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, "")
	e := mustEndpointID(t, path)
	since := time.Now().UTC().Truncate(time.Millisecond)
	health := func(failures int, probe *time.Time) {
		t.Helper()
		if _, err := b.db.ExecContext(t.Context(),
			`update endpoints set failures = $2, failing_since = $3, last_error = 'status: 503', probe_at = $4, last_success_at = $3 where id = $1`, e, failures, since, probe); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what, state string, failures int, failing, probing bool) {
		t.Helper()
		h := b.webhook(t, "GET", path, "", 200).Health
		if h.State != state || h.Failures != failures || (h.FailingSince != nil) != failing ||
			(h.LastError != nil) != failing || (h.NextProbeAt != nil) != probing || h.LastSuccessAt == nil {
			t.Errorf("%s: health = %+v, want %s after %d failures", what, h, state, failures)
		}
	}
	health(1, nil)
	want("one failure", "ok", 1, true, false)
	health(webhook.FailingThreshold, nil)
	want("some failures", "failing", webhook.FailingThreshold, true, false)
	health(7, &since)
	want("the breaker open", "open", 7, true, true)
	b.redis.Close()
	b.webhook(t, "PATCH", path, `{"enabled":false}`, 200)
	want("disabled", "disabled", 7, true, false)
	b.webhook(t, "PATCH", path, `{"enabled":true,"deliverHeld":true}`, 200)
	want("enabled", "ok", 0, false, false)
}

func TestDeleteWebhook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, `,"headers":{"Authorization":"x"}`)
	b.mustCreate(t, b.owner, "a@example.com")
	if got := b.send(t, b.secret, "DELETE", "/api/v1/webhooks"+path, ""); got.status != 204 || got.text != "" ||
		got.header.Get("Content-Type") != "" {
		t.Fatalf("DELETE = %d %q %v, want 204 and nothing", got.status, got.text, got.header)
	}
	for _, route := range []string{"GET ", "PATCH ", "DELETE ", "POST /rotate-secret", "POST /test", "GET /deliveries"} {
		method, below, _ := strings.Cut(route, " ")
		b.send(t, b.secret, method, "/api/v1/webhooks"+path+below, "").wantError(t, route+" of a deleted endpoint", 404,
			"NOT_FOUND")
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/webhooks", ""); !strings.Contains(got.text, `"data":[]`) {
		t.Errorf("list = %s, want none", got.text)
	}
}

// To another workspace an endpoint is not there, whatever it is asked for.
func TestWebhooksOfOtherWorkspacesAreUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine := b.owner
	path := b.mustWebhook(t, "")
	before := b.webhook(t, "GET", path, "", 200)
	b.owner = b.mustWorkspace(t, tenant.Settings{})
	for _, id := range []string{path, "/we_x", "/%00", "/" + strings.ToUpper(path[1:])} {
		for _, route := range []string{"GET ", "PATCH ", "DELETE ", "POST /rotate-secret", "POST /test"} {
			t.Run(route+id, func(t *testing.T) {
				method, below, _ := strings.Cut(route, " ")
				body := ""
				if method == "PATCH" || method == "POST" {
					body = `{"not even":"valid"}` // the address is wrong before the body is
				}
				b.send(t, b.secret, method, "/api/v1/webhooks"+id+below, body).wantError(t, route+id, 404, "NOT_FOUND")
			})
		}
	}
	// A chatbot of the other workspace is as unknown as one that never was.
	b.wantRefused(t, "POST", "", `{"url":"https://hooks.example.com/","chatbotIds":["`+id.Chatbot.Format(b.chatbot)+`","`+
		id.Chatbot.Format(mine.chatbot)+`"]}`, []string{"/chatbotIds/1"})
	b.owner = mine
	if diff := cmp.Diff(before, b.webhook(t, "GET", path, "", 200)); diff != "" {
		t.Errorf("after the other workspace tried (-before +after):\n%s", diff)
	}
}

// An endpoint with a filter gets the events of its chatbots only, and after the filter is taken away those of all.
func TestChatbotFilter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, `,"chatbotIds":["`+id.Chatbot.Format(b.chatbot)+`"]`)
	pending := func(want int) {
		t.Helper()
		if got := b.webhook(t, "GET", path, "", 200).Backlog.Pending; got != want {
			t.Errorf("pending = %d, want %d", got, want)
		}
	}
	b.mustCreate(t, b.owner, "of.none@example.com")
	pending(0)
	mustID(t, b.send(t, b.secret, "POST", "/api/v1/chatbots/"+id.Chatbot.Format(b.chatbot)+"/leads",
		`{"email":"of.the.bot@example.com"}`))
	pending(1)
	b.webhook(t, "PATCH", path, `{"chatbotIds":null}`, 200)
	b.mustCreate(t, b.owner, "of.none2@example.com")
	pending(2)
}

// Another URL begins with a clean record, and what waits goes there at once.
func TestPatchOfTheURLWakesADrain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, "")
	b.db.MustExecContext(t.Context(),
		`update endpoints set failures = 6, failing_since = now(), probe_at = now() + interval '1 hour', last_error = 'dns: x', drain_token = id, drain_until = now() + interval '1 hour'`)
	if b.webhook(t, "PATCH", path, `{"description":"d"}`, 200); b.queued(t, task.QueueWebhook) != 0 {
		t.Error("a change of the description wakes a drain")
	}
	got := b.webhook(t, "PATCH", path, `{"url":"https://hooks.example.com/other"}`, 200)
	if got.Health.State != "ok" || got.Health.LastError != nil || b.queued(t, task.QueueWebhook) != 1 {
		t.Errorf("after another URL: %+v and %d tasks, want a clean record and a drain", got.Health,
			b.queued(t, task.QueueWebhook))
	}
	if free := `select drain_until is null from endpoints`; !b.holds(t, free) {
		t.Error("the drain to the former URL keeps its lease")
	}
}

// holds reports whether a statement of one row says so.
func (b *bundle) holds(t *testing.T, q string) (yes bool) {
	t.Helper()
	if err := b.db.GetContext(t.Context(), &yes, q); err != nil {
		t.Fatal(err)
	}
	return yes
}

func TestPatchTakesAMergePatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, "")
	for contentType, want := range map[string]int{"application/merge-patch+json": 200,
		"application/merge-patch+json; charset=utf-8": 200, "application/json-patch+json": 415} {
		t.Run(contentType, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "PATCH", b.url+"/api/v1/webhooks"+path,
				strings.NewReader(`{"description":"d"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+b.secret)
			req.Header.Set("Content-Type", contentType)
			if got := b.do(t, req); got.status != want {
				t.Errorf("PATCH with %s = %d %s, want %d", contentType, got.status, got.text, want)
			}
		})
	}
}

// What may be a secret is never told back, however it was misspelt, and fields that cannot be patched are not offered.
func TestMistakesTellNoSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, "")
	many := strings.Builder{}
	for i := range 2*webhook.MaxHeaders + 1 {
		fmt.Fprintf(&many, `,"x-%d":"hunter2"`, i)
	}
	for _, body := range []string{
		`{"url":"https://hooks.example.com/","Secret":"hunter2"}`, `{"url":"https://hooks.example.com/","headers":"hunter2"}`,
		`{"url":"https://hooks.example.com/","headers":["hunter2"]}`, `{"url":"https://hooks.example.com/","headers":{` +
			many.String()[1:] + `}}`,
		`{"url":"https://hooks.example.com/","Headers":{"authorization":"hunter2"}}`,
	} {
		t.Run(body[:min(len(body), 80)], func(t *testing.T) {
			for method, to := range map[string]string{"POST": "", "PATCH": path} {
				got := b.send(t, b.secret, method, "/api/v1/webhooks"+to, body)
				got.wantError(t, method, 400, "VALIDATION_ERROR")
				if strings.Contains(got.text, "hunter2") {
					t.Errorf("%s %.80s answers %s, which tells the value", method, body, got.text)
				}
			}
		})
	}
	got := b.send(t, b.secret, "PATCH", "/api/v1/webhooks"+path, `{"x":1}`)
	if rule := got.body.Details.Message; !strings.Contains(rule, "deliverHeld") || strings.Contains(rule, "secret") ||
		strings.Contains(rule, "signature") {
		t.Errorf("PATCH of an unknown field says %q, want the fields that can be changed", rule)
	}
}
