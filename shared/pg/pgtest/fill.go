package pgtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
)

// Fill puts n rows of a workspace into each table that has rows of workspaces, as the catalogue knows them: into those
// too that nobody has thought of yet. They are good for nothing but to be there.
func Fill(t testing.TB, db *pg.DB, workspace id.UUID, n int) {
	t.Helper()
	for table, columns := range tenantTables(t, db) {
		var names, values []string
		for i, c := range columns {
			names = append(names, c.name)
			values = append(values, fmt.Sprintf("cast(cast($%d as text) as %s)", i+1, c.kind))
		}
		q := `insert into ` + table + ` (` + strings.Join(names, ", ") + `) values (` + strings.Join(values, ", ") + `)`
		for range n {
			var args []any
			for _, c := range columns {
				args = append(args, c.value(t, workspace))
			}
			if _, err := db.ExecContext(t.Context(), q, args...); err != nil {
				t.Fatalf("fill %s: %v", table, err)
			}
		}
	}
}

// Rows counts what a workspace has in each table that has rows of workspaces, but for tables without any.
func Rows(t testing.TB, db *pg.DB, workspace id.UUID) map[string]int {
	t.Helper()
	rows := map[string]int{}
	for table := range tenantTables(t, db) {
		n := 0
		err := db.QueryRowContext(t.Context(), `select count(*) from `+table+` where workspace_id = $1`, workspace).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			rows[table] = n
		}
	}
	return rows
}

// column is one that a row must have.
type column struct{ name, kind string }

// tenantTables are the tables with a column workspace_id, and which columns a row of each must have.
func tenantTables(t testing.TB, db *pg.DB) map[string][]column {
	t.Helper()
	const q = `
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef
 where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
   and exists (select from pg_attribute w where w.attrelid = c.oid and w.attname = 'workspace_id' and not w.attisdropped)
 order by c.relname, a.attnum`
	rows, err := db.QueryContext(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tables := map[string][]column{}
	for rows.Next() {
		var table string
		var c column
		if err := rows.Scan(&table, &c.name, &c.kind); err != nil {
			t.Fatal(err)
		}
		tables[table] = append(tables[table], c)
	}
	if err := rows.Err(); err != nil || len(tables) < 20 {
		t.Fatalf("%d tables have rows of workspaces, %v: the catalogue is not read right", len(tables), err)
	}
	return tables
}

// value is one that the column takes, and that no other row has.
func (c column) value(t testing.TB, workspace id.UUID) any {
	t.Helper()
	fresh := id.New()
	switch {
	case c.name == "workspace_id":
		return workspace
	case c.kind == "uuid":
		return fresh
	case slices.Contains([]string{"json", "jsonb", "text[]", "uuid[]"}, c.kind):
		return "{}"
	case slices.Contains([]string{"smallint", "integer", "bigint"}, c.kind):
		return "1"
	case c.kind == "boolean":
		return "false"
	case c.kind == "date": // any day, because one may be unique
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(fresh[14])<<8|int(fresh[15])).Format(time.DateOnly)
	case strings.HasPrefix(c.kind, "timestamp"):
		return "now"
	case c.kind == "text":
		return fresh.String()
	case c.kind == "bytea":
		return `\x` + strings.ReplaceAll(fresh.String(), "-", "")
	}
	t.Fatalf("column %s is of type %s: say here what a value of it is", c.name, c.kind)
	return nil
}
