// Package migrations embeds the schema's history; shared/pg applies it.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// FS holds NNNN_verb_noun.sql, applied in order. They are written for goose, which keeps the version.
//
//go:embed *.sql
var FS embed.FS

// Migration is what one file does.
type Migration struct {
	Version int64
	Name    string   // of the file
	Steps   []string // each a transaction of its own, in order

	untied bool // its steps can be done, and the migration not
}

// All returns the migrations in order.
func All() ([]Migration, error) {
	names, err := fs.Glob(FS, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	all := make([]Migration, len(names))
	for i, name := range names {
		text, err := FS.ReadFile(name)
		if err == nil {
			all[i], err = parse(name, string(text))
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// parse reads a file. Its Up part is one step, or with NO TRANSACTION as many as it has paragraphs.
func parse(name, text string) (Migration, error) {
	number, _, _ := strings.Cut(name, "_")
	version, err := strconv.ParseInt(number, 10, 64)
	head, rest, found := strings.Cut(text, "-- +goose Up\n")
	if err != nil || !found {
		return Migration{}, fmt.Errorf("migration %s: want a number before the first _, and a line -- +goose Up", name)
	}
	up, _, _ := strings.Cut(rest, "-- +goose Down\n")
	m := Migration{Version: version, Name: name, Steps: []string{up}}
	if strings.Contains(head, "-- +goose NO TRANSACTION\n") {
		m.untied = true
		m.Steps = slices.DeleteFunc(strings.Split(up, "\n\n"), isComment)
	}
	return m, nil
}

// isComment reports whether a paragraph has no statement.
func isComment(paragraph string) bool {
	for line := range strings.Lines(paragraph) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			return false
		}
	}
	return true
}
