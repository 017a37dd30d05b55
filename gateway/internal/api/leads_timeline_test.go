package api_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// timePattern is every time as answers write it.
var timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// shownTimeline is a timeline as a client reads it.
type shownTimeline struct {
	LeadID, Status string
	Truncated      bool
	Entries        []shownEntry
}

type shownEntry struct {
	At                                                                            *string
	Kind, Source, State, Type, EventID, DeliveryID, EndpointID, Host, Error, Note string
	ChatbotID, NextAttemptAt                                                      *string
	Number, Attempts, Status, LatencyMs                                           int
}

func (b *bundle) timeline(t *testing.T, lead string) (l shownTimeline) {
	t.Helper()
	got := b.mustSend(t, "GET", "/api/v1/leads/"+lead+"/timeline", "", 200)
	if err := json.Unmarshal(got.body.Data, &l); err != nil {
		t.Fatalf("timeline = %s: %v", got.text, err)
	}
	return l
}

// of returns the entries of a kind.
func (l shownTimeline) of(kind string) (all []shownEntry) {
	for _, e := range l.Entries {
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

// From acceptance to the last attempt, in order.
func TestTimelineOfADeliveredLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	endpoint, bot := b.mustWebhooks(t, `,"eventTypes":["lead.created"]`)[0], id.Chatbot.Format(b.chatbot)
	made := mustID(t, b.mustSend(t, "POST", "/api/v1/chatbots/"+bot+"/leads",
		`{"email":"a@example.com","source":"website"}`, 201))
	b.mustAttempt(t, endpoint, webhook.Attempt{Number: 1, Status: 503, Error: webhook.StatusError(503),
		Latency: 40 * time.Millisecond}, webhook.Pending)
	b.mustAttempt(t, endpoint, webhook.Attempt{Number: 2, Status: 200, Latency: 31 * time.Millisecond,
		ResponseHead: "thanks"}, webhook.Delivered)
	b.mustEnrich(t, []byte(`{}`))
	l := b.timeline(t, made)
	if want := "Stored; 1 webhook delivery made, all arrived."; l.LeadID != made || l.Status != want || l.Truncated {
		t.Errorf("timeline = %+v, want %q", l, want)
	}
	var kinds []string
	for i, e := range l.Entries {
		kinds = append(kinds, e.Kind)
		if e.At == nil || i > 0 && *e.At < *l.Entries[i-1].At {
			t.Errorf("entry %d is at %v, want not before the one above", i, e.At)
		}
	}
	slices.Sort(kinds)
	if diff := cmp.Diff([]string{"attempt", "attempt", "delivery", "enrichment", "event", "event", "lead.accepted"},
		kinds); diff != "" {
		t.Fatalf("kinds (-want +got):\n%s", diff)
	}
	first, deliveries := l.Entries[0], l.of("delivery")
	if first.Kind != "lead.accepted" || first.Source != "website" || first.ChatbotID == nil || *first.ChatbotID != bot {
		t.Errorf("the first entry = %+v, want the lead accepted from %s", first, bot)
	}
	d := deliveries[0]
	if d.EndpointID != endpoint || d.Host != "hooks.example.com" || d.State != "delivered" || d.NextAttemptAt != nil ||
		d.Note != "" {
		t.Errorf("delivery = %+v, want it delivered to hooks.example.com", d)
	}
	attempts := l.of("attempt")
	if a := attempts[0]; a.DeliveryID != d.DeliveryID || a.EndpointID != endpoint || a.Number != 1 || a.Status != 503 ||
		a.Error != "status: 503" || a.LatencyMs != 40 {
		t.Errorf("first attempt = %+v, want the 503", a)
	}
	if a := attempts[1]; a.Number != 2 || a.Status != 200 || a.Error != "" || a.LatencyMs != 31 {
		t.Errorf("second attempt = %+v, want the 200", a)
	}
	if e := l.of("enrichment")[0]; e.State != "done" || e.Attempts != 1 || e.Note != "" {
		t.Errorf("enrichment = %+v, want it done", e)
	}
	events := l.of("event")
	if events[0].Type != "lead.created" || events[0].Note != "" || events[0].EventID != d.EventID {
		t.Errorf("the first event = %+v, want lead.created", events[0])
	}
	if want := "no webhook endpoint was subscribed to lead.enriched when it happened"; events[1].Note != want {
		t.Errorf("the event nobody asked for = %+v, want the note %q", events[1], want)
	}
}

// mustEnrich lets all enrichment that is owed come to facts.
func (b *bundle) mustEnrich(t *testing.T, facts []byte) {
	t.Helper()
	_, err := b.db.Enrich(t.Context(), []id.UUID{b.workspace}, 100, func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		found := make([]pg.Finding, len(leads))
		for i := range found {
			found[i] = pg.Finding{Facts: facts, Retry: time.Hour}
		}
		return found
	})
	if err != nil {
		t.Fatal(err)
	}
}

// situation is what can have happened to the webhook of a lead, and what its timeline says then. TIME stands for any
// time, ENDPOINT and DELIVERY for the ids, HOST for hooks.example.com (ENDPOINT).
type situation struct {
	endpoint string // more of the body that makes it
	happens  func(b *bundle, endpoint, delivery string)
	state    string
	note     string // of the delivery
	status   string
	due      bool // it has a next attempt
}

func situations(t *testing.T) map[string]situation {
	exec := func(q string, args ...any) func(*bundle, string, string) {
		return func(b *bundle, _, _ string) {
			b.db.MustExecContext(t.Context(), q+` where workspace_id = $1`, append([]any{b.workspace}, args...)...)
		}
	}
	send := func(method, body string, status int) func(*bundle, string, string) {
		return func(b *bundle, e, _ string) { b.mustSend(t, method, "/api/v1/webhooks/"+e, body, status) }
	}
	fails := func(b *bundle, e, _ string) {
		b.mustAttempt(t, e, webhook.Attempt{Number: 1, Status: 503, Error: webhook.StatusError(503)}, webhook.Pending)
	}
	then := func(all ...func(*bundle, string, string)) func(*bundle, string, string) {
		return func(b *bundle, e, d string) {
			for _, f := range all {
				f(b, e, d)
			}
		}
	}
	breaker := exec(
		`update endpoints set failures = 6, probe_at = now() + interval '1 hour', last_error = 'timeout: no whole answer in 15s'`)
	const none = "Stored; 0 of 1 webhook delivery arrived. HOST: "
	return map[string]situation{
		"not tried": {"", then(), "pending", "due since TIME, no worker has picked it up yet",
			none + "due since TIME, no worker has picked it up yet.", true},
		"behind others": {`,"eventTypes":["lead.created"]`, func(b *bundle, _, d string) {
			b.mustCreate(t, b.owner, "b@example.com")
			mine, _ := id.Delivery.Parse(d)
			b.db.MustExecContext(t.Context(),
				`update deliveries set next_at = now() - interval '1 hour' where workspace_id = $1 and id <> $2`, b.workspace, mine)
		}, "pending", "waiting for earlier deliveries to this endpoint",
			none + "waiting for earlier deliveries to this endpoint.", true},
		"under way": {"", exec(`update endpoints set drain_token = id, drain_until = now() + interval '1 minute'`), "pending",
			"being sent now", none + "being sent now.", true},
		"paced": {`,"rate":7`, exec(`update endpoints set paced_until = now() + interval '1 minute'`), "pending",
			"waiting for the rate of the endpoint, at most 7/s", none + "waiting for the rate of the endpoint, at most 7/s.",
			true},
		"failed once, and due": {"", then(fails, exec(`update deliveries set next_at = now() - interval '1 hour'`),
			exec(`update endpoints set drain_until = null`)), "pending",
			"1 attempt failed, the last with 503 from hooks.example.com, next attempt due since TIME, no worker has picked it up yet",
			none +
				"1 attempt failed, the last with 503 from hooks.example.com, next attempt due since TIME, no worker has picked it up yet.", true},
		"given up, then disabled": {"", then(fails, exec(`update deliveries set state = 'exhausted', next_at = null`),
			send("PATCH", `{"enabled":false}`, 200)), "exhausted",
			"given up after 1 attempt, the last failed with 503 from hooks.example.com; the endpoint is disabled: enable it, then send it again with POST /api/v1/deliveries/DELIVERY/resend",
			none +
				"given up after 1 attempt, the last failed with 503 from hooks.example.com; the endpoint is disabled: enable it, then send it again with POST /api/v1/deliveries/DELIVERY/resend.", false},
		"given up, then deleted": {"", then(fails, exec(`update deliveries set state = 'exhausted', next_at = null`),
			send("DELETE", "", 204)), "exhausted",
			"given up after 1 attempt, the last failed with 503 from hooks.example.com; the endpoint was deleted, so it cannot be sent again",
			none +
				"given up after 1 attempt, the last failed with 503 from hooks.example.com; the endpoint was deleted, so it cannot be sent again.", false},
		"due later": {"", exec(`update deliveries set next_at = now() + interval '1 hour'`), "pending", "due at TIME",
			none + "due at TIME.", true},
		"failed once": {"", fails, "pending",
			"1 attempt failed, the last with 503 from hooks.example.com, next attempt due at TIME",
			none + "1 attempt failed, the last with 503 from hooks.example.com, next attempt due at TIME.", true},
		"breaker open": {"", then(fails, breaker), "pending",
			"waiting, the endpoint is failing (timeout at hooks.example.com), next probe with one delivery at TIME",
			none + "waiting, the endpoint is failing (timeout at hooks.example.com), next probe with one delivery at TIME.",
			true},
		"in order": {`,"maxInFlight":1`, then(fails, breaker), "pending",
			"waiting in order, the endpoint is failing (timeout at hooks.example.com), next attempt at TIME",
			none + "waiting in order, the endpoint is failing (timeout at hooks.example.com), next attempt at TIME.", true},
		"disabled": {"", send("PATCH", `{"enabled":false}`, 200), "held",
			"held, the endpoint is disabled since TIME by its owner; enable it with deliverHeld to send what is held",
			none + "held, the endpoint is disabled since TIME by its owner; enable it with deliverHeld to send what is held.",
			false},
		"disabled after 410, not yet held": {"",
			exec(`update endpoints set enabled = false, disabled_at = now(), disabled_reason = 'gone'`), "held",
			"held, the endpoint is disabled since TIME because it answered 410; enable it with deliverHeld to send what is held",
			none +
				"held, the endpoint is disabled since TIME because it answered 410; enable it with deliverHeld to send what is held.", false},
		"enabled again": {"", then(send("PATCH", `{"enabled":false}`, 200), send("PATCH", `{"enabled":true}`, 200)), "held",
			"held while the endpoint was disabled, and not sent since; resend it or make a replay",
			none + "held while the endpoint was disabled, and not sent since; resend it or make a replay.", false},
		"deleted": {"", send("DELETE", "", 204), "cancelled", "cancelled because the endpoint was deleted",
			none + "cancelled because the endpoint was deleted.", false},
		"given up": {"", then(fails, exec(`update deliveries set state = 'exhausted', next_at = null, attempts = 12`)),
			"exhausted",
			"given up after 12 attempts, the last failed with 503 from hooks.example.com; send it again with POST /api/v1/deliveries/DELIVERY/resend",
			none +
				"given up after 12 attempts, the last failed with 503 from hooks.example.com; send it again with POST /api/v1/deliveries/DELIVERY/resend.", false},
	}
}

func TestTimelineExplainsWhyNothingArrived(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range situations(t) {
		t.Run(name, func(t *testing.T) {
			b.owner = b.mustWorkspace(t, tenant.Settings{})
			endpoint := b.mustWebhooks(t, c.endpoint)[0]
			made := b.mustCreate(t, b.owner, "a@example.com")
			all, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
			c.happens(b, endpoint, all[0].ID)
			l := b.timeline(t, made)
			d := l.of("delivery")[0]
			say := strings.NewReplacer(endpoint, "ENDPOINT", "hooks.example.com ("+endpoint+")", "HOST", all[0].ID, "DELIVERY")
			mask := func(text string) string { return timePattern.ReplaceAllString(say.Replace(text), "TIME") }
			if got := mask(l.Status); got != c.status {
				t.Errorf("status = %q, want %q", got, c.status)
			}
			if got := mask(d.Note); got != c.note || d.State != c.state || (d.NextAttemptAt != nil) != c.due {
				t.Errorf("delivery = %+v, want it %s with the note %q and a next attempt: %v", d, c.state, c.note, c.due)
			}
			if d.NextAttemptAt != nil && !strings.Contains(d.Note, "waiting for") && !strings.Contains(d.Note, "being sent") &&
				!strings.Contains(d.Note, *d.NextAttemptAt) {
				t.Errorf("the next attempt is at %s, but the note says %q", *d.NextAttemptAt, d.Note)
			}
		})
	}
}

func TestTimelineWithoutDeliveries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustWebhooks(t, `,"eventTypes":["lead.deleted"]`)
	made := b.mustCreate(t, b.owner, "a@example.com")
	l := b.timeline(t, made)
	if want := "Stored; no webhook endpoint is subscribed to its events, so nothing is sent."; l.Status != want {
		t.Errorf("status = %q, want %q", l.Status, want)
	}
	if e := l.of("event")[0]; e.Note != "no webhook endpoint was subscribed to lead.created when it happened" {
		t.Errorf("event = %+v, want a note that nobody asked for it", e)
	}
	if e := l.of("enrichment")[0]; e.State != "owed" || e.At == nil || e.Attempts != 0 || e.Note != "" {
		t.Errorf("enrichment = %+v, want it owed", e)
	}
	b.mustEnrich(t, nil)
	if e := b.timeline(t, made).of("enrichment")[0]; e.State != "owed" || e.Attempts != 1 ||
		e.Note != "1 attempt failed, next attempt at "+*e.At {
		t.Errorf("enrichment after a failure = %+v, want it owed with the next try", e)
	}
	b.db.MustExecContext(t.Context(), `update enrichments set attempts = 10, due_at = null`)
	b.db.MustExecContext(t.Context(), `delete from events`)
	l = b.timeline(t, made)
	if want := "Stored; its events are no longer kept. Enrichment was given up."; l.Status != want || len(l.Entries) != 2 {
		t.Errorf("status = %q with %d entries, want %q with 2", l.Status, len(l.Entries), want)
	}
	if e := l.Entries[1]; e.Kind != "enrichment" || e.State != "failed" || e.At != nil ||
		e.Note != "given up after 10 attempts without a result" {
		t.Errorf("the last entry = %+v, want enrichment failed, at no known time", e)
	}
}

// The summary explains three endpoints, each by its first delivery that has not arrived, and counts the rest.
func TestTimelineOfManyEndpoints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hooks := b.mustWebhooks(t, "", "", "", "", "", "")
	made := b.mustCreate(t, b.owner, "a@example.com")
	all, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
	b.mustSet(t, all[0].ID, "delivered")
	b.mustEnrich(t, []byte(`{}`))
	status := b.timeline(t, made).Status
	if !strings.HasPrefix(status, "Stored; 1 of 12 webhook deliveries arrived. ") || !strings.HasSuffix(status,
		"; and 3 more endpoints.") || strings.Count(status, "hooks.example.com (we_") != 3 {
		t.Errorf("status = %q, want three of six endpoints explained and the rest counted", status)
	}
	told := 0
	for _, h := range hooks {
		told += strings.Count(status, h)
	}
	if told != 3 {
		t.Errorf("status = %q names %d endpoints, want each of three once", status, told)
	}
}

// A timeline that is too long is cut off at its end.
func TestTimelineIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustWebhooks(t, `,"eventTypes":["lead.created"]`)
	made := b.mustCreate(t, b.owner, "a@example.com")
	b.mustSet(t, firstDelivery(t, b), "delivered")
	const some = `
insert into attempts (workspace_id, delivery_id, id, number, status, latency_ms, created_at)
select workspace_id, id, cast(left(cast(id as text), 24) || lpad(to_hex(n), 12, '0') as uuid), n, 500, 1, created_at + make_interval(secs => n)
  from deliveries, generate_series($1::int, $2::int) as n`
	b.db.MustExecContext(t.Context(), some, 1, 996) // with acceptance, enrichment, event and delivery: 1,000
	l := b.timeline(t, made)
	if l.Truncated || len(l.Entries) != 1000 || l.Status != "Stored; 1 webhook delivery made, all arrived." {
		t.Errorf("timeline has %d entries, truncated %v, %q, want all 1,000", len(l.Entries), l.Truncated, l.Status)
	}
	b.db.MustExecContext(t.Context(), some, 997, 1005)
	l = b.timeline(t, made)
	if last := l.Entries[999]; !l.Truncated || len(l.Entries) != 1000 || last.Number != 996 || !strings.HasSuffix(l.Status,
		"Only the first 1000 entries are shown.") {
		t.Errorf("timeline has %d entries, truncated %v, the last %+v, %q, want the first 1,000", len(l.Entries), l.Truncated,
			last, l.Status)
	}
}

func firstDelivery(t *testing.T, b *bundle) string {
	t.Helper()
	all, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
	if len(all) == 0 {
		t.Fatal("there are no deliveries")
	}
	return all[len(all)-1].ID
}
