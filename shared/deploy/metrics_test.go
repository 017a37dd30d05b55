package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"leadgate/shared/devstack"
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

// prometheus starts one that scrapes all of sys every second and evaluates the rules, and returns its address.
func prometheus(t *testing.T, sys *devstack.System) string {
	t.Helper()
	program := mustTool(t, "prometheus", "prometheus")
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, u := range sys.MetricsURLs {
		targets = append(targets, strings.TrimSuffix(strings.TrimPrefix(u, "http://"), "/metrics"))
	}
	dir := t.TempDir()
	config := mustRead(t, "prometheus/prometheus.yml")
	for from, to := range map[string]string{": 15s": ": 1s", "[leadgate.rules.yml]": "[" + rules + "]",
		`"127.0.0.1:8081", "127.0.0.1:8082"`: strings.Join(targets, ", ")} {
		if !strings.Contains(config, from) {
			t.Fatalf("prometheus.yml has no %s", from)
		}
		config = strings.ReplaceAll(config, from, to)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	listen, err := devstack.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=error")
	mustStart(t, cmd)
	return "http://" + listen
}

// mustStart starts a program that is killed when t ends.
func mustStart(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, out.String())
		}
	})
}

// Every panel has data, and every rule can be evaluated, by a Prometheus that scrapes the running product.
func TestDashboardHasData(t *testing.T) {
	t.Parallel()
	panels := mustPanels(t)
	at := prometheus(t, mustSystem(t))
	ask := func(path string, into any) error {
		status, text, err := send(t.Context(), http.DefaultClient, at+path, "", "")
		if err == nil && status != 200 {
			err = fmt.Errorf("%d %s", status, text)
		}
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), into)
	}
	for _, p := range panels {
		for _, target := range p.Targets {
			query := "/api/v1/query?query=" + url.QueryEscape(strings.ReplaceAll(target.Expr, "$__rate_interval", "30s"))
			var answer struct {
				Data struct {
					Result []struct{ Metric map[string]string }
				}
			}
			testwait.Until(t, "data of panel "+p.Title+": "+target.Expr, func() bool {
				return ask(query, &answer) == nil && len(answer.Data.Result) > 0
			})
		}
	}
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError, State string }
			}
		}
	}
	testwait.Until(t, "all rules to be evaluated", func() bool {
		if ask("/api/v1/rules", &rules) != nil || len(rules.Data.Groups) == 0 {
			return false
		}
		for _, g := range rules.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					t.Fatalf("rule %s: %s", r.Name, r.LastError)
				}
				if r.Health != "ok" {
					return false
				}
			}
		}
		return true
	})
	for _, g := range rules.Data.Groups {
		for _, r := range g.Rules {
			if r.State == "firing" {
				t.Errorf("alert %s fires, though all is well", r.Name)
			}
		}
	}
}
