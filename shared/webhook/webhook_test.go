package webhook_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"leadgate/shared/webhook"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestAppendPayload(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 13, 4, 5, 6_000_000, time.FixedZone("", 3600))
	job := webhook.DueDelivery{EventType: webhook.LeadCreated, EventAt: at, Data: []byte(`{"id":"lead_1","name":null}`)}
	got := string(job.AppendPayload(nil, webhook.PayloadFull))
	const want = `{"type":"lead.created","timestamp":"2026-01-02T12:04:05.006Z","data":{"id":"lead_1","name":null}}`
	if got != want || !json.Valid([]byte(got)) {
		t.Errorf("AppendPayload() = %s, want %s", got, want)
	}
}

func TestDefaultScheduleWithJitter(t *testing.T) {
	t.Parallel()
	schedule := webhook.DefaultSchedule()
	var shortest, longest time.Duration
	for made := range len(schedule) {
		low, ok := schedule.Next(made, webhook.Result{}, noon, 0)
		high, ok2 := schedule.Next(made, webhook.Result{}, noon, 0.999999)
		middle, _ := schedule.Next(made, webhook.Result{}, noon, 0.5)
		if !ok || !ok2 || low.Before(noon) || high.Before(low) || middle.Sub(noon).Round(time.Millisecond) != schedule[made] {
			t.Errorf("Next(%d) = %v to %v around %v, want it around %v later", made, low, high, middle, schedule[made])
		}
		shortest, longest = shortest+low.Sub(noon), longest+high.Sub(noon)
	}
	if first, _ := schedule.Next(0, webhook.Result{}, noon, 0.9); !first.Equal(noon) {
		t.Errorf("Next(0) = %v, want the first attempt at once", first)
	}
	if shortest < 60*time.Hour || longest > 92*time.Hour { // 76 h and a fifth
		t.Errorf("all attempts take %v to %v, want about 76h", shortest, longest)
	}
	for _, made := range []int{len(schedule), len(schedule) + 1} {
		if at, ok := schedule.Next(made, webhook.Result{}, noon, 0.5); ok {
			t.Errorf("Next(%d) = %v, want never: there are %d attempts", made, at, len(schedule))
		}
	}
}

func TestSucceeded(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{0: false, 199: false, 200: true, 204: true, 299: true, 301: false, 400: false,
		410: false, 500: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			if got := webhook.Succeeded(status); got != want {
				t.Errorf("Succeeded(%d) = %v, want %v", status, got, want)
			}
		})
	}
}
