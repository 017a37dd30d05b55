package archtest

import (
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// settingRow is a row of README's table of settings: variable, program, default.
var settingRow = regexp.MustCompile("^\\| `([A-Z_]+)` \\| ([a-z]+) \\| ([^|]+) \\|")

// TestSettingsAreInReadme holds README's table of settings against the fields of gateway/config.go and
// worker/config.go: each has a row, with the programs that read it and its default.
func TestSettingsAreInReadme(t *testing.T) {
	declared := map[string]string{} // variable: programs and default
	for _, program := range []string{"gateway", "worker"} {
		for name, value := range settings(t, program) {
			if declared[name] != "" {
				program, _, _ := strings.Cut(declared[name], " ")
				if declared[name] != program+" "+value {
					t.Errorf("%s: the gateway's default is %s, the worker's %s", name, declared[name], value)
				}
				declared[name] = "both " + value
				continue
			}
			declared[name] = program + " " + value
		}
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for line := range strings.Lines(string(readme)) {
		if m := settingRow.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], "GO") {
			written[m[1]] = m[2] + " " + strings.Trim(m[3], "`")
		}
	}
	if diff := cmp.Diff(declared, written); diff != "" {
		t.Errorf("the table of settings in README.md (-config.go +README.md):\n%s", diff)
	}
}

// settings returns the variables that a program's config.go reads, with their defaults.
func settings(t *testing.T, program string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, s := range sources(t) {
		if s.path != filepath.Join(program, "config.go") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || field.Tag == nil {
				return true
			}
			text, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			tag := reflect.StructTag(text)
			name := tag.Get("from")
			if _, hidden := tag.Lookup("hidden"); name == "" || hidden {
				return true
			}
			value := tag.Get("default")
			if kind, ok := field.Type.(*ast.Ident); ok && kind.Name == "bool" && value == "" {
				value = "false"
			}
			if _, required := tag.Lookup("required"); required {
				value = "required"
			} else if value == "" {
				value = "–"
			}
			found[name] = value
			return true
		})
	}
	if len(found) < 10 {
		t.Fatalf("found %d settings of %s: the test does not see them", len(found), program)
	}
	return found
}
