package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The units are ones that systemd understands, and leave a program few rights.
func TestUnits(t *testing.T) {
	t.Parallel()
	analyze := mustTool(t, "systemd-analyze", "systemd")
	units, err := filepath.Glob("systemd/*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("units = %v, %v, want three", units, err)
	}
	dir := t.TempDir()
	for _, unit := range units { // whose programs are not installed here
		text := mustRead(t, unit)
		program := regexp.MustCompile(`ExecStart=/usr/local/bin/(gateway|worker)( migrate)?\n`)
		if !program.MatchString(text) {
			t.Errorf("%s starts no program of ours", unit)
		}
		copied := filepath.Join(dir, filepath.Base(unit))
		if err := os.WriteFile(copied, []byte(program.ReplaceAllString(text, "ExecStart=/bin/true\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		mustRun(t, analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", unit)
	}
	for _, unit := range units {
		if out := mustRun(t, analyze, "verify", "--man=no", filepath.Join(dir, filepath.Base(unit))); out != "" {
			t.Errorf("systemd-analyze verify %s:\n%s", unit, out)
		}
	}
}

// Every variable that the chart or the units set is a setting of the program that gets it.
func TestVariablesAreSettings(t *testing.T) {
	t.Parallel()
	settings := func(program string) map[string]bool {
		all := map[string]bool{}
		for _, m := range regexp.MustCompile(`from:"(\w+)"`).FindAllStringSubmatch(mustRead(t, "../../"+program+"/config.go"), -1) {
			all[m[1]], all[m[1]+"_FILE"] = true, true
		}
		return all
	}
	gateway, worker := settings("gateway"), settings("worker")
	variable := regexp.MustCompile(`\b(?:LEADGATE_[A-Z_]+|DATABASE_URL\w*|REDIS_URL\w*)\b`)
	for file, known := range map[string]func(string) bool{
		"chart/templates/gateway.yaml": func(v string) bool { return gateway[v] },
		"chart/templates/migrate.yaml": func(v string) bool { return gateway[v] },
		"chart/templates/worker.yaml":  func(v string) bool { return worker[v] },
		"systemd/leadgate.env":         func(v string) bool { return gateway[v] || worker[v] },
		"proxy/nginx.conf":             func(v string) bool { return gateway[v] },
		"proxy/Caddyfile":              func(v string) bool { return gateway[v] },
		rulesFile:                      func(v string) bool { return gateway[v] || worker[v] },
	} {
		found := variable.FindAllString(strings.ReplaceAll(mustRead(t, file), "#", " "), -1)
		if len(found) == 0 {
			t.Errorf("%s sets no variable: the test does not see them", file)
		}
		for _, v := range found {
			if !known(v) {
				t.Errorf("%s has %s, which is no setting", file, v)
			}
		}
	}
}
