package deploy

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const rulesFile = "prometheus/leadgate.rules.yml"

// mustTool returns the path of a program, or skips the test.
func mustTool(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

// mustRun runs a program and returns what it printed.
func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s = %v:\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// healthy are the series of an installation without a fault: two gateways and a worker, a sample a minute.
func healthy() map[string]string {
	series := map[string]string{}
	for _, instance := range []string{"gateway1", "gateway2", "worker1"} {
		of := func(name, labels, values string) {
			series[fmt.Sprintf(`%s{job="leadgate",instance="%s"%s}`, name, instance, labels)] = values
		}
		of("leadgate_build_info", `,version="v1"`, "1x500")
		of("process_start_time_seconds", "", "1000x500")
		of("leadgate_memory_short_total", "", "0+1x500")
		of("go_sql_wait_duration_seconds_total", `,db_name="postgres"`, "0+6x500")
		if instance == "worker1" {
			of("leadgate_enriched_total", "", "0+60x500")
			of("leadgate_queue_processed_total", `,queue="upkeep"`, "0+30x500")
			of("leadgate_queue_failed_total", `,queue="failing"`, "0+60x500")
			of("leadgate_queue_failed_total", `,queue="webhook"`, "0+1x500")
			of("leadgate_partitions_kept", "", "0x500")
			of("leadgate_held_deliveries_dropped_total", "", "0x500")
			continue
		}
		of("leadgate_store_up", `,store="postgres"`, "1x500")
		of("leadgate_store_up", `,store="redis"`, "1x500")
		of("leadgate_intake_waiting", "", "100x500")
		of("leadgate_intake_leads_total", `,outcome="queue_full"`, "0x500")
		of("leadgate_batch_memory_refused_total", "", "0x500")
		of("leadgate_books_dropped_total", "", "0x500")
		of("leadgate_http_requests_total", `,listener="api",status="201"`, "0+6000x500")
		of("leadgate_http_requests_total", `,listener="api",status="503"`, "0+6x500")
		for le, n := range map[string]string{"0.1": "5990", "1": "5999", "2.5": "6000", "+Inf": "6000"} {
			of("leadgate_http_request_seconds_bucket",
				`,listener="api",method="POST",route="/api/v1/leads",le="`+le+`"`, "0+"+n+"x500")
		}
	}
	const first = `{job="leadgate",instance="gateway1"` // the one that speaks for the installation
	series["leadgate_oldest_due_seconds"+first+"}"] = "5x500"
	series["leadgate_oldest_snapshot_seconds"+first+"}"] = "60x500"
	series["leadgate_deliveries_waiting"+first+`,state="due"}`] = "20000x500" // many, but no more than before
	series["leadgate_queue_paused"+first+`,queue="webhook"}`] = "0x500"
	for breaker, n := range map[string]int{"closed": 90, "failing": 4, "open": 6, "disabled": 50} {
		series["leadgate_endpoints"+first+`,breaker="`+breaker+`"}`] = fmt.Sprintf("%dx500", n)
	}
	return series
}

// faults are, for each alert, the series that differ from the healthy ones, "" for one that is gone, and after how long
// the alert must fire and before which time it must not.
var faults = []struct {
	alert   string
	differs map[string]string
	before  string // it waits that long, for what passes by itself
	at      string
}{
	{"LeadgateNoGateway", map[string]string{`leadgate_\w+{job="leadgate",instance="gateway.".*`: "1x2 stale"}, "4m", "10m"},
	{"LeadgatePostgresAway", map[string]string{`leadgate_store_up.*gateway2",store="postgres".*`: "1x4 0x100"}, "5m", "7m"},
	{"LeadgateRedisAway", map[string]string{`leadgate_store_up.*gateway2",store="redis".*`: "1x4 0x100"}, "6m", "8m"},
	{"LeadgateRequestsFail", map[string]string{`leadgate_http_requests_total.*status="503".*`: "0+200x100"}, "5m", "15m"},
	{"LeadgatePostsSlow", map[string]string{`leadgate_http_request_seconds_bucket.*le="(0.1|1)".*`: "0+5900x100"}, "9m", "20m"},
	{"LeadgateIntakeFull", map[string]string{`leadgate_intake_leads_total.*gateway1.*`: "0x9 0+6000x100"}, "10m", "13m"},
	{"LeadgateMemoryShort", map[string]string{`leadgate_memory_short_total.*worker1.*`: "0+5x100"}, "4m", "20m"},
	{"LeadgatePoolShort", map[string]string{`go_sql_wait_duration_seconds_total.*gateway1.*`: "0+300x100"}, "9m", "20m"},
	{"LeadgateNoWorker", map[string]string{`.*worker1.*`: "_x500"}, "1m", "6m"},
	{"LeadgateWebhooksLate", map[string]string{`leadgate_oldest_due_seconds.*`: "5x9 300x100"}, "14m", "16m"},
	{"LeadgateBacklogUnknown", map[string]string{`leadgate_oldest_due_seconds.*`: "_x500"}, "9m", "12m"},
	{"LeadgateBacklogGrows", map[string]string{`leadgate_deliveries_waiting.*`: "20000+100x100"}, "10m", "30m"},
	{"LeadgateQueuePaused", map[string]string{`leadgate_queue_paused.*`: "0x9 1x100"}, "19m", "21m"},
	{"LeadgateNoSweep", map[string]string{`leadgate_queue_processed_total.*`: "100x100"}, "4m", "12m"},
	{"LeadgateTasksFail", map[string]string{`leadgate_queue_failed_total.*queue="webhook".*`: "0+30x100"}, "14m", "25m"},
	{"LeadgateReceiversFail", map[string]string{`leadgate_endpoints.*breaker="open".*`: "6x9 60x100"}, "24m", "26m"},
	{"LeadgateOldSnapshot", map[string]string{`leadgate_oldest_snapshot_seconds.*`: "1700+60x100"}, "6m", "10m"},
	{"LeadgateOldWeeksKept", map[string]string{`leadgate_partitions_kept.*`: "2x500"}, "5h", "7h"},
	{"LeadgateHeldDropped", map[string]string{`leadgate_held_deliveries_dropped_total.*`: "0x9 40x100"}, "9m", "12m"},
	{"LeadgateBooksDropped", map[string]string{`leadgate_books_dropped_total.*gateway1.*`: "0x9 40x100"}, "9m", "12m"},
	{"LeadgateRestarts", map[string]string{`process_start_time_seconds.*worker1.*`: "1x9 2 3 4 5x100"}, "9m", "14m"},
	{"LeadgateVersionsMixed", map[string]string{`leadgate_build_info.*worker1.*`: "_x500",
		`leadgate_build_info{job="leadgate",instance="worker1",version="v2"}`: "1x500"}, "59m", "2h"},
}

// Each alert fires in its fault, after the time that it waits, and alone; and none where all is well.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool := mustTool(t, "promtool", "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "rule_files: [%s]\nevaluation_interval: 1m\ntests:\n", rules)
	writeCase(&text, healthy(), nil, "7h", "")
	var named []string
	for _, f := range faults {
		series, before := healthy(), healthy()
		for pattern, values := range f.differs {
			found := false
			for name := range before { // not a series that another pattern of this fault added
				if regexp.MustCompile("^" + pattern + "$").MatchString(name) {
					series[name], found = values, true
				}
			}
			if !found {
				series[pattern] = values
			}
		}
		writeCase(&text, series, []string{f.before}, f.at, f.alert)
		named = append(named, f.alert)
	}
	file := filepath.Join(dir, "test.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, promtool, "check", "rules", rules)
	mustRun(t, promtool, "test", "rules", file)
	var alerts []string
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(mustRead(t, rulesFile), -1) {
		alerts = append(alerts, m[1])
	}
	slices.Sort(alerts)
	slices.Sort(named)
	if !slices.Equal(alerts, named) {
		t.Errorf("alerts = %v, tested are %v", alerts, named)
	}
}

// writeCase writes one test of promtool: nothing fires at the times quiet, and at the time at only alert does.
func writeCase(w *strings.Builder, series map[string]string, quiet []string, at, alert string) {
	w.WriteString("  - interval: 1m\n    input_series:\n")
	for _, name := range slices.Sorted(maps.Keys(series)) {
		fmt.Fprintf(w, "      - {series: '%s', values: '%s'}\n", name, series[name])
	}
	w.WriteString("    promql_expr_test:\n")
	expect := func(at, alert string) {
		fmt.Fprintf(w, "      - expr: count by (alertname) (ALERTS{alertstate=\"firing\"})\n        eval_time: %s\n", at)
		if alert != "" {
			fmt.Fprintf(w, "        exp_samples: [{labels: '{alertname=\"%s\"}', value: 1}]\n", alert)
		}
	}
	for _, time := range quiet {
		expect(time, "")
	}
	expect(at, alert)
}

// A runbook is a sentence of its own for each alert, and so is what the alert says.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	text := mustRead(t, rulesFile)
	alerts := strings.Split(text, "- alert: ")[1:]
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		for _, want := range []string{"severity: ", "summary: ", "runbook: "} {
			if strings.Count(alert, want) != 1 {
				t.Errorf("alert %s has no %s", name, want)
			}
		}
	}
}
