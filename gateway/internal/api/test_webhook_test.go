package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// work starts a worker that makes the one attempt of each test as outcome has it, and no other attempts.
func (b *bundle) work(t *testing.T, outcome func(webhook.Endpoint) webhook.Attempt) {
	t.Helper()
	server := asynq.NewServerFromRedisClient(b.redis, asynq.Config{Concurrency: 1,
		Queues: map[string]int{task.QueueWebhook: 1}, TaskCheckInterval: 20 * time.Millisecond, LogLevel: asynq.FatalLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc(task.TypeTest, func(ctx context.Context, asked *asynq.Task) error {
		key, err := task.ParseKey(asked.Payload())
		if err != nil {
			return err
		}
		took, err := b.db.GetTestDelivery(ctx, key.Workspace, key.Endpoint, key.Delivery)
		if err != nil || len(took.Due) == 0 {
			return err
		}
		a := outcome(took.Endpoint)
		a.DeliveryID, a.ID, a.Number, a.At = key.Delivery, id.New(), 1, time.Now()
		state := webhook.Delivered
		if a.Error != "" {
			state = webhook.Exhausted
		}
		_, err = b.db.RecordTestDelivery(ctx, key.Workspace, key.Endpoint, webhook.Outcome{Attempt: a, State: state})
		return err
	})
	mux.HandleFunc(task.TypeWoken, func(context.Context, *asynq.Task) error { return nil })
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
}

func TestTestWebhookAnswersTheAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.work(t, func(e webhook.Endpoint) webhook.Attempt {
		if e.Description == "bad" {
			return webhook.Attempt{Status: 500, Error: "status: 500", ResponseHead: "oops", Latency: 12 * time.Millisecond}
		}
		return webhook.Attempt{Status: 204, Latency: 7 * time.Millisecond}
	})
	for _, c := range []struct {
		endpoint, body, state string
		status                int
		err                   *string
	}{
		{`,"eventTypes":["lead.deleted"]`, "", "delivered", 204, nil}, // whatever it subscribes to
		{`,"enabled":false`, "{}", "delivered", 204, nil},
		{`,"description":"bad"`, "", "exhausted", 500, text("status: 500")},
	} {
		t.Run(fmt.Sprint(c.state, c.status), func(t *testing.T) {
			path := b.mustWebhook(t, c.endpoint)
			got := b.send(t, b.secret, "POST", "/api/v1/webhooks"+path+"/test", c.body)
			var d shownDelivery
			if err := json.Unmarshal(got.body.Data, &d); err != nil || got.status != 200 {
				t.Fatalf("test of %s = %d %s, want 200 and a delivery", c.endpoint, got.status, got.text)
			}
			if d.State != c.state || d.EventType != "webhook.test" || d.EndpointID != path[1:] || d.AttemptCount != 1 ||
				len(d.Attempts) != 1 || d.NextAttemptAt != nil ||
				*d.LastStatus != c.status || *d.Attempts[0].Status != c.status || !cmp.Equal(d.LastError, c.err) ||
				got.header.Get("Location") != "/api/v1/deliveries/"+d.ID {
				t.Errorf("test of %s = %s, want %s after one attempt with %d", c.endpoint, got.text, c.state, c.status)
			}
			if listed, _ := b.deliveries(t, "/api/v1/webhooks"+path+"/deliveries"); len(listed) != 1 || listed[0].ID != d.ID ||
				listed[0].State != c.state {
				t.Errorf("deliveries = %+v, want just the one answered", listed)
			}
			event, err := id.Event.Parse(d.EventID)
			if err != nil {
				t.Fatal(err)
			}
			var data struct{ Message, EndpointID string }
			if e, err := b.db.GetEvent(t.Context(), b.workspace, event); err != nil || json.Unmarshal(e.Data, &data) != nil ||
				data.EndpointID != path[1:] || data.Message == "" {
				t.Errorf("its event = %+v, %v, want a message and the endpoint's id", data, err)
			}
		})
	}
	path := b.mustWebhook(t, "")
	b.wantRefused(t, "POST", path+"/test", `{"url":"https://hooks.example.com/"}`, []string{"/url"})
	b.wantRefused(t, "POST", path+"/test", `[]`, []string{""})
}

func text(s string) *string { return &s }

// Where no worker comes the owner is told so, a workspace cannot keep more than a few requests waiting, and what waited
// is tried by the next worker.
func TestTestWebhookWithoutAWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, `,"timeoutSeconds":1`)
	test := func() answer { return b.send(t, b.secret, "POST", "/api/v1/webhooks"+path+"/test", "") }
	const most = 5
	var answers [most]answer
	var waiting sync.WaitGroup
	for i := range answers {
		waiting.Go(func() { answers[i] = test() })
	}
	testwait.Until(t, "all tests are asked for", func() bool { return b.queued(t, task.QueueWebhook) >= most })
	limited := test()
	limited.wantError(t, "one test too many", 429, "RATE_LIMITED")
	if limited.header.Get("Retry-After") != "1" {
		t.Errorf("one test too many: Retry-After = %q, want 1", limited.header.Get("Retry-After"))
	}
	waiting.Wait()
	for _, got := range answers {
		var d shownDelivery
		if err := json.Unmarshal(got.body.Data, &d); err != nil || got.status != 202 || d.State != "held" ||
			d.AttemptCount != 0 || d.Attempts == nil || d.NextAttemptAt != nil || !strings.HasSuffix(got.header.Get("Location"),
			d.ID) {
			t.Errorf("a test without a worker = %d %s, want 202 and a delivery that no drain takes", got.status, got.text)
		}
	}
	b.work(t, func(webhook.Endpoint) webhook.Attempt { return webhook.Attempt{Status: 200} })
	if got := test(); got.status != 200 {
		t.Errorf("a test when a worker is there = %d %s, want 200", got.status, got.text)
	}
	if backlog := b.webhook(t, "GET", path, "", 200).Backlog; backlog.Held != 0 {
		t.Errorf("held afterwards = %d, want none: the worker tries them in order", backlog.Held)
	}
}

func TestTestWebhookWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, "")
	b.redis.Close()
	got := b.send(t, b.secret, "POST", "/api/v1/webhooks"+path+"/test", "")
	got.wantError(t, "a test without Redis", 503, "UNAVAILABLE")
	if got.header.Get("Retry-After") == "" || strings.Contains(strings.ToLower(got.text), "redis") {
		t.Errorf("a test without Redis = %s, Retry-After %q, want one, and no word of the cause", got.text,
			got.header.Get("Retry-After"))
	}
	if all, _ := b.deliveries(t, "/api/v1/webhooks"+path+"/deliveries"); len(all) != 1 || all[0].State != "cancelled" {
		t.Errorf("deliveries = %+v, want the test cancelled, not to be sent later", all)
	}
}
