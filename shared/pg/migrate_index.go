package pg

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"leadgate/shared/pg/conn"
)

// createIndex finds the name, the table and the definition of each index that a step makes.
var createIndex = regexp.MustCompile(
	`(?m)^create (?:unique )?index (?:concurrently )?(?:if not exists )?(\w+) on (\w+) ([^;]+);`)

// index is an index to be made.
type index struct {
	name, table string
	definition  string // its columns, and what follows
}

// indexState is how far an index is.
type indexState struct {
	valid    bool // false: an interrupted run left it
	attached bool // it is part of the index of a partitioned table
}

// prepareIndex drops what an interrupted run left of an index. If its table is partitioned, it makes the index on each
// partition that has rows, concurrently: what makes it on the table then takes these, and has nothing left to do but in
// the empty ones.
func (m *migrator) prepareIndex(ctx context.Context, i index) error {
	const partitions = `
select cast(cast(inhrelid as regclass) as text) from pg_inherits where inhparent = to_regclass($1) order by 1`
	state, exists, err := m.indexState(ctx, i.name)
	if err != nil {
		return err
	}
	if exists {
		if state.valid {
			return nil
		}
		return m.dropIndex(ctx, i.name)
	}
	parts, err := conn.Collect(ctx, m.pool, "find partitions", conn.Value[string], partitions, i.table)
	if err != nil {
		return err
	}
	for _, part := range parts {
		hasRows, _, err := conn.Find(ctx, m.pool, "find rows", conn.Value[bool], `select exists (select from `+part+`)`)
		if err != nil {
			return err
		}
		if !hasRows {
			continue
		}
		if err := m.buildOn(ctx, part, i.definition); err != nil {
			return err
		}
	}
	return nil
}

// buildOn makes an index on a partition, with the name that Postgres would give it, unless a run before has made it.
func (m *migrator) buildOn(ctx context.Context, part, definition string) error {
	columns, _, _ := strings.Cut(strings.TrimPrefix(definition, "("), ")")
	base := part + "_" + strings.ReplaceAll(columns, ", ", "_") + "_idx"
	name := base
	for n := 1; ; n++ {
		state, exists, err := m.indexState(ctx, name)
		switch {
		case err != nil:
			return err
		case exists && state.valid && !state.attached:
			return nil
		case !exists || !state.valid:
			if err := m.dropIndex(ctx, name); err != nil {
				return err
			}
			return m.exec(ctx, fmt.Sprintf(`create index concurrently %s on %s %s`, name, part, definition))
		}
		name = fmt.Sprint(base, n) // that one is of another index of the same columns
	}
}

func (m *migrator) indexState(ctx context.Context, name string) (s indexState, exists bool, err error) {
	const q = `
select indisvalid, exists (select from pg_inherits where inhrelid = indexrelid)
  from pg_index
 where indexrelid = to_regclass($1)`
	return conn.Find(ctx, m.pool, "find index", func(row conn.Row) (s indexState, err error) {
		err = row.Scan(&s.valid, &s.attached)
		return s, err
	}, q, name)
}

func (m *migrator) dropIndex(ctx context.Context, name string) error {
	return m.exec(ctx, `drop index concurrently if exists `+name)
}
