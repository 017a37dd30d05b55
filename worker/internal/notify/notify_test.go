package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/notify"
	"leadgate/worker/internal/sender"
)

const patience = 90 * time.Second

// request is what the operator's hook got.
type request struct {
	head http.Header
	body []byte
}

// operator is a hook on loopback that answers as told; n is the number of the request, from 1.
func operator(t *testing.T, answer func(n int) int) (url string, got <-chan request) {
	t.Helper()
	all := make(chan request, 1000)
	turn := make(chan int, 1)
	turn <- 1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := <-turn
		turn <- n + 1
		all <- request{r.Header, body}
		w.WriteHeader(answer(n))
	}))
	t.Cleanup(server.Close)
	return server.URL, all
}

func taken(int) int { return http.StatusNoContent }

func next(t *testing.T, got <-chan request) request {
	t.Helper()
	select {
	case r := <-got:
		return r
	case <-time.After(patience):
		t.Fatal("no request came")
		return request{}
	}
}

// mustEndpoint makes a workspace with an endpoint whose URL holds a secret.
func mustEndpoint(t *testing.T, db *pg.DB) webhook.Endpoint {
	t.Helper()
	return pgtest.Endpoint(t, db, pgtest.Workspace(t, db).ID, func(e *webhook.Endpoint) {
		e.URL, e.Description = "https://hooks.example.com/in?key=hunter2", "CRM"
		e.EventTypes, e.Headers = []string{"lead.*", "endpoint.*"}, map[string]string{"X-Key": "hunter2"}
	})
}

func mustDisable(t *testing.T, db *pg.DB, e webhook.Endpoint) {
	t.Helper()
	if did, _, err := db.DisableGone(t.Context(), e.WorkspaceID, e.ID, e.URL); err != nil || !did {
		t.Fatalf("DisableGone = %v, %v, want it done", did, err)
	}
}

func mustOwe(t *testing.T, db *pg.DB, want int) {
	t.Helper()
	testwait.Until(t, fmt.Sprintf("%d notices are owed", want), func() bool {
		all, err := db.DueNotices(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == want
	})
}

// start starts a Notifier that may reach loopback.
func start(t *testing.T, db *pg.DB, url, secret string) *notify.Notifier {
	t.Helper()
	loopback := webhook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, HTTP: true}
	sender := sender.New(sender.Deps{Allow: loopback, Parallel: 4, Now: time.Now})
	n := notify.New(notify.Deps{DB: db, Send: sender.Send, URL: url, Secret: secret, Every: 20 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler)})
	n.Start()
	t.Cleanup(func() { n.Stop(); sender.Close() })
	return n
}

// The operator hears of every workspace's endpoints, once, whatever the number of workers, in words that verify and
// hold no secret.
func TestOperatorIsTold(t *testing.T) {
	t.Parallel()
	db, secret := pgtest.New(t), webhook.NewSecret()
	disabled, failing := mustEndpoint(t, db), mustEndpoint(t, db)
	url, got := operator(t, taken)
	for range 3 {
		start(t, db, url, secret)
	}
	mustDisable(t, db, disabled)
	const fails = `update endpoints set probes = 3, failing_since = now() - interval '2 days' where workspace_id = $1 and id = $2`
	if _, err := db.ExecContext(t.Context(), fails, failing.WorkspaceID, failing.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := db.NotifyFailing(t.Context(), failing.WorkspaceID, failing.ID, webhook.NotifyAfter); err != nil {
		t.Fatal(err)
	}
	library, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for range 2 {
		r := next(t, got)
		if err := library.Verify(r.body, r.head); err != nil {
			t.Errorf("Verify(%s) = %v, want nil", r.body, err)
		}
		var told struct {
			Type, Timestamp string
			Data            struct{ WorkspaceID, EndpointID, URL, Description, Reason string }
		}
		if err := json.Unmarshal(r.body, &told); err != nil {
			t.Fatal(err)
		}
		types = append(types, told.Type)
		e := map[string]webhook.Endpoint{webhook.EndpointDisabled: disabled, webhook.EndpointFailing: failing}[told.Type]
		if d := told.Data; d.WorkspaceID != id.Workspace.Format(e.WorkspaceID) || d.EndpointID != id.Endpoint.Format(e.ID) ||
			d.URL != "https://hooks.example.com" || d.Description != "CRM" || told.Timestamp == "" {
			t.Errorf("told %s, want of endpoint %s", r.body, id.Endpoint.Format(e.ID))
		}
		if strings.Contains(string(r.body), "hunter2") || strings.Contains(string(r.body), "whsec_") {
			t.Errorf("told %s, want no secret", r.body)
		}
	}
	if slices.Sort(types); !slices.Equal(types, []string{webhook.EndpointDisabled, webhook.EndpointFailing}) {
		t.Errorf("told of %v, want of one that is disabled and one that fails", types)
	}
	mustOwe(t, db, 0)
	if len(got) != 0 {
		t.Errorf("%d more requests, want each notice told once", len(got))
	}
}

// What the hook does not take is told again, under the same id.
func TestOperatorIsToldAgain(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	url, got := operator(t, func(n int) int { return []int{503, 302, 200}[min(n, 3)-1] })
	start(t, db, url, webhook.NewSecret())
	mustDisable(t, db, mustEndpoint(t, db))
	first := next(t, got)
	for range 2 {
		if r := next(t, got); r.head.Get("webhook-id") != first.head.Get("webhook-id") || r.head.Get("webhook-id") == "" {
			t.Errorf("webhook-id = %q, want %q again", r.head.Get("webhook-id"), first.head.Get("webhook-id"))
		}
	}
	mustOwe(t, db, 0)
}

// A hook configured later hears no old news.
func TestOldNewsIsNotTold(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	url, got := operator(t, taken)
	old, disabled := mustEndpoint(t, db), mustEndpoint(t, db)
	mustDisable(t, db, old)
	at := time.Now().Add(-25 * time.Hour)
	for _, q := range []string{
		`select ensure_partitions($2, now()) where $1::uuid is not null`,
		`update events set id = uuid_floor($2) where workspace_id = $1`,
		`update endpoints set notice_event = uuid_floor($2) where workspace_id = $1`,
	} {
		if _, err := db.ExecContext(t.Context(), q, old.WorkspaceID, at); err != nil {
			t.Fatal(err)
		}
	}
	mustDisable(t, db, disabled)
	start(t, db, url, webhook.NewSecret())
	if r := next(t, got); !strings.Contains(string(r.body), id.Endpoint.Format(disabled.ID)) {
		t.Errorf("told %s, want of the endpoint disabled just now", r.body)
	}
	mustOwe(t, db, 0)
	if len(got) != 0 {
		t.Errorf("%d more requests, want none about what is a day old", len(got))
	}
}

// The guard of webhooks holds for the operator's hook too; what it stops stays owed.
func TestHookIsGuarded(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	url, got := operator(t, taken)
	sender := sender.New(sender.Deps{Allow: webhook.Allow{HTTP: true}, Now: time.Now})
	attempts := make(chan webhook.Attempt, 1000)
	n := notify.New(notify.Deps{DB: db, URL: url, Secret: webhook.NewSecret(), Every: 20 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
		Send: func(ctx context.Context, e *webhook.Endpoint, j *webhook.DueDelivery) (webhook.Attempt, bool) {
			a, made := sender.Send(ctx, e, j)
			attempts <- a
			return a, made
		}})
	n.Start()
	defer n.Stop()
	mustDisable(t, db, mustEndpoint(t, db))
	for range 2 {
		select {
		case a := <-attempts:
			if webhook.ClassOf(a.Error) != webhook.FailedBlocked {
				t.Errorf("attempt = %+v, want it blocked", a)
			}
		case <-time.After(patience):
			t.Fatal("no attempt was made")
		}
	}
	mustOwe(t, db, 1)
	if len(got) != 0 {
		t.Errorf("%d requests, want none", len(got))
	}
}

// A hook that hangs does not keep a worker from stopping, and hears it again from the next.
func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	hanging := make(chan struct{}, 100)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body) // else the end of the connection is not seen
		hanging <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	n := start(t, db, slow.URL, webhook.NewSecret())
	mustDisable(t, db, mustEndpoint(t, db))
	select {
	case <-hanging:
	case <-time.After(patience):
		t.Fatal("no request came")
	}
	begin := time.Now()
	n.Stop()
	if took := time.Since(begin); took > 8*time.Second { // a request may take 10
		t.Errorf("Stop took %v, want it not to wait for the hook", took)
	}
	n.Stop() // again does nothing
	mustOwe(t, db, 1)
	url, got := operator(t, taken)
	start(t, db, url, webhook.NewSecret())
	next(t, got)
	mustOwe(t, db, 0)
}
