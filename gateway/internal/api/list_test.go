package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/api"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// small makes pages that look at n rows.
func small(n int) func(*api.Deps) { return func(d *api.Deps) { d.PageScan = n } }

// page reads one page of a list.
func page[T any](t *testing.T, b *bundle, path string) (rows []T, next *string) {
	t.Helper()
	got := b.send(t, b.secret, "GET", path, "")
	if err := json.Unmarshal(got.body.Data, &rows); err != nil || got.status != 200 {
		t.Fatalf("GET %s = %d %s, want a list", path, got.status, got.text)
	}
	return rows, got.body.NextCursor
}

// pages reads a whole list and tells how many of its pages were empty.
func pages[T any](t *testing.T, b *bundle, path string, query url.Values) (rows []T, empty int) {
	t.Helper()
	query = maps.Clone(query)
	for range 1000 {
		some, next := page[T](t, b, path+"?"+query.Encode())
		rows = append(rows, some...)
		if len(some) == 0 {
			empty++
		}
		if next == nil {
			return rows, empty
		}
		query.Set("cursor", *next)
	}
	t.Fatalf("%s?%s has no last page", path, query.Encode())
	return nil, 0
}

// mustSet puts a delivery into a state as a worker would leave it.
func (b *bundle) mustSet(t *testing.T, delivery, state string) {
	t.Helper()
	u, err := id.Delivery.Parse(delivery)
	if err != nil {
		t.Fatal(err)
	}
	b.db.MustExecContext(t.Context(),
		`update deliveries set state = $2, next_at = case when $2 = 'pending' then now() end where id = $1`, u, state)
}

// mustWebhooks makes endpoints and returns their ids.
func (b *bundle) mustWebhooks(t *testing.T, more ...string) (ids []string) {
	t.Helper()
	for _, m := range more {
		ids = append(ids, mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"`+m+
			`}`)))
	}
	return ids
}

// pause waits for the next millisecond, so that ids on both sides of the time it returns tell them apart.
func pause() time.Time {
	at := time.Now().Truncate(time.Millisecond).Add(2 * time.Millisecond)
	for !time.Now().After(at) {
		time.Sleep(time.Until(at))
	}
	return at
}

// Each filter picks what the full list has of it, page by page, also when a page may look at few rows only.
func TestDeliveriesByFilter(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*bundle{"": setup(t), ", looking at 3 rows a page": setup(t, small(3))} {
		hooks, leads, middle := b.mustHistory(t)
		all, _ := pages[shownDelivery](t, b, "/api/v1/deliveries", url.Values{"limit": {"200"}})
		if len(all) != 20 || !slices.IsSortedFunc(all, func(x, y shownDelivery) int { return strings.Compare(y.ID, x.ID) }) {
			t.Fatalf("deliveries%s = %d, want 20, newest first", name, len(all))
		}
		for query, fits := range filters(hooks, leads, middle) {
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			want, ofLast := []shownDelivery(nil), []shownDelivery(nil)
			for _, d := range all {
				if fits(d) {
					want = append(want, d)
				}
				if fits(d) && d.EndpointID == hooks[3] {
					ofLast = append(ofLast, d)
				}
			}
			for _, limit := range []string{"1", "3", "200"} {
				q.Set("limit", limit)
				got, _ := pages[shownDelivery](t, b, "/api/v1/deliveries", q)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("deliveries by %s, limit %s%s (-want +got):\n%s", query, limit, name, diff)
				}
			}
			if q.Has("endpointId") {
				continue
			}
			got, _ := pages[shownDelivery](t, b, "/api/v1/webhooks/"+hooks[3]+"/deliveries", q)
			if diff := cmp.Diff(ofLast, got); diff != "" {
				t.Errorf("deliveries of an endpoint by %s%s (-want +got):\n%s", query, name, diff)
			}
		}
	}
}

// mustHistory makes 20 deliveries in every state, of four endpoints, the third deleted and the fourth disabled; the
// last lead came after middle.
func (b *bundle) mustHistory(t *testing.T) (hooks, leads []string, middle time.Time) {
	t.Helper()
	hooks = b.mustWebhooks(t, "", `,"eventTypes":["lead.created"]`, "", "")
	for i := range 4 {
		leads = append(leads, b.mustCreate(t, b.owner, fmt.Sprintf("a%d@example.com", i)))
	}
	middle = pause()
	leads = append(leads, b.mustCreate(t, b.owner, "b@example.com"))
	all, _ := pages[shownDelivery](t, b, "/api/v1/deliveries", url.Values{})
	for i, state := range []string{"delivered", "exhausted", "held", "delivered", "exhausted"} {
		b.mustSet(t, all[3*i].ID, state)
	}
	b.mustSend(t, "DELETE", "/api/v1/webhooks/"+hooks[2], "", 204)
	b.mustSend(t, "PATCH", "/api/v1/webhooks/"+hooks[3], `{"enabled":false}`, 200)
	all, _ = pages[shownDelivery](t, b, "/api/v1/deliveries", url.Values{})
	seen := map[string]bool{}
	for _, d := range all {
		seen[d.State] = true
	}
	if len(seen) != 5 {
		t.Fatalf("states = %v, want all five", seen)
	}
	return hooks, leads, middle
}

// filters are queries, and what each picks.
func filters(hooks, leads []string, middle time.Time) map[string]func(shownDelivery) bool {
	late := func(d shownDelivery) bool { return d.LeadID == leads[4] }
	state := func(states ...string) func(shownDelivery) bool {
		return func(d shownDelivery) bool { return slices.Contains(states, d.State) }
	}
	of := func(endpoint string) func(shownDelivery) bool {
		return func(d shownDelivery) bool { return d.EndpointID == endpoint }
	}
	at := middle.UTC().Format(time.RFC3339Nano)
	elsewhere := strings.Replace(middle.In(time.FixedZone("", 5400)).Format(time.RFC3339Nano), "+", "%2B", 1)
	return map[string]func(shownDelivery) bool{
		"endpointId=" + hooks[0]: of(hooks[0]), "endpointId=" + hooks[2]: of(hooks[2]),
		"state=pending": state("pending"), "state=delivered": state("delivered"), "state=exhausted": state("exhausted"),
		"state=held": state("held"), "state=cancelled": state("cancelled"),
		"state=held,exhausted": state("held", "exhausted"), "state=pending,delivered,pending": state("pending", "delivered"),
		"eventType=lead.created": func(shownDelivery) bool { return true },
		"eventType=webhook.test": func(shownDelivery) bool { return false },
		"leadId=" + leads[4]:     late, "from=" + at: late, "from=" + elsewhere: late,
		"until=" + at: func(d shownDelivery) bool { return !late(d) },
		"state=cancelled&eventType=lead.created&endpointId=" +
			hooks[2]: func(d shownDelivery) bool { return d.EndpointID == hooks[2] && d.State == "cancelled" },
		"leadId=" + leads[0] + "&endpointId=" + hooks[0]: func(
			d shownDelivery) bool {
			return d.EndpointID == hooks[0] && d.LeadID == leads[0]
		},
	}
}

// mustSend sends what must be answered with this status.
func (b *bundle) mustSend(t *testing.T, method, path, body string, status int) answer {
	t.Helper()
	got := b.send(t, b.secret, method, path, body)
	if got.status != status {
		t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, got.status, got.text, status)
	}
	return got
}

// A page that looked at its share of rows and found nothing is empty and names the next one.
func TestEmptyPageWithACursor(t *testing.T) {
	t.Parallel()
	b := setup(t, small(2))
	b.mustWebhooks(t, "")
	for i := range 5 {
		b.mustCreate(t, b.owner, fmt.Sprintf("a%d@example.com", i))
	}
	all, _ := pages[shownDelivery](t, b, "/api/v1/deliveries", url.Values{})
	b.mustSet(t, all[4].ID, "delivered")
	some, next := page[shownDelivery](t, b, "/api/v1/deliveries?state=delivered")
	if len(some) != 0 || next == nil || *next != all[1].ID {
		t.Errorf("the first page = %v, next %v, want none and %s, the last it looked at", some, next, all[1].ID)
	}
	found, empty := pages[shownDelivery](t, b, "/api/v1/deliveries", url.Values{"state": {"delivered"}})
	if len(found) != 1 || found[0].ID != all[4].ID || empty != 2 {
		t.Errorf("all pages = %v with %d empty ones, want the delivered one after two empty pages", found, empty)
	}
	events, _ := pages[shownEvent](t, b, "/api/v1/events", url.Values{})
	none, next := page[shownEvent](t, b, "/api/v1/events?eventType=lead.deleted")
	if len(none) != 0 || next == nil || *next != events[1].ID {
		t.Errorf("the first page of events = %v, next %v, want none and %s", none, next, events[1].ID)
	}
}

// shownEvent is an event as a client reads it.
type shownEvent struct {
	ID, Type, CreatedAt string
	LeadID, ChatbotID   *string
	Data                json.RawMessage
	Deliveries          []shownDelivery
}

func TestEventsByFilter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustWebhooks(t, "", "")
	bot := id.Chatbot.Format(b.chatbot)
	var leads []string
	for i := range 4 {
		leads = append(leads, b.mustCreate(t, b.owner, fmt.Sprintf("a%d@example.com", i)))
	}
	middle := pause().UTC().Format(time.RFC3339Nano)
	leads = append(leads, mustID(t, b.send(t, b.secret, "POST", "/api/v1/chatbots/"+bot+"/leads",
		`{"email":"b@example.com","metadata":{"a":"<b>"}}`)))
	all, _ := pages[shownEvent](t, b, "/api/v1/events", url.Values{"limit": {"200"}})
	var about []string
	for _, e := range all {
		about = append(about, *e.LeadID)
		if e.Type != "lead.created" || e.Data != nil || e.Deliveries != nil {
			t.Errorf("event = %+v, want lead.created without data", e)
		}
	}
	slices.Reverse(about)
	if diff := cmp.Diff(leads, about); diff != "" {
		t.Fatalf("leads of events, oldest first (-want +got):\n%s", diff)
	}
	if e := all[0]; e.ChatbotID == nil || *e.ChatbotID != bot || all[1].ChatbotID != nil {
		t.Errorf("chatbots of events = %v and %v, want %s and none", e.ChatbotID, all[1].ChatbotID, bot)
	}
	for query, want := range map[string][]shownEvent{
		"eventType=lead.created": all, "eventType=lead.enriched": nil, "leadId=" + leads[2]: all[2:3], "chatbotId=" +
			bot: all[:1], "from=" + middle: all[:1], "until=" + middle: all[1:],
	} {
		t.Run(query, func(t *testing.T) {
			q, _ := url.ParseQuery(query)
			for _, limit := range []string{"1", "2", "200"} {
				q.Set("limit", limit)
				if got, _ := pages[shownEvent](t, b, "/api/v1/events", q); !slices.EqualFunc(got, want,
					func(x, y shownEvent) bool { return x.ID == y.ID }) {
					t.Errorf("events by %s = %v, want %v", q.Encode(), got, want)
				}
			}
		})
	}

	got := b.mustSend(t, "GET", "/api/v1/events/"+all[0].ID, "", 200)
	var e shownEvent
	if err := json.Unmarshal(got.body.Data, &e); err != nil {
		t.Fatal(err)
	}
	var data struct {
		ID       string
		Metadata map[string]string
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || data.ID != leads[4] || data.Metadata["a"] != "<b>" {
		t.Errorf("data = %s, want the lead", e.Data)
	}
	want, _ := page[shownDelivery](t, b, "/api/v1/deliveries?leadId="+leads[4])
	if diff := cmp.Diff(want, e.Deliveries); diff != "" || len(want) != 2 || want[0].EventID != e.ID {
		t.Errorf("deliveries of the event (-want +got):\n%s", diff)
	}
	one := b.mustSend(t, "GET", "/api/v1/deliveries/"+want[0].ID, "", 200)
	var d struct {
		shownDelivery
		Event shownEvent
	}
	if err := json.Unmarshal(one.body.Data, &d); err != nil {
		t.Fatal(err)
	}
	e.Deliveries = nil
	if diff := cmp.Diff(want[0], d.shownDelivery) + cmp.Diff(e, d.Event); diff != "" {
		t.Errorf("the delivery with its event (-want +got):\n%s", diff)
	}
	b.db.MustExecContext(t.Context(), `delete from events`)
	if got := b.mustSend(t, "GET", "/api/v1/deliveries/"+want[0].ID, "", 200); !strings.Contains(got.text,
		`"event":null`) || !strings.Contains(got.text, `"leadId":null`) {
		t.Errorf("delivery of an event kept no longer = %s, want event null", got.text)
	}
}

func TestListInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hook := b.mustWebhooks(t, "")[0]
	const stamps = "Must be an RFC 3339 time in the years 1970 to 9999, such as 2026-01-15T10:30:00Z (in a URL, write + as %2B), " +
		"or a day (UTC) such as 2026-01-15"
	for query, fields := range map[string][]string{
		"deliveries?limit=0": {"limit"}, "deliveries?limit=201": {"limit"}, "deliveries?limit=": {"limit"},
		"deliveries?limit=1e2": {"limit"},
		"deliveries?cursor=x":  {"cursor"}, "deliveries?cursor=": {"cursor"}, "deliveries?cursor=" + hook: {"cursor"},
		"deliveries?state=dead": {"state"}, "deliveries?state=": {"state"}, "deliveries?state=held,": {"state"},
		"deliveries?state=held,%20pending": {"state"},
		"deliveries?eventType=lead.*":      {"eventType"}, "deliveries?eventType=": {"eventType"},
		"deliveries?endpointId=": {"endpointId"},
		"deliveries?endpointId=x&leadId=x&from=x&until=x&state=x&eventType=x&limit=x&cursor=x": {"endpointId", "state",
			"eventType", "leadId", "from", "until", "limit", "cursor"},
		"deliveries?leadId=" + hook:                                                   {"leadId"},
		"deliveries?from=2026-01-32":                                                  {"from"},
		"deliveries?until=2026-01-15T10:30:00+01:00":                                  {"until"},
		"deliveries?from=2026-01-15T10:30:00Z&until=2026-01-15T10:30:00Z":             {"until"},
		"deliveries?from=0000-01-01T00:00:00%2B23:59&until=9999-12-31T23:59:59-23:59": {"from", "until"},
		"events?from=0001-01-01T00:00:00Z&until=1969-12-31T23:59:59Z":                 {"from", "until"},
		"webhooks/" + hook + "/deliveries?state=x&endpointId=" + hook:                 {"endpointId"},
		"webhooks/" + hook + "/deliveries?state=x&limit=-1":                           {"state", "limit"},
		"events?eventType=lead&leadId=x&chatbotId=x&from=x&until=x&limit=x&cursor=x": {"eventType", "leadId", "chatbotId",
			"from", "until", "limit", "cursor"},
		"events?cursor=" + strings.Replace(hook, "we_", "dlv_", 1): {"cursor"},
		"events?type=lead.created":                                 {"type"},
		"replays?limit=x&cursor=x":                                 {"limit", "cursor"},
		"replays?state=running":                                    {"state"},
	} {
		t.Run(query, func(t *testing.T) {
			got := b.send(t, b.secret, "GET", "/api/v1/"+query, "")
			got.wantError(t, query, 400, "VALIDATION_ERROR")
			var names []string
			for _, e := range got.body.Details.Errors {
				names = append(names, e.Field)
			}
			if diff := cmp.Diff(fields, names); diff != "" {
				t.Errorf("%s: fields (-want +got):\n%s", query, diff)
			}
			if strings.HasSuffix(query, "+01:00") && got.body.Details.Message != stamps {
				t.Errorf("%s says %q, want %q", query, got.body.Details.Message, stamps)
			}
		})
	}
	for _, query := range []string{"deliveries?from=1970-01-01T00:00:00Z&until=9999-12-31T23:59:59.999999Z",
		"events?from=1970-01-01T00:00:00Z&until=9999-12-31T23:59:59.9999999Z", "deliveries?limit=200&state=held"} {
		b.mustSend(t, "GET", "/api/v1/"+query, "", 200)
	}
}

// Whatever is another workspace's is unknown, by every new route, and nothing of it is in a list.
func TestOthersDeliveriesAreUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine := b.owner
	b.owner = b.mustWorkspace(t, tenant.Settings{})
	hook, lead := b.mustWebhooks(t, "")[0], b.mustCreate(t, b.owner, "a@example.com")
	ours, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
	delivery, event := ours[0].ID, ours[0].EventID
	b.mustSet(t, delivery, "exhausted")
	replay := mustID(t, b.send(t, b.secret, "POST", "/api/v1/replays", `{}`))
	bot := id.Chatbot.Format(b.chatbot)
	b.owner = mine
	for _, prefix := range []string{"deliveries", "events", "replays"} {
		if got := b.send(t, b.secret, "GET", "/api/v1/"+prefix,
			""); got.text != `{"success":true,"data":[],"nextCursor":null}`+"\n" {
			t.Errorf("%s = %s, want none of the other workspace's", prefix, got.text)
		}
	}
	for route, code := range map[string]string{
		"GET /deliveries?endpointId=" + hook: "NOT_FOUND", "GET /deliveries?leadId=" + lead: "NOT_FOUND", "GET /webhooks/" +
			hook + "/deliveries?state=held": "NOT_FOUND",
		"GET /deliveries/" + delivery: "NOT_FOUND", "POST /deliveries/" + delivery + "/resend": "NOT_FOUND",
		"GET /events/" + event: "NOT_FOUND", "GET /events?leadId=" + lead: "NOT_FOUND", "GET /events?chatbotId=" +
			bot: "CHATBOT_NOT_FOUND",
		"GET /leads/" + lead + "/timeline": "NOT_FOUND", "GET /replays/" + replay: "NOT_FOUND", "POST /replays/" + replay +
			"/cancel": "NOT_FOUND",
		`POST /replays {"endpointId":"` + hook + `"}`: "NOT_FOUND", `POST /replays {"leadId":"` + lead + `"}`: "NOT_FOUND",
		"GET /deliveries/dlv_x": "NOT_FOUND", "GET /events/" + delivery: "NOT_FOUND",
		"GET /leads/lead_x/timeline": "NOT_FOUND", "GET /replays/rp_x": "NOT_FOUND",
		"POST /deliveries/x/resend": "NOT_FOUND", "POST /replays/x/cancel": "NOT_FOUND",
		"GET /deliveries?endpointId=" + id.Endpoint.Format(id.New()): "NOT_FOUND",
	} {
		t.Run(route, func(t *testing.T) {
			method, rest, _ := strings.Cut(route, " ")
			path, body, _ := strings.Cut(rest, " ")
			b.send(t, b.secret, method, "/api/v1"+path, body).wantError(t, route, 404, code)
		})
	}
	var state string
	if err := b.db.GetContext(t.Context(), &state, `select state from deliveries`); err != nil || state != "exhausted" {
		t.Errorf("the other's delivery is %s, %v, want it untouched", state, err)
	}
	if err := b.db.GetContext(t.Context(), &state, `select state from replays`); err != nil || state != "running" {
		t.Errorf("the other's replay is %s, %v, want it running", state, err)
	}
}

// However often a delivery was tried, it shows its newest attempts only; and in the list of endpoints a backlog is
// counted less far than alone.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	endpoint := b.mustWebhooks(t, `,"eventTypes":["lead.created"]`)[0]
	b.mustCreate(t, b.owner, "a@example.com")
	b.db.MustExecContext(t.Context(), `
insert into attempts (workspace_id, delivery_id, id, number, status, latency_ms, created_at)
select workspace_id, id, cast(left(cast(id as text), 24) || lpad(to_hex(n), 12, '0') as uuid), n, 500, 1, created_at from deliveries, generate_series(1, 60) as n`)
	b.db.MustExecContext(t.Context(), `update deliveries set attempts = 60`)
	listed, _ := b.deliveries(t, "/api/v1/deliveries")
	for what, d := range map[string]shownDelivery{"in a list": listed[0], "alone": b.mustDelivery(t, listed[0].ID)} {
		if d.AttemptCount != 60 || len(d.Attempts) != 50 || d.Attempts[0].Number != 11 || d.Attempts[49].Number != 60 {
			t.Errorf("%s: %d of %d attempts, want the newest 50 in their order", what, len(d.Attempts), d.AttemptCount)
		}
	}
	b.db.MustExecContext(t.Context(), `
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
select workspace_id, cast(left(cast(id as text), 24) || lpad(to_hex(n), 12, '0') as uuid), endpoint_id, event_id, 'pending', next_at, created_at, created_at from deliveries, generate_series(1, 1100) as n`)
	if all, _ := page[shownWebhook](t, b, "/api/v1/webhooks"); all[0].Backlog.Pending != 1000 {
		t.Errorf("pending in the list = %d, want 1000", all[0].Backlog.Pending)
	}
	if one := b.webhook(t, "GET", "/"+endpoint, "", 200); one.Backlog.Pending != 1101 {
		t.Errorf("pending = %d, want 1101", one.Backlog.Pending)
	}
}
