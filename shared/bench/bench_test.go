package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadgate/shared/webhook"
)

// The scenarios of deliveries, so small that their numbers mean nothing: that they end without an error says that
// everything arrived, verified and is recorded, and each must say what it measured.
func TestScenarios(t *testing.T) {
	t.Parallel()
	opt := options{
		scenarios: []string{"forms", "flood", "batch", "import", "drain", "fanout", "sustained", "memory", "neighbour", "million", "export", "console"},
		conns:     []int{8}, rates: []int{100}, rounds: 1, backlog: 1000, rows: 2000, large: 10_000, crowd: 1000, robots: 1000,
		duration: time.Second, steady: time.Second, sweeps: 100 * time.Millisecond, quick: true,
	}
	var out strings.Builder
	err := measure(t.Context(), opt, os.Getenv, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`8 visitors at once +[1-9]\d*/s .*\n +CPU per post .*\n +new email +p50 [1-9].*; known email +p50 [1-9]`,
		`1000 robots +[1-9].*\n +CPU per robot.*\n +[-\d.]+ MB on disk\n +books: .*held:1000.*received:1000`,
		`batches of 500 +[1-9]\d* leads/s .*\n +CPU per lead`,
		`2000 rows with events +[1-9]\d* rows/s .*\n(.*\n)? +2000 rows without events +[1-9]\d* rows/s`,
		`1000 deliveries to 1 endpoint: [1-9]\d*/s .*\n.*came again; 1\d signatures were verified, 0 refused\n.*SQL statements`,
		`1000 deliveries to 1000 endpoints: [1-9]\d*/s`,
		`100/s offered for 1s to an endpoint for lead.created, lead.enriched: accepted +\d+/s .*\n +lead.created +\d+/s delivered, .*p99 [1-9].*\n +lead.enriched +\d+/s delivered`,
		` 0 wait, 0 attempts made: Redis uses \d\.\d\d MB for .*\n +\d{3,4} wait, .*\n +\d{4,5} wait, `,
		`alone +p50 .*\n +beside 1000 leads/s .* times that alone .*, [1-9]\d* requests hung\n +beside a backlog .*drained beside it: [1-9]\d*/s`,
		`1000 leads filled in .*\n +first page +p50 .*, 50 leads\n +deep page .*, 50 leads\n(.*\n)* +created in an empty table [1-9]`,
		`/console/leads +p50 .* p95 .* KB\n(.*\n)* +created while nobody looks [1-9].*, while ten pages are open [1-9]`,
		`csv +1000 leads in .*\n +ndjson 1000 leads in `,
	} {
		if strings.Contains(want, "Redis uses") && strings.Contains(out.String(), "not run: no redis-server") {
			continue
		}
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the report lacks %s", want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-scenarios", "sleep"}, {"-conns", "0"}, {"-rates", "500,"}, {"-duration", "2m"},
		{"-rounds", "0"}, {"-backlog", "1500"}, {"-rows", "10"}, {"-large", "10"}, {"-robots", "10"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			if _, _, err := parse(args); err == nil {
				t.Errorf("parse(%q) = nil, want an error", args)
			}
		})
	}
	opt, _, err := parse([]string{"-scenarios", "drain,neighbour", "-backlog", "2000"})
	if err != nil || len(opt.scenarios) != 2 || opt.backlog != 2000 || opt.large != 500_000 ||
		opt.steady != 10*time.Second || opt.quick {
		t.Errorf("parse() = %+v, %v, want two scenarios on durable stores with 2000 and 500000 deliveries", opt, err)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	const perSecond = 10
	a := newArrivals("r7", 4)
	begin := a.epoch.Add(time.Second)
	record := func(event, run string, n, ms int) {
		body := fmt.Sprintf(
			`{"type":"%s","timestamp":"2030-01-01T00:00:00.000Z","data":{"id":"lead_1","name":"John Doe","email":"%s%d@example.com"}}`, event, emailOf(run), n)
		a.record(begin.Add(time.Duration(ms)*time.Millisecond), []byte(body))
	}
	record(webhook.LeadCreated, "r7", 1, 5)
	record(webhook.LeadCreated, "r7", 2, 150) // due after 100 ms
	record(webhook.LeadCreated, "r7", 2, 900) // again
	record(webhook.LeadCreated, "r7", 3, 310) // due after 200 ms
	record(webhook.LeadCreated, "r8", 4, 301) // another load's
	record(webhook.LeadCreated, "r7", 5, 400) // none of this load
	record(webhook.LeadEnriched, "r7", 1, 30)
	d := a.of(webhook.LeadCreated, begin, perSecond)
	if got, want := fmt.Sprint(d.sorted), "[5ms 50ms 110ms]"; got != want {
		t.Errorf("delays = %s, want %s", got, want)
	}
	if got, want := d.mean(), 55*time.Millisecond; got != want {
		t.Errorf("mean() = %v, want %v", got, want)
	}
	for at, want := range map[int]int{2: 1, 120: 1, 160: 0, 205: 1, 320: 0} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			if got := d.waiting(begin.Add(time.Duration(at) * time.Millisecond)); got != want {
				t.Errorf("waiting after %d ms = %d, want %d", at, got, want)
			}
		})
	}
	if got := fmt.Sprintf("%.1f", d.rate()); got != "9.7" { // three until 310 ms
		t.Errorf("rate() = %s, want 9.7", got)
	}
	if got := a.of(webhook.LeadEnriched, begin, perSecond); len(got.sorted) != 1 || got.sorted[0] != 30*time.Millisecond {
		t.Errorf("delays of lead.enriched = %v, want 30ms", got.sorted)
	}
}
