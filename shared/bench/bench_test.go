package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/webhook"
)

// The scenarios of deliveries, so small that their numbers mean nothing: that they end without an error says that
// everything arrived, verified and is recorded, and each must say what it measured.
func TestScenarios(t *testing.T) {
	t.Parallel()
	opt := tiny()
	opt.svg = filepath.Join(t.TempDir(), "open.svg")
	for _, s := range scenarios() {
		opt.scenarios = append(opt.scenarios, s.name)
	}
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r, err := measure(t.Context(), opt, os.Getenv, checkout{root: root, other: true}, &out, nil)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`8 connections, median .*\n( +.*/s +last round.*\n){4}( +leadgate : .*\n){3}`,
		`8 visitors at once +[1-9]\d*/s .*\n +new email +p50 [1-9].*; known email +p50 [1-9]`,
		`200 robots +[1-9].*\n +[-\d.]+ MB on disk\n +books: .*held:200.*received:200`,
		`batches of 500 +[1-9]\d*/s .*\n +leadgate : INSERT`,
		`2000 rows with events +[1-9]\d* rows/s .*\n(.*\n)? +2000 rows without events +[1-9]\d* rows/s`,
		`1000 deliveries to 1 endpoint: [1-9]\d*/s\n +in 1000 requests; .* came again; 1\d signatures were verified, 0 refused\n`,
		`1000 deliveries to 1 endpoint, 100 in a request: [1-9]\d*/s\n +in \d{1,3} requests; .* came again`,
		`1000 deliveries to 1000 endpoints: [1-9]\d*/s`,
		`100/s offered for 500ms to an endpoint for lead.created, lead.enriched: accepted +\d+/s .*\n +lead.created +\d+/s delivered, .*p99 [1-9].*\n +lead.enriched +\d+/s delivered.*kept up with`,
		`[1-9]\d*/s is the peak.*\n +\d+/s offered, `,
		`pairs\n +100/s offered .*\n +lead.created .*kept up with\n +lead.enriched .*kept up with`,
		`20 a second +\d+/s +p50 [1-9]`,
		`worker +[\d.]+ % of a core\n(.*\n)*.* SQL statements and .* Redis commands a second`,
		`one workspace +\d+/s +p50 [1-9].*\n +4 workspaces, even .*\n +4 workspaces, zipf .*\n.*an endpoint each`,
		`8 connections +[1-9].* leads made: [1-9]`,
		`/s offered on 64 connections: accepted .*\n +as fast as before .*\n +the gateway had [1-9]\d* MB`,
		`alone +drains [1-9].*\n +beside an open transaction +drains [1-9].*\n +beside that and four readers +drains [1-9]`,
		`1000 leads generated in .*\n.*empty +[1-9].*\n.*beside +1000 +[1-9].*\n +full : empty`,
		` 0 wait, 0 attempts made: Redis uses \d\.\d\d MB for .*\n +\d{3,4} wait, .*\n +\d{4,5} wait, `,
		`large leads +[1-9].*\n +the gateway had [1-9]\d* MB at most, the worker [1-9].*\n +uploads .* not accepted: .*\n +the gateway had [1-9]`,
		`alone +p50 .*\n +beside 1000 leads/s .* times that alone .*, [1-9]\d* requests hung\n +beside a backlog .*drained beside it: [1-9]\d*/s`,
		`1000 leads filled in .*\n +first page +p50 .*, 50 leads\n +deep page .*, 50 leads\n(.*\n)* +created in an empty table [1-9]`,
		`/admin/workspaces/ID +p50 .* p95 .* KB\n(.*\n)* +(/admin/failing +first paint .*|not painted: .*)\n`,
		`/console/leads +p50 .* p95 .* KB\n(.*\n)* +(/console/leads +first paint .*|not painted: .*)\n(.*\n)* +created while nobody looks [1-9].*, while ten pages are open [1-9]`,
		`csv +1000 leads in .*\n +ndjson 1000 leads in `,
	} {
		if strings.Contains(want, "Redis uses") && strings.Contains(out.String(), "not run: no redis-server") {
			continue
		}
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the report lacks %s", want)
		}
	}
	checkFigures(t, r)
	svg, err := os.ReadFile(opt.svg)
	var drawn struct {
		Lines []struct{} `xml:"polyline"`
	}
	if err = errors.Join(err, xml.Unmarshal(svg, &drawn)); err != nil || len(drawn.Lines) != 2 {
		t.Errorf("the plot is %q, %v, want two lines", svg, err)
	}
}

// tiny is so small that numbers mean nothing.
func tiny() options {
	return options{
		conns: []int{8}, rates: []int{100}, quietly: []int{20}, rounds: 1, backlog: 1000, rows: 2000, large: 10_000,
		crowd: 1000, giant: 1000, tenants: 4, robots: 200, top: 3, duration: 500 * time.Millisecond,
		idling: 500 * time.Millisecond, steady: 500 * time.Millisecond, sweeps: 100 * time.Millisecond, quick: true,
	}
}

// checkFigures wants figures under the names by which other programs know them.
func checkFigures(t *testing.T, r *report) {
	var out strings.Builder
	if err := r.writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var doc report
	if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ingest.8_connections.rate", "ingest.8_connections.per_lead.wal",
		"quiet.20_a_second.p99", "spread.4_workspaces_zipf.per_lead.wal", "drain.rate", "open.peak", "big.times_empty",
		"horizon.beside_an_open_transaction.times_drain", "overload.recovered"} {
		if doc.Figures[name].Value <= 0 {
			t.Errorf("the document has no figure %s", name)
		}
	}
}

func TestRatios(t *testing.T) {
	t.Parallel()
	side := func(figures map[string]float64) *report {
		r := newReport("v")
		for _, name := range slices.Sorted(maps.Keys(figures)) {
			r.Figures[name], r.names = figure{figures[name], "1/s"}, append(r.names, name)
		}
		return r
	}
	ours := []*report{
		side(map[string]float64{"drain.rate": 300, "drain.x.wal": 9, "new.rate": 7, "zero.rate": 0}),
		side(map[string]float64{"drain.rate": 100, "drain.x.wal": 9, "new.rate": 7, "zero.rate": 1}),
		side(map[string]float64{"drain.rate": 220, "drain.x.wal": 9, "new.rate": 7, "zero.rate": 1}),
	}
	other := side(map[string]float64{"drain.rate": 200, "drain.x.wal": 9, "zero.rate": 1})
	r := ours[0]
	r.Against = ratios(ours, []*report{other, other, other})
	x := r.Against.Ratios["drain.rate"]
	if x.Min != .5 || x.Median != 1.1 || x.Max != 1.5 || len(r.Against.Ratios) != 2 {
		t.Errorf("ratios = %+v, want 0.5, 1.1 and 1.5 for drain.rate, and none of what one side has not or is 0", r.Against)
	}
	var out strings.Builder
	r.printRatios(&out)
	if want := regexp.MustCompile(`rounds .*\n +drain.rate +220 : 200 +1/s +1.10 +\(0.50 to 1.50\)\n$`); !want.MatchString(out.String()) {
		t.Errorf("the report is %q, want %s", out.String(), want)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-scenarios", "sleep"}, {"-conns", "0"}, {"-rates", "500,"}, {"-duration", "2m"},
		{"-rounds", "0"}, {"-idle", "1h"}, {"-big", "7"}, {"-workspaces", "1"}, {"-backlog", "1500"}, {"-rows", "10"}, {"-large", "10"}, {"-robots", "10"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			if _, err := parse(args); err == nil {
				t.Errorf("parse(%q) = nil, want an error", args)
			}
		})
	}
	opt, err := parse([]string{"-scenarios", "drain,neighbour", "-backlog", "2000"})
	if err != nil || len(opt.scenarios) != 2 || opt.backlog != 2000 || opt.large != 500_000 ||
		opt.steady != 10*time.Second || opt.quick {
		t.Errorf("parse() = %+v, %v, want two scenarios on durable stores with 2000 and 500000 deliveries", opt, err)
	}
	if opt, err = parse([]string{"-short", "-backlog", "2000"}); err != nil || opt.backlog != 2000 || opt.large != 20_000 {
		t.Errorf("parse() = %+v, %v, want what is given, and the rest short", opt, err)
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
