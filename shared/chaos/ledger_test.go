package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// balanced returns a small ledger in which all is well: two leads, the second posted twice, one subscriber.
func balanced() *ledger {
	b := &ledger{
		rules: rules{slowest: time.Second},
		spell: func(n int) string { return fmt.Sprintf("a%d@example.com", n) },
		rows:  []row{{"lead_0", "a0@example.com"}, {"lead_1", "a1@example.com"}},
		read:  map[string]string{"lead_0": "a0@example.com", "lead_1": "A1@Example.com"},
		answers: []answer{
			{email: 0, status: http.StatusCreated, lead: "lead_0"},
			{email: 1, status: http.StatusCreated, lead: "lead_1"},
			{email: 1, status: http.StatusConflict, lead: "lead_1", read: http.StatusOK},
		},
		arrived: []map[string]map[string]loadgen.Arrival{{}},
	}
	for _, event := range webhook.EventTypes() {
		b.arrived[0][event] = map[string]loadgen.Arrival{"lead_0": {Times: 1}, "lead_1": {Times: 2}}
	}
	return b
}

// Each way to break the policy is seen; else the scenarios would prove nothing.
func TestLedger(t *testing.T) {
	t.Parallel()
	reset := errors.New("connection reset")
	for name, tc := range map[string]struct {
		spoil func(*ledger)
		want  string // "": the ledger balances
	}{
		"all is well": {func(*ledger) {}, ""},
		"lost row":    {func(b *ledger) { b.rows = b.rows[:1] }, `201 named lead lead_1, but Postgres has ""`},
		"two rows": {func(b *ledger) { b.rows = append(b.rows, row{"lead_2", "a1@example.com"}) },
			"one email, two leads"},
		"two 201s":         {func(b *ledger) { b.answers[2].status = http.StatusCreated }, "answered 201 twice"},
		"unread":           {func(b *ledger) { delete(b.read, "lead_0") }, "GET does not show it"},
		"row from nowhere": {func(b *ledger) { b.answers = b.answers[1:] }, "no request was answered 201"},
		"409 of another":   {func(b *ledger) { b.answers[2].lead = "lead_0" }, `409 named lead "lead_0"`},
		"409 of no lead":   {func(b *ledger) { b.answers[2].read = http.StatusNotFound }, "GET answered 404"},
		"409 unread":       {func(b *ledger) { b.answers[2].read = 0 }, "GET answered 0"},
		"500":              {func(b *ledger) { b.answers[2] = answer{email: 1, status: 500} }, "answered 500"},
		"429":              {func(b *ledger) { b.answers[2] = answer{email: 1, status: 429} }, "answered 429"},
		"503": {func(b *ledger) { b.answers[2] = answer{email: 1, status: 503, retryAfter: true} },
			"answered 503"},
		"503 in an outage": {func(b *ledger) {
			b.unavailable = true
			b.answers[2] = answer{email: 1, status: 503,
				retryAfter: true}
		}, ""},
		"503s on a busy machine": {func(b *ledger) {
			b.busy = 0.4
			b.answers[2] = answer{email: 1, status: 503, retryAfter: true}
		}, ""},
		"503s of too many": {func(b *ledger) {
			b.busy = 0.3
			b.answers[2] = answer{email: 1, status: 503, retryAfter: true}
		}, "1 of 3 requests were answered 503"},
		"503, retry never": {func(b *ledger) { b.unavailable = true; b.answers[2] = answer{email: 1, status: 503} },
			"without Retry-After"},
		"unanswered": {func(b *ledger) { b.answers[2] = answer{email: 1, err: reset} }, "had no answer"},
		"unanswered by killed": {func(b *ledger) {
			b.broken = true
			b.answers[1], b.answers[2] = b.answers[2], answer{email: 1, err: reset}
		}, ""},
		"refused": {func(b *ledger) { b.answers[2] = answer{email: -1, err: reset} }, "took no connection"},
		"slow":    {func(b *ledger) { b.answers[0].took = 2 * time.Second }, "more than 1s"},
		"webhook lost": {func(b *ledger) { delete(b.arrived[0][webhook.LeadEnriched], "lead_1") },
			"lead.enriched of lead_1 never arrived"},
		"webhook of no lead": {func(b *ledger) { b.arrived[0][webhook.LeadCreated]["lead_9"] = loadgen.Arrival{Times: 1} },
			"leads that do not exist"},
		"wrong signature": {func(b *ledger) { b.refused = []string{"evt_1: no match"} }, "does not verify: evt_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := balanced()
			tc.spoil(b)
			err := b.check()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("check() = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	r := &report{outage: outage{at(1000), at(2000)}, began: begin, ended: at(3000), ledger: balanced()}
	r.ledger.answers = []answer{
		{status: 201, lead: "lead_0", sent: at(990), took: 20 * time.Millisecond}, // ends in the outage
		{status: 503, sent: at(1500), took: time.Millisecond},
		{status: 201, lead: "lead_1", sent: at(2030), took: 10 * time.Millisecond},
	}
	created := r.ledger.arrived[0][webhook.LeadCreated]
	created["lead_0"] = loadgen.Arrival{First: at(2700), Times: 1}
	created["lead_1"] = loadgen.Arrival{First: at(2900), Times: 1} // made after the outage
	if got, ok := r.firstCreated(); got != 40*time.Millisecond || !ok {
		t.Errorf("firstCreated() = %v, %t, want 40ms", got, ok)
	}
	r.ledger.answers = append(r.ledger.answers, answer{status: 201, sent: at(100), took: time.Second / 2},
		answer{status: 409, sent: at(100), took: 2 * time.Millisecond}, answer{status: 201, sent: at(200), took: time.Second / 4})
	if median, slowest := r.before(); median != time.Second/4 || slowest != time.Second/2 {
		t.Errorf("before() = %v, %v, want 250ms and 500ms", median, slowest)
	}
	if got, want := r.backlog(), 700*time.Millisecond; got != want {
		t.Errorf("backlog() = %v, want %v", got, want)
	}
	if got := r.latencies(true); len(got) != 2 || got[1] != 20*time.Millisecond {
		t.Errorf("latencies(in the outage) = %v, want 1ms and 20ms", got)
	}
}

// Each way in which a drain can break the policy is seen.
func TestDrainLedger(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(*drainLedger)
		want  string // "": the ledger balances
	}{
		"all is well":      {func(*drainLedger) {}, ""},
		"in flight, again": {func(b *drainLedger) { b.again = 1 }, ""},
		"again":            {func(b *drainLedger) { b.again = 2 }, "2 came again, though only 1 were in flight"},
		"lost row":         {func(b *drainLedger) { b.leads = b.leads[:1] }, "Postgres has 1 leads, but 2 were put in"},
		"webhook lost":     {func(b *drainLedger) { delete(b.arrived, "lead_1") }, "lead.created of lead_1 never arrived"},
		"webhook of no lead": {func(b *drainLedger) { b.arrived["lead_9"] = loadgen.Arrival{Times: 1} },
			"leads that do not exist"},
		"not recorded":    {func(b *drainLedger) { b.delivered = 1 }, "1 of 2 deliveries are recorded"},
		"wrong signature": {func(b *drainLedger) { b.refused = []string{"evt_1: no match"} }, "does not verify: evt_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &drainLedger{drained: &drained{backlog: 2, sent: 2, recorded: 1}, leads: []string{"lead_0", "lead_1"},
				delivered: 2,
				arrived:   map[string]loadgen.Arrival{"lead_0": {Times: 1}, "lead_1": {Times: 1}}}
			tc.spoil(b)
			err := b.check()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("check() = %v, want %q", err, tc.want)
			}
		})
	}
}
