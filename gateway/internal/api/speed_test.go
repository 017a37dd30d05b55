package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

type shownFigures struct {
	Count                      int
	P50Ms, P95Ms, P99Ms, MaxMs *int
}

type shownSpeed struct {
	From, Until      string
	DeliveryTargetMs *int
	Workspace        shownFigures
	Endpoints        []struct {
		ID, Host  string
		SlowSince *string
		shownFigures
	}
}

// getSpeed reads the speed that a query asks for.
func (b *bundle) getSpeed(t *testing.T, secret, query string) (s shownSpeed) {
	t.Helper()
	got := b.send(t, secret, "GET", "/api/v1/speed"+query, "")
	if got.status != http.StatusOK {
		t.Fatalf("GET speed%s = %d %s, want 200", query, got.status, got.text)
	}
	got.data(t, &s)
	return s
}

// mustArrive stores that deliveries of an endpoint arrived then which took so long.
func (b *bundle) mustArrive(t *testing.T, ws id.UUID, endpoint string, at time.Time, took time.Duration, n int) {
	t.Helper()
	e, err := id.Endpoint.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.ExecContext(t.Context(), `
insert into delivery_times (workspace_id, endpoint_id, hour, bucket, n) values ($1, $2, $3, $4, $5)`, ws, e,
		at.UTC().Truncate(time.Hour), webhook.TimesBucket(took), n); err != nil {
		t.Fatal(err)
	}
}

func near(got *int, want time.Duration) bool {
	ms := int(want.Milliseconds())
	return got != nil && *got >= ms*9/10 && *got <= ms*11/10+1
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	busy := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://busy.example.com/in?key=secret"}`))
	quiet := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://quiet.example.com/"}`))
	gone := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://gone.example.com/"}`))
	b.patchWorkspace(t, b.secret, `{"deliveryTargetMs":5000}`)
	now := b.now()
	b.mustArrive(t, b.workspace, busy, now, 100*time.Millisecond, 90)
	b.mustArrive(t, b.workspace, busy, now.Add(-2*time.Hour), 8*time.Second, 10)
	b.mustArrive(t, b.workspace, busy, now.Add(-48*time.Hour), time.Hour, 5)
	b.mustArrive(t, b.workspace, gone, now, time.Hour, 1000)
	if got := b.send(t, b.secret, "DELETE", "/api/v1/webhooks/"+gone, ""); got.status != http.StatusNoContent {
		t.Fatalf("DELETE = %d %s", got.status, got.text)
	}
	b.forward(time.Second) // the key's settings are read anew
	got := b.getSpeed(t, b.secret, "")
	if len(got.Endpoints) != 2 || got.Endpoints[0].ID != quiet || got.Endpoints[1].ID != busy ||
		got.Endpoints[1].Host != "busy.example.com" || got.DeliveryTargetMs == nil || *got.DeliveryTargetMs != 5000 {
		t.Fatalf("GET speed = %+v, want the two endpoints that are there, and the target", got)
	}
	if f := got.Endpoints[1].shownFigures; f.Count != 100 || !near(f.P50Ms, 100*time.Millisecond) ||
		!near(f.P95Ms, 8*time.Second) || !near(f.P99Ms, 8*time.Second) || !near(f.MaxMs, 8*time.Second) {
		t.Errorf("busy = %+v, want 90 at 100 ms and 10 at 8 s", f)
	}
	if diff := cmp.Diff(shownFigures{}, got.Endpoints[0].shownFigures); diff != "" {
		t.Errorf("quiet (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got.Endpoints[1].shownFigures, got.Workspace); diff != "" {
		t.Errorf("the workspace, which has one endpoint that got something (-want +got):\n%s", diff)
	}
	from := url.QueryEscape(now.UTC().Add(-47 * time.Hour).Format(time.RFC3339))
	for query, want := range map[string]int{
		"?from=" + now.UTC().AddDate(0, 0, -3).Format(time.DateOnly): 105,
		"?from=" + from:                     100,
		"?endpointId=" + quiet:              0,
		"?endpointId=" + busy:               100,
		"?from=2026-01-01&until=2026-01-31": 0, // 31 days, because until is to its end
		"?until=" + url.QueryEscape(now.UTC().Add(-2*time.Hour).Truncate(time.Hour).Format(time.RFC3339)): 0,
		"?until=" + url.QueryEscape(now.UTC().Add(-time.Hour).Truncate(time.Hour).Format(time.RFC3339)):   10,
	} {
		if got := b.getSpeed(t, b.secret, query); got.Workspace.Count != want {
			t.Errorf("GET speed%s = %d deliveries from %s to %s, want %d", query, got.Workspace.Count, got.From, got.Until, want)
		}
	}
}

func TestSpeedIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.mustWorkspace(t, tenant.Settings{})
	theirs := mustID(t, b.send(t, other.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`))
	b.mustArrive(t, other.workspace, theirs, b.now(), time.Second, 7)
	if got := b.getSpeed(t, b.secret, ""); got.Workspace.Count != 0 || len(got.Endpoints) != 0 {
		t.Errorf("GET speed = %+v, want nothing of another workspace", got)
	}
	b.send(t, b.secret, "GET", "/api/v1/speed?endpointId="+theirs, "").wantError(t, "another's endpoint", 404, "NOT_FOUND")
	for query, field := range map[string]string{
		"?from=yesterday":                           "from",
		"?until=2026-13-01":                         "until",
		"?from=2026-01-01&until=2026-02-01":         "from", // 32 days
		"?from=2026-01-02&until=2026-01-01":         "until",
		"?from=9999-01-01":                          "from",
		"?endpointId=x":                             "endpointId",
		"?endpoint=" + theirs:                       "endpoint",
		"?from=1970-01-01&until=9999-12-31":         "from",
		"?until=1970-01-01&from=1970-01-01&limit=1": "limit",
	} {
		got := b.send(t, b.secret, "GET", "/api/v1/speed"+query, "")
		if got.wantError(t, query, 400, "VALIDATION_ERROR"); got.body.Details.Field != field {
			t.Errorf("%s: field %q, want %q", query, got.body.Details.Field, field)
		}
	}
	if got := b.getSpeed(t, b.secret, "?until=1970-01-01"); !strings.HasPrefix(got.Until, "1970-01-02") {
		t.Errorf("until the first day = %+v", got)
	}
}
