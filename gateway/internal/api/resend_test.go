package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// mustDelivery reads one delivery.
func (b *bundle) mustDelivery(t *testing.T, delivery string) (d shownDelivery) {
	t.Helper()
	got := b.mustSend(t, "GET", "/api/v1/deliveries/"+delivery, "", 200)
	if err := json.Unmarshal(got.body.Data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// tries is how far a delivery is in its schedule.
func (b *bundle) tries(t *testing.T, delivery string) (n int) {
	t.Helper()
	u, _ := id.Delivery.Parse(delivery)
	if err := b.db.GetContext(t.Context(), &n, `select tries from deliveries where id = $1`, u); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestResend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	endpoint := b.mustWebhooks(t, "")[0]
	b.mustCreate(t, b.owner, "a@example.com")
	all, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
	delivery := all[0].ID
	b.mustAttempt(t, endpoint, webhook.Attempt{Number: 1, Status: 500, Error: webhook.StatusError(500)}, webhook.Pending)
	for _, state := range []string{"delivered", "exhausted", "held"} {
		b.mustSet(t, delivery, state)
		before := time.Now()
		got := b.mustSend(t, "POST", "/api/v1/deliveries/"+delivery+"/resend", "", 202)
		var d shownDelivery
		if err := json.Unmarshal(got.body.Data, &d); err != nil || d.State != "pending" || d.AttemptCount != 1 ||
			len(d.Attempts) != 1 || d.NextAttemptAt == nil {
			t.Fatalf("resend of a %s one = %s, want it pending with its attempt", state, got.text)
		}
		if at, err := time.Parse(time.RFC3339, *d.NextAttemptAt); err != nil || at.Sub(before) > time.Second {
			t.Errorf("resend of a %s one is due at %s, want now", state, *d.NextAttemptAt)
		}
		if n := b.tries(t, delivery); n != 0 {
			t.Errorf("resend of a %s one leaves %d tries, want its schedule begun anew", state, n)
		}
	}
	b.mustAttempt(t, endpoint, webhook.Attempt{Number: 2, Status: 204}, webhook.Delivered)
	if d := b.mustDelivery(t, delivery); d.State != "delivered" || d.AttemptCount != 2 {
		t.Errorf("delivery = %+v, want it delivered by the second attempt", d)
	}
	if n := b.queued(t, "webhook"); n != 1 {
		t.Errorf("wake-ups = %d, want one", n)
	}
}

// A pending delivery is tried now but keeps its place in the schedule; what is due already keeps its place in the
// order.
func TestResendOfPending(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustWebhooks(t, "")
	b.mustCreate(t, b.owner, "a@example.com")
	all, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
	for _, c := range []struct{ offset, want time.Duration }{{10 * time.Hour, 0}, {-time.Hour, -time.Hour}} {
		b.db.MustExecContext(t.Context(),
			`update deliveries set attempts = 8, tries = 7, next_at = now() + cast($1 as interval)`, fmt.Sprint(c.offset))
		b.mustSend(t, "POST", "/api/v1/deliveries/"+all[0].ID+"/resend", "", 202)
		d := b.mustDelivery(t, all[0].ID)
		at, err := time.Parse(time.RFC3339, *d.NextAttemptAt)
		if off := at.Sub(time.Now().Add(c.want)); err != nil || off > time.Second || off < -time.Minute ||
			b.tries(t, d.ID) != 7 {
			t.Errorf("resend of one due in %v is due at %v with %d tries, want in %v and 7", c.offset, at, b.tries(t, d.ID),
				c.want)
		}
	}
}

func TestResendConflicts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		change func(endpoint, delivery string)
		want   string
	}{
		"disabled": {func(e, _ string) { b.mustSend(t, "PATCH", "/api/v1/webhooks/"+e, `{"enabled":false}`, 200) },
			"The webhook endpoint is disabled: enable it first"},
		"deleted": {func(e, _ string) { b.mustSend(t, "DELETE", "/api/v1/webhooks/"+e, "", 204) },
			"The webhook endpoint was deleted: nothing can be sent to it again"},
		"event gone": {func(_, d string) {
			b.db.MustExecContext(t.Context(), `delete from events where workspace_id = $1`, b.workspace)
		}, "The delivery's event is kept no longer: it cannot be sent again"},
		"test": {func(_, d string) {
			b.db.MustExecContext(t.Context(), `update events set type = 'webhook.test' where workspace_id = $1`, b.workspace)
		}, "A test is sent once: make another one"},
	} {
		t.Run(name, func(t *testing.T) {
			b.owner = b.mustWorkspace(t, tenant.Settings{})
			endpoint := b.mustWebhooks(t, "")[0]
			b.mustCreate(t, b.owner, "a@example.com")
			all, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
			b.mustSet(t, all[0].ID, "exhausted")
			c.change(endpoint, all[0].ID)
			got := b.send(t, b.secret, "POST", "/api/v1/deliveries/"+all[0].ID+"/resend", "")
			got.wantError(t, name, 409, "CONFLICT")
			if got.body.Error != c.want {
				t.Errorf("%s says %q, want %q", name, got.body.Error, c.want)
			}
			if d := b.mustDelivery(t, all[0].ID); d.State != "exhausted" {
				t.Errorf("%s: the delivery is %s now, want it left alone", name, d.State)
			}
		})
	}
}

// Without Redis a resend and a replay are accepted all the same: the sweep finds them.
func TestResendAndReplayWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustWebhooks(t, "")
	b.mustCreate(t, b.owner, "a@example.com")
	all, _ := page[shownDelivery](t, b, "/api/v1/deliveries")
	b.mustSet(t, all[0].ID, "exhausted")
	if err := b.redis.Close(); err != nil {
		t.Fatal(err)
	}
	b.mustSend(t, "POST", "/api/v1/replays", `{}`, 201)
	b.mustSend(t, "POST", "/api/v1/deliveries/"+all[0].ID+"/resend", "", 202)
	if d := b.mustDelivery(t, all[0].ID); d.State != "pending" {
		t.Errorf("delivery = %s, want it pending", d.State)
	}
}

// What takes no body does nothing when it gets one: who sends one means something by it.
func TestResendAndCancelTakeNoBody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustWebhooks(t, "")
	b.mustCreate(t, b.owner, "a@example.com")
	delivery := firstDelivery(t, b)
	b.mustSet(t, delivery, "exhausted")
	replay := b.replay(t, "POST", "/api/v1/replays", `{}`, 201)
	for path, status := range map[string]int{"/api/v1/deliveries/" + delivery + "/resend": 202, "/api/v1/replays/" +
		replay.ID + "/cancel": 200} {
		b.send(t, b.secret, "POST", path, `{"force":true}`).wantError(t, path, 400, "VALIDATION_ERROR")
		b.send(t, b.secret, "POST", path, `{"x":"`+strings.Repeat("x", 64<<10)+`"}`).wantError(t, path, 413,
			"PAYLOAD_TOO_LARGE")
		if got := b.raw(t, "POST "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+b.secret+
			"\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx", false); got.status != 415 {
			t.Errorf("%s with a text = %d %s, want 415", path, got.status, got.text)
		}
		if d := b.mustDelivery(t, delivery); d.State != "exhausted" && status == 202 {
			t.Errorf("%s with a body left the delivery %s, want it as it was", path, d.State)
		}
		b.mustSend(t, "POST", path, `{}`, status)
	}
}
