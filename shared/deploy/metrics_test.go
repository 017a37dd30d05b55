package deploy

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"leadgate/shared/testwait"
)

const dashboardFile = "grafana/leadgate.json"

// panel is a panel of the dashboard.
type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

func mustPanels(t *testing.T) (all []panel) {
	t.Helper()
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal([]byte(mustRead(t, dashboardFile)), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		if len(p.Targets) > 0 {
			all = append(all, p)
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d panels: the test does not see them", len(all))
	}
	return all
}

var (
	metricName  = regexp.MustCompile(`\b(leadgate|go|process)_[a-z_0-9]+\b`)
	ofHistogram = regexp.MustCompile(`_(bucket|sum|count)$`)
	label       = regexp.MustCompile(`"[^"]*"`)
)

// Every metric that a rule or a panel names is one that a gateway or a worker tells.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	sys := mustSystem(t)
	told := map[string]bool{}
	for _, url := range sys.MetricsURLs {
		for line := range strings.Lines(mustGet(t, url)) {
			if name, _, ok := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " "); ok && strings.HasPrefix(line, "# TYPE ") {
				told[name] = true
			}
		}
	}
	named := 0
	check := func(where, expr string) {
		for _, name := range metricName.FindAllString(label.ReplaceAllString(expr, ""), -1) {
			named++
			if !told[name] && !told[ofHistogram.ReplaceAllString(name, "")] {
				t.Errorf("%s names %s, which no process tells", where, name)
			}
		}
	}
	for _, p := range mustPanels(t) {
		for _, target := range p.Targets {
			check("panel "+p.Title, target.Expr)
		}
	}
	for _, rule := range regexp.MustCompile(`(?s)- (?:alert|record): (\S+)\n\s+expr: (.*?)\n\s+(?:for|labels|- |\z)`).
		FindAllStringSubmatch(mustRead(t, rulesFile), -1) {
		check("rule "+rule[1], rule[2])
	}
	if named < 60 {
		t.Errorf("%d names of metrics found: the test does not see them", named)
	}
}

// What is the same whoever tells it is told once, however many gateways and workers run, so that a sum is right.
func TestInstallationIsToldOnce(t *testing.T) {
	t.Parallel()
	sys := mustSystem(t)
	for _, series := range []string{"leadgate_oldest_due_seconds ", `leadgate_deliveries_waiting{state="due"} `,
		`leadgate_queue_tasks{queue="webhook",state="pending"} `, `leadgate_endpoints{breaker="closed"} `} {
		testwait.Until(t, "one "+series, func() bool {
			told := 0
			for _, url := range sys.MetricsURLs {
				told += strings.Count("\n"+mustGet(t, url), "\n"+series)
			}
			return told == 1
		})
	}
}

// Every panel has data, and every rule can be evaluated, by a Prometheus that scrapes the running product.
func TestDashboardHasData(t *testing.T) {
	t.Parallel()
	panels := mustPanels(t)
	prometheus := mustPrometheus(t)
	for _, p := range panels {
		for _, target := range p.Targets {
			query := "/api/v1/query?query=" + url.QueryEscape(strings.ReplaceAll(target.Expr, "$__rate_interval", "30s"))
			var answer struct {
				Data struct {
					Result []struct{ Metric map[string]string }
				}
			}
			testwait.Until(t, "data of panel "+p.Title+": "+target.Expr, func() bool {
				return prometheus.ask(t, query, &answer) == nil && len(answer.Data.Result) > 0
			})
		}
	}
	testwait.Until(t, "all rules to be evaluated", func() bool {
		all := prometheus.rules(t)
		for _, r := range all {
			if r.Health == "err" {
				t.Fatalf("rule %s: %s", r.Name, r.LastError)
			}
			if r.Health != "ok" {
				return false
			}
		}
		return len(all) > 0
	})
}
