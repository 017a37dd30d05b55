package sender_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/sender"
)

// Of an answer to a batch the body counts: where some of it is missing that could name events, all have failed.
func TestAnswerToABatch(t *testing.T) {
	t.Parallel()
	due := []webhook.DueDelivery{*job(), *job(), *job()}
	drip := func(w http.ResponseWriter, r *http.Request, text string) {
		io.WriteString(w, text)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   [3]webhook.ErrorClass
	}{
		"204": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, [3]webhook.ErrorClass{}},
		"one is named": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"failed":["`+id.Event.Format(due[1].EventID)+`"]}`)
		}, [3]webhook.ErrorClass{1: webhook.FailedAnswer}},
		"one is named beside a 500": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"failed":["`+id.Event.Format(due[1].EventID)+`"]}`, 500)
		}, [3]webhook.ErrorClass{webhook.FailedStatus, webhook.FailedStatus, webhook.FailedStatus}},
		"JSON that stops":     {func(w http.ResponseWriter, r *http.Request) { drip(w, r, " {") }, allTimeouts},
		"nothing, for a time": {func(w http.ResponseWriter, r *http.Request) { drip(w, r, "") }, allTimeouts},
		"text that stops":     {func(w http.ResponseWriter, r *http.Request) { drip(w, r, "Thank y") }, [3]webhook.ErrorClass{}},
		"compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "\x1f\x8b")
		}, [3]webhook.ErrorClass{webhook.FailedAnswer, webhook.FailedAnswer, webhook.FailedAnswer}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := endpoint(mustServe(t, c.answer).URL)
			e.Timeout, e.Batch.Max = 3*time.Second, 3
			attempts, made := mustSender(t, sender.Deps{Allow: loopback()}).SendDue(t.Context(), e, due)
			if !made || len(attempts) != 3 {
				t.Fatalf("SendDue = %+v, %v, want three attempts", attempts, made)
			}
			for i, a := range attempts {
				if webhook.ClassOf(a.Error) != c.want[i] || a.DeliveryID != due[i].DeliveryID || a.ID != attempts[0].ID ||
					a.InBatch.First != due[0].DeliveryID || i > 0 && a.ResponseHead != "" {
					t.Errorf("attempt %d = %+v, want %q", i, a, c.want[i])
				}
			}
		})
	}
}

var allTimeouts = [3]webhook.ErrorClass{webhook.FailedTimeout, webhook.FailedTimeout, webhook.FailedTimeout}

// A process that stops while the body comes does not know how it went.
func TestBatchIsAborted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	e := endpoint(mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat(" ", 10))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}).URL)
	e.Batch.Max = 3
	if attempts, made := mustSender(t, sender.Deps{Allow: loopback()}).SendDue(ctx, e,
		[]webhook.DueDelivery{*job(), *job()}); made {
		t.Errorf("SendDue = %+v, want nothing to record", attempts)
	}
}
