package migrations

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What a step does to tables, in the words in which it is written.
var (
	created      = regexp.MustCompile(`(?m)^create table (?:if not exists )?(\w+)`)
	partitioned  = regexp.MustCompile(`(?s)create table (?:if not exists )?(\w+) \([^;]*\) partition by`)
	altered      = regexp.MustCompile(`(?m)^alter table (?:if exists )?(?:only )?(\w+)`)
	dropped      = regexp.MustCompile(`(?m)^drop table (?:if exists )?(\w+)`)
	referenced   = regexp.MustCompile(`\breferences (\w+)`)
	indexed      = regexp.MustCompile(`(?m)^create (?:unique )?index (concurrently )?(?:if not exists )?\w+ on (?:only )?(\w+)`)
	indexDropped = regexp.MustCompile(`(?m)^drop index `)
	inTheWay     = regexp.MustCompile(`(?i)concurrently`)
	mayBeDone    = regexp.MustCompile(`(?m)^(create (table|index concurrently|index) (if not)?|drop \w+ (concurrently )?(if)?| *alter table \w+ (add|drop) column (if)?| +(add|drop) column (if)?)`)
	rewriting    = regexp.MustCompile(`alter column \w+ (set data )?type |(?m)^(vacuum|cluster|lock|set (?:session )?\w+ *=)`)
)

// problems are what is against README.md in a migration that comes after others.
func problems(m Migration, before []Migration) (all []string) {
	split := map[string]bool{}
	for _, b := range append(slices.Clone(before), m) {
		for _, step := range b.Steps {
			for _, match := range partitioned.FindAllStringSubmatch(withoutComments(step), -1) {
				split[match[1]] = true
			}
		}
	}
	for _, step := range m.Steps {
		text := withoutComments(step)
		fresh, touched := map[string]bool{}, map[string]bool{}
		for _, match := range created.FindAllStringSubmatch(text, -1) {
			fresh[match[1]] = true
		}
		for _, pattern := range []*regexp.Regexp{altered, dropped, referenced} {
			for _, match := range pattern.FindAllStringSubmatch(text, -1) {
				touched[match[1]] = true
			}
		}
		alone := strings.Count(text, ";") == 1
		for _, match := range indexed.FindAllStringSubmatch(text, -1) {
			table := match[2]
			touched[table] = true
			switch {
			case match[1] != "" && (!alone || len(m.Steps) == 1 && !m.untied):
				all = append(all, "an index that is made concurrently must be a step of its own, in a file with NO TRANSACTION")
			case match[1] == "" && !fresh[table] && !split[table]:
				all = append(all, "an index of table "+table+", which is there, must be made concurrently")
			}
		}
		if indexDropped.MatchString(text) && (!inTheWay.MatchString(text) || !alone) {
			all = append(all, "an index must be dropped concurrently, in a step of its own")
		}
		if rewriting.MatchString(text) {
			all = append(all, "it rewrites or locks a table, or sets something for longer than its transaction")
		}
		for table := range fresh {
			delete(touched, table)
		}
		if len(touched) > 1 {
			all = append(all, "one step locks several tables that are there")
		}
		for _, match := range mayBeDone.FindAllString(text, -1) {
			if m.untied && !strings.HasSuffix(match, "if") && !strings.HasSuffix(match, "if not") {
				all = append(all,
					"a step may have been done before: want if exists, or if not exists, in "+strings.TrimSpace(match))
			}
		}
	}
	return all
}

func withoutComments(step string) string {
	return regexp.MustCompile(`--.*`).ReplaceAllString(step, "")
}

// Migrations let others go on.
func TestRules(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			if m.Version != int64(i+1) {
				t.Errorf("version = %d, want %d: none is left out", m.Version, i+1)
			}
			for _, p := range problems(m, all[:i]) {
				t.Error(p)
			}
		})
	}
}

// The rules refuse what they are for.
func TestRulesRefuse(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	const untied = "-- +goose NO TRANSACTION\n"
	for name, c := range map[string]struct {
		text string
		want bool // it is refused
	}{
		"a column": {"-- +goose Up\nalter table leads add column x text;\n", false},
		"columns of two tables": {"-- +goose Up\nalter table leads add column x text;\n" +
			"alter table events add column x text;\n", true},
		"the same in two steps": {untied + "-- +goose Up\nalter table leads add column if not exists x text;\n\n" +
			"alter table events add column if not exists x text;\n", false},
		"the same, only once": {untied + "-- +goose Up\nalter table leads add column if not exists x text;\n\n" +
			"alter table events add column x text;\n", true},
		"an index":               {untied + "-- +goose Up\ncreate index concurrently if not exists i on leads (x);\n", false},
		"an index, only once":    {untied + "-- +goose Up\ncreate index concurrently i on leads (x);\n", true},
		"an index, locking":      {"-- +goose Up\ncreate index i on leads (x);\n", true},
		"an index, in a file":    {"-- +goose Up\ncreate index concurrently if not exists i on leads (x);\n", true},
		"an index of partitions": {"-- +goose Up\ncreate index if not exists i on events (x);\n", false},
		"two indexes in a step": {untied + "-- +goose Up\ncreate index concurrently if not exists i on leads (x);\n" +
			"create index concurrently if not exists j on leads (x);\n", true},
		"an index less":          {untied + "-- +goose Up\ndrop index concurrently if exists i;\n", false},
		"an index less, locking": {"-- +goose Up\ndrop index i;\n", true},
		"a table": {"-- +goose Up\ncreate table t (a int references workspaces);\n" +
			"create index i on t (a);\n", false},
		"a table, and a column": {"-- +goose Up\ncreate table t (a int references workspaces);\n" +
			"alter table leads add column x text;\n", true},
		"another type":            {"-- +goose Up\nalter table leads alter column name type json;\n", true},
		"a setting that stays":    {"-- +goose Up\nset lock_timeout = 0;\nalter table leads add column x text;\n", true},
		"a table that is dropped": {"-- +goose Up\ndrop table usage;\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parse("0099_test.sql", c.text+"\n-- +goose Down\n")
			if err != nil {
				t.Fatal(err)
			}
			if got := problems(m, all); (len(got) > 0) != c.want {
				t.Errorf("problems() = %q, want some: %v", got, c.want)
			}
		})
	}
}

// A file is parsed as it is written.
func TestParse(t *testing.T) {
	const untied = "-- +goose NO TRANSACTION\n"
	const text = untied + "-- +goose Up\n-- About it.\n\n" +
		"-- One.\nselect 1;\nselect 2;\n\nselect 3;\n\n-- +goose Down\nselect 4;\n"
	m, err := parse("0012_do_it.sql", text)
	if err != nil || m.Version != 12 || len(m.Steps) != 2 || !strings.Contains(m.Steps[0], "select 2;") ||
		strings.Contains(m.Steps[1], "select 4") {
		t.Errorf("parse() = %+v, %v, want version 12 with two steps", m, err)
	}
	m, err = parse("0012_do_it.sql", strings.TrimPrefix(text, untied))
	if err != nil || len(m.Steps) != 1 {
		t.Errorf("parse() = %+v, %v, want one step", m, err)
	}
	if _, err := parse("do_it.sql", text); err == nil {
		t.Error("parse() of a file without a number = nil, want an error")
	}
}
