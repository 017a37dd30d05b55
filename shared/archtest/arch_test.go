// Package archtest holds the walls of the house: who may import what, each with its reason.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "leadgate"

// walls say which packages may import something; a name ending in /... covers what is below it.
var walls = []struct {
	imports []string
	only    []string
	because string
}{
	{[]string{"database/sql", "github.com/jmoiron/sqlx", "github.com/lib/pq/...", "github.com/pressly/goose/v3"},
		[]string{"shared/pg/...", "shared/devstack", "shared/bench"},
		"every statement is in one room, where its workspace_id can be seen (devstack creates databases, bench measures a bare INSERT)"},
	{[]string{"leadgate/shared/pg/conn"},
		[]string{"shared/pg/...", "shared/devstack", "shared/bench"},
		"SQLSTATEs and transactions stay in the same room: others branch on the errors of shared/pg"},
	{[]string{"github.com/hibiken/asynq"},
		[]string{"shared/task", "worker/...", "gateway/internal/admin"},
		"a task is a wake-up: only shared/task says what it is called and holds"},
	{[]string{"github.com/hibiken/asynqmon"},
		[]string{"gateway/internal/admin"},
		"the dashboard is behind the admin token"},
	{[]string{"github.com/gorilla/mux"},
		[]string{"gateway/..."},
		"routes are the gateway's"},
	{[]string{"github.com/fergusstrange/embedded-postgres", "github.com/alicebob/miniredis/v2"},
		[]string{"shared/devstack"},
		"private stores are for development and tests"},
	{[]string{"leadgate/shared/devstack", "leadgate/shared/pg/pgtest", "leadgate/shared/rdb/redistest"},
		[]string{"shared/dev", "shared/devstack/matrix", "shared/bench", "shared/chaos", "shared/e2e", "shared/pg/pgtest",
			"shared/rdb/redistest"},
		"test stores never get into a binary that users run"},
	{[]string{"leadgate/shared/secret"}, []string{"shared/pg", "shared/devstack", "gateway", "worker"},
		"secrets are sealed where rows are written and opened where they are read; mains and devstack hand the keys over"},
	{[]string{"go.opentelemetry.io/..."}, []string{"shared/trace", "shared/telemetry"},
		"what is told of a request is decided in one room, and costs nothing where nobody is told"},
	{[]string{"github.com/chromedp/..."}, []string{"shared/testbrowser"},
		"tests say what a person does in a browser, not what is sent to it"},
	{[]string{"leadgate/shared/spectest"}, []string{"shared/e2e"}, "answers are held against the document in tests"},
	{[]string{"github.com/santhosh-tekuri/jsonschema/v6"}, []string{"shared/spectest"},
		"only what holds answers against the document validates schemas"},
}

// domain packages speak only the standard library, each other's facts, and text.
var domain = []string{
	"shared/fault", "shared/id", "shared/limit", "shared/secret", "shared/strictjson", "shared/lead", "shared/leadfile",
	"shared/tenant", "shared/webhook",
}

var domainImports = []string{
	"leadgate/shared/fault", "leadgate/shared/id", "leadgate/shared/limit", "leadgate/shared/strictjson",
	"leadgate/shared/lead",
	"github.com/google/uuid", "github.com/go-json-experiment/json", "golang.org/x/net/idna", "golang.org/x/text/",
	"code.dny.dev/ssrf", "github.com/nyaruka/phonenumbers",
}

type source struct {
	pkg  string // directory below the module: "shared/pg"
	path string
	test bool
	file *ast.File
	set  *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		all = append(all, source{filepath.ToSlash(filepath.Dir(rel)), rel, strings.HasSuffix(path, "_test.go"), f, set})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found %d Go files: not looking at the module", len(all))
	}
	return all
}

func (s source) imports() []string {
	var all []string
	for _, i := range s.file.Imports {
		all = append(all, strings.Trim(i.Path.Value, `"`))
	}
	return all
}

func covers(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if below, ok := strings.CutSuffix(p, "/..."); pkg == p || ok && (pkg == below || strings.HasPrefix(pkg, below+"/")) {
			return true
		}
	}
	return false
}

func TestWalls(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, imported := range s.imports() {
			for _, w := range walls {
				if covers(w.imports, imported) && !covers(w.only, s.pkg) {
					t.Errorf("%s imports %s, which only %v may: %s", s.path, imported, w.only, w.because)
				}
			}
		}
	}
}

func TestDomainIsPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !covers(domain, s.pkg) && s.pkg != "shared/client" { // a client speaks HTTP, and knows of no store
			continue
		}
		for _, imported := range s.imports() {
			standard := !strings.Contains(strings.Split(imported, "/")[0], ".") && !strings.HasPrefix(imported, module+"/")
			allowed := standard
			for _, prefix := range domainImports {
				allowed = allowed || strings.HasPrefix(imported, prefix)
			}
			if !allowed {
				t.Errorf("%s imports %s: a domain package, or the client, must not know how things are stored or sent", s.path,
					imported)
			}
		}
	}
}

// What a process is told comes through main, so that every test can start one with an environment of its own. Tests
// themselves have no main.
func TestEnvironmentIsReadInMain(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.file.Name.Name == "main" || s.pkg == "shared/pg/pgtest" || s.pkg == "shared/rdb/redistest" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if ok && pkg.Name == "os" && (sel.Sel.Name == "Getenv" || sel.Sel.Name == "LookupEnv") {
				t.Errorf("%s reads the environment; only a main may", s.path)
			}
			if ok && pkg.Name == "redis" && sel.Sel.Name == "NewScript" && s.pkg != "shared/rdb" {
				t.Errorf("%s holds a Lua script; scripts and key names are in shared/rdb", s.path)
			}
			return true
		})
	}
}

func TestHouseRules(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
		if s.pkg == "shared" {
			t.Errorf("%s: no Go files directly in shared", s.path)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: init() hides when things happen", s.path)
			}
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc that says its room", pkg)
		}
	}
}

// TestSizes holds the bounds that CONTRIBUTING.md states.
func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		maxFile, maxFunc := 350, 75
		if s.test {
			maxFile, maxFunc = 450, 100
		}
		line := func(p token.Pos) int { return s.set.Position(p).Line }
		if n := line(s.file.FileEnd) - 1; n > maxFile {
			t.Errorf("%s has %d lines, more than %d: a room to divide", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := line(f.End()) - line(f.Pos()) + 1; n > maxFunc {
					t.Errorf("%s: %s has %d lines, more than %d", s.path, f.Name.Name, n, maxFunc)
				}
			}
		}
	}
}

// What users run must not carry what tests run on, not even through a third package.
func TestBinariesAreClean(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"/gateway", module+"/worker").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		for _, bad := range []string{"testing", "github.com/google/go-cmp", "github.com/alicebob/",
			"github.com/fergusstrange/", module + "/shared/devstack", module + "/shared/pg/pgtest",
			module + "/shared/rdb/redistest", module + "/shared/spectest", module + "/shared/testbrowser",
			"github.com/santhosh-tekuri/", "github.com/chromedp/"} {
			if dep == bad || strings.HasSuffix(bad, "/") && strings.HasPrefix(dep, bad) {
				t.Errorf("gateway or worker depends on %s", dep)
			}
		}
	}
}
