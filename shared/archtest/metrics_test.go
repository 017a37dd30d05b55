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

// TestMetricsAreExplained holds every metric to having its line in CONTRIBUTING.md, What to look at.
func TestMetricsAreExplained(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
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
			found++
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s registers %s: say in CONTRIBUTING.md, What to look at, what it is good for", s.path, name)
			}
		}
	}
	if found < 30 {
		t.Errorf("found %d metrics: the test does not see them", found)
	}
}
