package webhook_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// dueOf returns deliveries of so many tries each, all of which became due at the same time.
func dueOf(tries ...int) []webhook.DueDelivery {
	at := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	due := make([]webhook.DueDelivery, len(tries))
	for i, n := range tries {
		due[i] = webhook.DueDelivery{DeliveryID: id.New(), EventID: id.New(), EventType: webhook.LeadCreated,
			EventAt: at.Add(time.Duration(i) * time.Second), Data: []byte(`{"id":"lead_1"}`), Tries: n, NextAt: at}
	}
	return due
}

func TestNextRequest(t *testing.T) {
	t.Parallel()
	schedule := webhook.DefaultSchedule()
	many := func(n, tries int) []webhook.DueDelivery { return dueOf(slices.Repeat([]int{tries}, n)...) }
	large := func(n, bytes int) []webhook.DueDelivery {
		due := many(n, 0)
		for i := range due {
			due[i].Data = []byte(`"` + strings.Repeat("x", bytes-2) + `"`)
		}
		return due
	}
	apart := many(4, 1)
	apart[2].NextAt = apart[2].NextAt.Add(time.Second)
	for _, c := range []struct {
		name     string
		endpoint webhook.Endpoint
		due      []webhook.DueDelivery
		schedule webhook.Schedule
		n        int
		full     bool
	}{
		{"no batches", webhook.Endpoint{}, many(3, 0), schedule, 1, true},
		{"fewer than fit", webhook.Endpoint{Batch: webhook.Batch{Max: 5}}, many(4, 0), schedule, 4, false},
		{"as many as fit", webhook.Endpoint{Batch: webhook.Batch{Max: 5}}, many(5, 0), schedule, 5, true},
		{"more than fit", webhook.Endpoint{Batch: webhook.Batch{Max: 5}}, many(7, 0), schedule, 5, true},
		{"new ones after retried ones", webhook.Endpoint{Batch: webhook.Batch{Max: 5}}, dueOf(1, 1, 0, 0), schedule, 2, true},
		{"that failed at two times", webhook.Endpoint{Batch: webhook.Batch{Max: 5}}, apart, schedule, 2, true},
		{"that failed at two times, in order", webhook.Endpoint{Batch: webhook.Batch{Max: 5}, MaxInFlight: 1}, apart, schedule, 4, false},
		{"the third try is whole", webhook.Endpoint{Batch: webhook.Batch{Max: 100}}, many(100, 2), schedule, 100, true},
		{"the fourth is a quarter", webhook.Endpoint{Batch: webhook.Batch{Max: 100}}, many(100, 3), schedule, 25, true},
		{"the sixth is alone", webhook.Endpoint{Batch: webhook.Batch{Max: 100}}, many(100, 5), schedule, 1, true},
		{"the last of a short schedule is alone", webhook.Endpoint{Batch: webhook.Batch{Max: 100}}, many(9, 1), schedule[:2], 1, true},
		{"a schedule of one try", webhook.Endpoint{Batch: webhook.Batch{Max: 100}}, many(9, 0), schedule[:1], 9, false},
		{"the rate", webhook.Endpoint{Batch: webhook.Batch{Max: 100}, Rate: 3}, many(9, 0), schedule, 3, true},
		{"bytes", webhook.Endpoint{Batch: webhook.Batch{Max: 100}}, large(5, webhook.BatchBytes/3), schedule, 2, true},
		{"one alone has too many bytes", webhook.Endpoint{Batch: webhook.Batch{Max: 100}}, large(2, 2*webhook.BatchBytes), schedule, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, full := c.endpoint.NextRequest(c.due, c.schedule)
			if n != c.n || full != c.full {
				t.Errorf("NextRequest = %d, %v, want %d, %v", n, full, c.n, c.full)
			}
			if body := webhook.AppendBatch(nil, c.due[:n], webhook.PayloadFull); n > 1 && len(body) > webhook.BatchBytes {
				t.Errorf("the body has %d bytes, want at most %d", len(body), webhook.BatchBytes)
			}
		})
	}
}

func TestBatchWaits(t *testing.T) {
	t.Parallel()
	oldest := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	b := webhook.Batch{Max: 100, Wait: 2 * time.Second}
	for _, c := range []struct {
		name  string
		n     int
		after time.Duration // of the oldest
		at    time.Duration
		wait  bool
	}{
		{"one, just now", 1, time.Millisecond, 100 * time.Millisecond, true},
		{"one, for a while", 1, time.Second, 2 * time.Second, true},
		{"many soon", 50, 100 * time.Millisecond, 200 * time.Millisecond, true},
		{"full in a moment", 99, 100 * time.Millisecond, 120 * time.Millisecond, true},
		{"long enough", 3, 2 * time.Second, 2 * time.Second, false},
		{"far too long", 3, time.Hour, time.Hour, false},
		{"before it was made, by another clock", 1, -time.Hour, 2*time.Second - time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, wait := b.LookAgain(oldest, c.n, oldest.Add(c.after))
			if wait != c.wait || wait && c.after >= 0 && !at.Equal(oldest.Add(c.at)) || at.Sub(oldest.Add(c.after)) > b.Wait {
				t.Errorf("LookAgain = %v after the oldest, %v, want %v, %v", at.Sub(oldest), wait, c.at, c.wait)
			}
		})
	}
	if _, wait := (webhook.Batch{Max: 100}).LookAgain(oldest, 1, oldest); wait {
		t.Error("LookAgain without a Wait waits")
	}
}

func TestBatchBody(t *testing.T) {
	t.Parallel()
	due := dueOf(0, 0, 0)
	due[1].EventType, due[1].LeadID = webhook.LeadUpdated, id.New()
	body := webhook.AppendBatch(nil, due, webhook.PayloadThin)
	var got struct {
		Type      string
		Timestamp time.Time
		Data      []struct {
			ID, Type  string
			Timestamp time.Time
			Data      struct{ ID string }
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if got.Type != "batch" || !got.Timestamp.Equal(due[2].EventAt) || len(got.Data) != 3 {
		t.Fatalf("the body is %s", body)
	}
	for i, e := range got.Data {
		if e.ID != id.Event.Format(due[i].EventID) || e.Type != due[i].EventType || !e.Timestamp.Equal(due[i].EventAt) {
			t.Errorf("event %d = %+v, want that of %+v", i, e, due[i])
		}
	}
	if got.Data[1].Data.ID != id.Lead.Format(due[1].LeadID) || got.Data[0].Data.ID != "lead_1" {
		t.Errorf("thin data = %+v", got.Data)
	}
	same := webhook.BatchID(due)
	if webhook.BatchID(slices.Clone(due)) != same || same.Version() != 7 || id.Time(same) != id.Time(due[0].EventID) {
		t.Errorf("BatchID = %v, want the same UUIDv7 each time, of the first event's time", same)
	}
	slices.Reverse(due)
	if webhook.BatchID(due) == same || webhook.BatchID(due[:2]) == webhook.BatchID(due) {
		t.Error("another order, or fewer events, have the same BatchID")
	}
}

func TestBatchFailures(t *testing.T) {
	t.Parallel()
	due := dueOf(0, 0, 0)
	event := func(i int) string { return fmt.Sprintf("%q", id.Event.Format(due[i].EventID)) }
	other := fmt.Sprintf("%q", id.Event.Format(id.New()))
	for body, want := range map[string]string{ // which events are delivered
		"": "yes yes yes", "OK": "yes yes yes", "<html>": "yes yes yes", "[1]": "yes yes yes", "null": "yes yes yes",
		`"failed"`: "yes yes yes", `{}`: "yes yes yes", ` {"ok": true, "n": [1, {}]} `: "yes yes yes", `{"failed":[]}`: "yes yes yes",
		`{"Failed":[` + event(0) + `]}`:                                     "yes yes yes",
		`{"failed":[` + event(1) + `]}`:                                     "yes no yes",
		` {"reason":"x", "failed" : [` + event(2) + "," + event(0) + "]}\n": "no yes no",
		`{"failed":[` + event(1) + `,` + event(1) + `]}`:                    "yes no yes",
		`{"failed":[` + event(0) + `,` + event(1) + `,` + event(2) + `]}`:   "no no no",
		`{"failed":[` + other + `]}`:                                        "no no no",
		`{"failed":[` + event(1) + `,` + other + `]}`:                       "no no no",
		`{"failed":null}`: "no no no", `{"failed":0}`: "no no no", `{"failed":{}}`: "no no no", `{"failed":[0]}`: "no no no",
		`{"failed":[null]}`: "no no no", `{"failed":` + event(1) + `}`: "no no no",
		`{"failed":[],"failed":[]}`: "no no no", `{"failed":[` + event(1) + `]`: "no no no", `{`: "no no no", `{ok}`: "no no no",
		`{"failed":[]} and more`: "no no no", `{"failed":[]}{}`: "no no no",
	} {
		t.Run(body, func(t *testing.T) {
			var got []string
			for _, failure := range webhook.BatchFailures([]byte(body), due) {
				switch {
				case failure == "":
					got = append(got, "yes")
				case webhook.ClassOf(failure) == webhook.FailedAnswer:
					got = append(got, "no")
				default:
					t.Errorf("failure = %q, want one of the answer", failure)
				}
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("delivered = %s, want %s", text, want)
			}
		})
	}
}
