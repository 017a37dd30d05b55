package timeline_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/timeline"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	later, earlier := now.Add(time.Hour), now.Add(-time.Hour)
	open := pg.TimelineEndpoint{}
	open.Enabled, open.URL = true, "https://hooks.example.com/x"
	rated := open
	rated.Rate, rated.PacedUntil = 7, &later
	for name, c := range map[string]struct {
		delivery webhook.Delivery
		endpoint pg.TimelineEndpoint
		note     string
	}{
		"delivered": {webhook.Delivery{State: webhook.Delivered}, open, ""},
		"due soon":  {webhook.Delivery{State: webhook.Pending}, open, "due soon"},
		"due later": {webhook.Delivery{State: webhook.Pending, NextAt: &later}, open, "due at 2026-01-15T11:30:00.000Z"},
		"rate": {webhook.Delivery{State: webhook.Pending, NextAt: &earlier}, rated,
			"waiting for the rate of the endpoint, at most 7/s"},
		"deleted": {webhook.Delivery{State: webhook.Cancelled}, pg.TimelineEndpoint{Deleted: true},
			"cancelled because the endpoint was deleted"},
		"not sent": {webhook.Delivery{State: webhook.Pending, NextAt: &earlier}, open,
			"due since 2026-01-15T09:30:00.000Z, no worker has picked it up yet"},
		"enabled now": {webhook.Delivery{State: webhook.Held}, open,
			"held while the endpoint was disabled, and not sent since; resend it or make a replay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := c.delivery
			d.ID, d.EventID, d.EndpointID, d.CreatedAt = id.New(), id.New(), id.New(), now
			s := pg.Timeline{
				Lead: lead.Lead{CreatedAt: earlier}, Events: []pg.TimelineEvent{{Event: pg.Event{ID: d.EventID, Type: "lead.created", CreatedAt: earlier}}},
				Deliveries: []webhook.Delivery{d}, Endpoints: map[id.UUID]pg.TimelineEndpoint{d.EndpointID: c.endpoint},
			}
			got := timeline.Explain(&s, now)
			if len(got.Entries) != 3 || got.Truncated {
				t.Fatalf("Explain = %+v, want three entries", got)
			}
			if e := got.Entries[2]; e.Kind != timeline.Delivery || e.Note != c.note {
				t.Errorf("entry = %+v, want a delivery with the note %q", e, c.note)
			}
		})
	}
}

// What happened at no known time comes last, and attempts are bound to their deliveries even when those were not read.
func TestExplainOrder(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := pg.Timeline{
		Lead: lead.Lead{CreatedAt: now}, Enrichment: &pg.EnrichmentState{Attempts: 10}, Truncated: true,
		Attempts: []webhook.Attempt{{DeliveryID: id.New(), At: now.Add(time.Second)}},
	}
	got := timeline.Explain(&s, now)
	want := []timeline.Kind{timeline.Accepted, timeline.Attempt, timeline.Enrichment}
	for i, e := range got.Entries {
		if e.Kind != want[i] {
			t.Errorf("entry %d = %s, want %s", i, e.Kind, want[i])
		}
	}
	if e := got.Entries[2]; e.At != nil || e.Note != "given up after 10 attempts without a result" {
		t.Errorf("enrichment = %+v, want it given up", e)
	}
	if want := "Stored; its events are no longer kept. Enrichment was given up. Only the first 1000 entries are shown."; got.Status != want {
		t.Errorf("status = %q, want %q", got.Status, want)
	}
}

// A submission comes before the event that it made, at the same instant too, and where the clocks of the gateway and of
// Postgres differ; the one that made the lead comes before the lead.
func TestExplainSubmissions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	at := func(ms int) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	first, second, third := id.New(), id.New(), id.New()
	subs := []lead.Submission{
		{ID: first, CreatedAt: now, Outcome: lead.OutcomeNew, Verdict: lead.Clean},
		{ID: second, CreatedAt: at(1000), Outcome: lead.OutcomeAppended, Verdict: lead.Spam, DecidedAt: at(9000)},
		{ID: third, CreatedAt: at(2005), Outcome: lead.OutcomeAppended, Verdict: lead.Suspect},
	}
	s := pg.Timeline{
		Lead: lead.Lead{CreatedAt: now}, Submissions: subs, Touches: pg.Touches{First: &subs[0], Last: &subs[2]},
		Events: []pg.TimelineEvent{
			{Event: pg.Event{Type: "lead.created", CreatedAt: now}},
			{Event: pg.Event{Type: "lead.submitted", CreatedAt: at(1000)}, Submission: second},
			{Event: pg.Event{Type: "lead.submitted", CreatedAt: at(2000)}, Submission: third}, // by a clock that is late
			{Event: pg.Event{Type: "lead.marked_spam", CreatedAt: at(9000)}, Submission: second},
		},
	}
	got := timeline.Explain(&s, now)
	want := []timeline.Kind{timeline.Submission, timeline.Accepted, timeline.Event, timeline.Submission, timeline.Event,
		timeline.Submission, timeline.Event, timeline.Event}
	var kinds []timeline.Kind
	for _, e := range got.Entries {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("kinds = %v, want %v", kinds, want)
	}
	if n := got.Entries[3].Note; n != "was marked as spam at 2026-01-15T10:30:09.000Z" {
		t.Errorf("note of spam = %q, want when it was marked", n)
	}
	if end := " It came by forms 3 times, last at 2026-01-15T10:30:02.005Z; 1 marked as spam."; !strings.HasSuffix(got.Status, end) {
		t.Errorf("status = %q, want it to end with %q", got.Status, end)
	}
	s.MoreSubmissions = true
	if got := timeline.Explain(&s, now); !got.MoreSubmissions || !strings.Contains(got.Status, "more than 3 times") {
		t.Errorf("status = %q, want that there are more", got.Status)
	}
	s.Submissions, s.MoreSubmissions = subs[:1], false
	if got := timeline.Explain(&s, now); strings.Contains(got.Status, "forms") {
		t.Errorf("status = %q, want nothing of the one submission that made the lead", got.Status)
	}
}
