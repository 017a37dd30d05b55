package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	// readsRows finds the statements of a function, and ofWorkspace those that are bound to a workspace: by a
	// parameter, by rows that name theirs, or because they are about one row of workspaces.
	readsRows = regexp.MustCompile(`(?is)\bselect\b.*\bfrom\s+[a-z]|\binsert into\b|\bdelete from\b|` +
		`\bupdate\s+\w+(\s+\w+)?\s+set\b`)
	ofWorkspace = regexp.MustCompile(`workspace_id (=|is not distinct from) \(?(select )?\$|workspace_id in \(|` +
		`(as|into) \w+ \(workspace_id|workspaces[^;]*\bid = \$|into workspaces`)
	// ofNoTenant finds statements that read only what Postgres has of its own.
	ofNoTenant = regexp.MustCompile(`from pg_\w+|current_setting\(|ensure_partitions`)
)

const acrossWorkspaces = "It looks across workspaces."

// TestStatementsNameTheirWorkspace holds functions of shared/pg whose SQL is bound to no workspace to saying so.
func TestStatementsNameTheirWorkspace(t *testing.T) {
	texts := map[string]string{} // of constants and variables of the package
	var functions []*ast.FuncDecl
	for _, s := range sources(t) {
		if s.test || s.pkg != "shared/pg" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				functions = append(functions, d)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
						for i, name := range v.Names {
							texts[name.Name] = text(v.Values[i], texts)
						}
					}
				}
			}
		}
	}
	found := 0
	for _, f := range functions {
		sql := text(f, texts)
		across := readsRows.MatchString(sql) && !ofWorkspace.MatchString(sql) && !ofNoTenant.MatchString(sql)
		says := strings.Contains(strings.Join(strings.Fields(f.Doc.Text()), " "), acrossWorkspaces)
		if across {
			found++
		}
		if across && !says {
			t.Errorf("shared/pg: the SQL of %s names no workspace: add workspace_id to its condition, or end its comment with %q",
				f.Name.Name, acrossWorkspaces)
		}
	}
	if found < 10 {
		t.Errorf("found %d statements across workspaces: the test does not see them", found)
	}
}

// text joins the string literals below a node, and those of the names that it uses.
func text(n ast.Node, names map[string]string) string {
	var b strings.Builder
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				b.WriteString(s)
			}
		case *ast.SelectorExpr: // a field or method may have the name of a constant
			b.WriteString(text(n.X, names))
			return false
		case *ast.Ident:
			b.WriteString(names[n.Name])
		}
		return true
	})
	return b.String()
}
