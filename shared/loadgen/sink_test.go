package loadgen_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// mustSink makes a sink, and an endpoint of a workspace of its own at "/a".
func mustSink(t *testing.T, db *pg.DB, hold time.Duration, seen func(time.Time, []byte)) (*loadgen.Sink,
	webhook.Endpoint) {
	t.Helper()
	sink, err := loadgen.NewSink(hold, seen)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sink.Subscribe(t.Context(), db, pgtest.Workspace(t, db).ID, "/a", webhook.Endpoint{})
	if err != nil {
		t.Fatal(err)
	}
	return sink, e
}

func mustSend(t *testing.T, url, id, secret string) (status int) {
	t.Helper()
	status, err := send(t.Context(), url, id, secret)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// send posts a webhook to url, signed with secret.
func send(ctx context.Context, url, id, secret string) (status int, err error) {
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return 0, err
	}
	body, now := `{"type":"lead.created"}`, time.Now()
	signature, err := wh.Sign(id, now, []byte(body))
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {fmt.Sprint(now.Unix())},
		"Webhook-Signature": {signature}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	return res.StatusCode, nil
}

func TestSink(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var mu sync.Mutex
	var seen []string
	sink, e := mustSink(t, db, 0, func(_ time.Time, body []byte) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, string(body))
	})
	defer sink.Close()
	other, err := sink.Subscribe(t.Context(), db, e.WorkspaceID, "/b", webhook.Endpoint{})
	if err != nil {
		t.Fatal(err)
	}
	for _, msg := range []struct{ url, id, secret string }{{e.URL, "evt_1", e.Secret}, {e.URL, "evt_1", e.Secret},
		{other.URL, "evt_1", other.Secret}, {e.URL, "evt_2", e.Secret}} {
		if got := mustSend(t, msg.url, msg.id, msg.secret); got != http.StatusOK {
			t.Errorf("%s at %s was answered %d, want 200", msg.id, msg.url, got)
		}
	}
	if err := sink.Await(t.Context(), 3); err != nil {
		t.Error(err)
	}
	if c := sink.Count(); c.Arrivals != 4 || c.Distinct != 3 || c.Again() != 1 || c.Verified != 1 || len(seen) != 4 {
		t.Errorf("Count() = %+v and %d seen, want 4 arrivals, 3 of them different, 1 verified, 4 seen", c, len(seen))
	}
	if got := mustSend(t, sink.URL+"/nobody", "evt_1", e.Secret); got != http.StatusBadRequest ||
		len(sink.Refused()) != 1 {
		t.Errorf("where nobody subscribed = %d, refused %q, want 400 and one refused", got, sink.Refused())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := sink.Await(ctx, 4); err == nil || !strings.Contains(err.Error(), "3 of 4 deliveries") {
		t.Errorf("Await(4) = %v, want that 3 of 4 deliveries have arrived", err)
	}
}

// A sample that does not verify is refused, and seen.
func TestSinkVerifies(t *testing.T) {
	t.Parallel()
	sink, e := mustSink(t, pgtest.New(t), 0, nil)
	defer sink.Close()
	if got := mustSend(t, e.URL, "evt_1", webhook.NewSecret()); got != http.StatusBadRequest {
		t.Errorf("a wrong signature was answered %d, want 400", got)
	}
	if c, refused := sink.Count(), sink.Refused(); c.Distinct != 0 || len(refused) != 1 ||
		!strings.Contains(refused[0], "evt_1 at /a") {
		t.Errorf("Count() = %+v, Refused() = %q, want nothing taken and evt_1 refused", c, refused)
	}
}

func TestSinkHolds(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	sink, e := mustSink(t, pgtest.New(t), time.Hour, func(time.Time, []byte) { arrived <- struct{}{} })
	broke := make(chan error, 1)
	go func() {
		_, err := send(t.Context(), e.URL, "evt_1", e.Secret)
		broke <- err
	}()
	<-arrived
	sink.Close()
	if err := <-broke; err == nil {
		t.Error("a held request was answered when the sink closed, want it broken off")
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner, err := loadgen.NewTenant(t.Context(), db, "owner")
	if err != nil {
		t.Fatal(err)
	}
	e, err := loadgen.NewEndpoint(t.Context(), db, owner.Workspace, webhook.Endpoint{URL: "https://hooks.example.com/in"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	woken := map[pg.EndpointRef]int{}
	wake := func(_ context.Context, refs []pg.EndpointRef) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range refs {
			woken[r]++
		}
		return nil
	}
	const leads = 105
	if err := (loadgen.Fill{Workspace: owner.Workspace, Run: "r1", Leads: leads, Batch: 10, Wake: wake}).Into(t.Context(),
		db); err != nil {
		t.Fatal(err)
	}
	b, err := db.EndpointBacklog(t.Context(), owner.Workspace, e.ID)
	if err != nil || b.Waiting != leads {
		t.Errorf("EndpointBacklog() = %+v, %v, want %d waiting", b, err, leads)
	}
	if len(woken) != 1 || woken[pg.EndpointRef{Workspace: owner.Workspace, Endpoint: e.ID}] < 11 {
		t.Errorf("woken = %v, want the endpoint after each of 11 commits", woken)
	}
}
