package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// metricName finds the names of metrics where they are registered; those of the collector lack the prefix.
var metricName = regexp.MustCompile(`"leadgate_(\w+)"|\bdesc\("(\w+)"`)

// ofMetric finds the names of metrics in CONTRIBUTING.md.
var ofMetric = regexp.MustCompile("`(leadgate_\\w+)`")

// TestMetricsAreExplained holds every metric to having its line in CONTRIBUTING.md, What to look at, and that to naming
// none that is not there.
func TestMetricsAreExplained(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, s := range sources(t) {
		if s.test || !covers([]string{"gateway/...", "worker/...", "shared/telemetry"}, s.pkg) {
			continue
		}
		code, err := os.ReadFile(filepath.Join(root, s.path))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metricName.FindAllStringSubmatch(string(code), -1) {
			name := "leadgate_" + m[1] + m[2]
			if name == "leadgate_admin" { // a cookie
				continue
			}
			found[name] = true
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s registers %s: say in CONTRIBUTING.md, What to look at, what it is good for", s.path, name)
			}
		}
	}
	if len(found) < 30 {
		t.Errorf("found %d metrics: the test does not see them", len(found))
	}
	for _, m := range ofMetric.FindAllStringSubmatch(string(text), -1) {
		if !found[m[1]] {
			t.Errorf("CONTRIBUTING.md names %s, which is registered nowhere", m[1])
		}
	}
}
