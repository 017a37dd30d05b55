package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/testwait"
)

// scraper is a Prometheus that scrapes the system every second and evaluates the rules.
type scraper struct {
	url string
	cmd *exec.Cmd
}

// scraping is the one of this process. It needs five seconds to find what to scrape.
var scraping = sync.OnceValues(func() (*scraper, error) {
	sys, err := running()
	if err != nil {
		return nil, err
	}
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile("prometheus/prometheus.yml")
	if err != nil {
		return nil, err
	}
	var targets []string
	for _, u := range sys.MetricsURLs {
		targets = append(targets, strings.TrimSuffix(strings.TrimPrefix(u, "http://"), "/metrics"))
	}
	config := string(text)
	for from, to := range map[string]string{": 15s": ": 1s", "[leadgate.rules.yml]": "[" + rules + "]",
		`"127.0.0.1:8081", "127.0.0.1:8082"`: strings.Join(targets, ", ")} {
		if !strings.Contains(config, from) {
			return nil, fmt.Errorf("prometheus.yml has no %s", from)
		}
		config = strings.ReplaceAll(config, from, to)
	}
	dir, err := os.MkdirTemp("", "leadgate-prometheus-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	listen, err := devstack.Listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &scraper{url: "http://" + listen}
	p.cmd = exec.Command("prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=error")
	onExit = append(onExit, func() { p.cmd.Process.Kill(); p.cmd.Wait(); os.RemoveAll(dir) })
	return p, p.cmd.Start()
})

func mustPrometheus(t *testing.T) *scraper {
	t.Helper()
	mustTool(t, "prometheus", "prometheus")
	p, err := scraping()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *scraper) ask(t *testing.T, path string, into any) error {
	t.Helper()
	status, text, err := send(t.Context(), http.DefaultClient, p.url+path, "", "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

type rule struct{ Name, Type, Health, LastError, State string }

// rules returns all rules as they are now, none while Prometheus does not answer.
func (p *scraper) rules(t *testing.T) (all []rule) {
	t.Helper()
	var answer struct {
		Data struct{ Groups []struct{ Rules []rule } }
	}
	if err := p.ask(t, "/api/v1/rules", &answer); err != nil {
		return nil
	}
	for _, g := range answer.Data.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// alarmed returns the alerts whose condition is met now, whether or not they have waited long enough to fire.
func (p *scraper) alarmed(t *testing.T) (names []string) {
	t.Helper()
	for _, r := range p.rules(t) {
		if r.Type == "alerting" && r.State != "inactive" {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}

// swept reports whether a sweep was counted after the first scrape: before that nobody can tell whether workers sweep.
func (p *scraper) swept(t *testing.T) bool {
	t.Helper()
	var answer struct {
		Data struct{ Result []any }
	}
	query := url.QueryEscape(`sum(increase(leadgate_queue_processed_total{queue="upkeep"}[5m])) > 0`)
	return p.ask(t, "/api/v1/query?query="+query, &answer) == nil && len(answer.Data.Result) > 0
}

// What the alerts are about happens to the running product: their conditions are met then, and no others.
// It runs before the parallel tests, which need all that it takes away.
func TestOutagesAlarm(t *testing.T) {
	p, sys := mustPrometheus(t), mustSystem(t)
	alarms := func(want ...string) {
		t.Helper()
		var got []string
		defer func() {
			if t.Failed() {
				t.Logf("alerts = %v, want %v", got, want)
			}
		}()
		testwait.Until(t, fmt.Sprint("alerts ", want), func() bool {
			got = p.alarmed(t)
			return slices.Equal(got, want)
		})
	}
	testwait.Until(t, "rules that have been evaluated on what was scraped, a sweep among it", func() bool {
		all := p.rules(t)
		return len(all) > 0 && !slices.ContainsFunc(all, func(r rule) bool { return r.Health != "ok" }) && p.swept(t)
	})
	alarms()
	for _, outage := range []struct {
		alert       string
		begin, over func() error
	}{
		{"LeadgateRedisAway", sys.Redis.Stop, func() error { return sys.Redis.Start(t.Context()) }},
		{"LeadgatePostgresAway", sys.Postgres.Stop, func() error { return sys.Postgres.Start(t.Context()) }},
		{"LeadgateNoWorker", func() error { return each(sys.Workers(), (*devstack.Process).Stop) }, func() error {
			return each(sys.Workers(), func(w *devstack.Process) error { return w.Start(t.Context()) })
		}},
	} {
		began := time.Now()
		if err := outage.begin(); err != nil {
			t.Fatal(err)
		}
		alarms(outage.alert)
		if err := outage.over(); err != nil {
			t.Fatal(err)
		}
		alarms()
		t.Logf("%s: %v", outage.alert, time.Since(began))
	}
	if err := work(sys, "later"); err != nil { // these workers have counted nothing yet
		t.Fatal(err)
	}
}

func each(all []*devstack.Process, do func(*devstack.Process) error) error {
	for _, p := range all {
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}
