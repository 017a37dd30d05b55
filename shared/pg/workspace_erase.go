package pg

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// erasedTable is a table with rows of workspaces. An index of it begins with workspace_id and key; least is a text that no
// value of key comes before.
type erasedTable struct{ name, key, kind, least string }

const noUUID = "00000000-0000-0000-0000-000000000000"

// erasedTables are all tables that name a workspace in workspace_id, those first that hold what visitors sent. A test
// holds them against the catalogue.
var erasedTables = []erasedTable{
	{"submissions", "id", "uuid", noUUID},
	{"kept_submissions", "id", "uuid", noUUID},
	{"enrichment_queue", "due_at", "timestamptz", "-infinity"},
	{"enrichments", "lead_id", "uuid", noUUID},
	{"leads", "id", "uuid", noUUID},
	{"events", "id", "uuid", noUUID},
	{"attempts", "delivery_id", "uuid", noUUID},
	{"deliveries", "id", "uuid", noUUID},
	{"import_chunks", "import_id", "uuid", noUUID},
	{"import_errors", "import_id", "uuid", noUUID},
	{"imports", "id", "uuid", noUUID},
	{"idempotency", "key_hash", "bytea", ""},
	{"suppressions", "email_hash", "bytea", ""},
	{"releases", "email_key", "text", ""},
	{"erasures", "id", "uuid", noUUID},
	{"replays", "id", "uuid", noUUID},
	{"delivery_times", "endpoint_id", "uuid", noUUID},
	{"endpoints", "id", "uuid", noUUID},
	{"console_sessions", "id", "uuid", noUUID},
	{"api_keys", "id", "uuid", noUUID},
	{"chatbots", "id", "uuid", noUUID},
	{"book_entries", "day", "date", "-infinity"},
	{"books", "day", "date", "-infinity"},
	{"usage", "day", "date", "-infinity"},
	{"audit", "id", "uuid", noUUID},
}

// batch locks the first rows of a workspace from a key on, and tells the last key and the rows of each partition: whatever
// was deleted before that key stays in the index while an old transaction is open, and must not be read again and again.
// Such a list in order of the index is read by that index whatever statistics say; a delete with these conditions is not.
//
//	$1 workspace, $2 key to begin with, $3 batch
func (t erasedTable) batch() string {
	return fmt.Sprintf(`
with few as materialized (
    select %[2]s as k, tableoid as part, ctid as at from %[1]s
     where workspace_id = $1 and %[2]s >= cast(cast($2 as text) as %[3]s)
     order by %[2]s limit $3
       for update
)
select cast((select k from few order by k desc limit 1) as text) as last, cast(cast(part as regclass) as text) as part,
       cast(array_agg(at) as text) as at
  from few group by part`, t.name, t.key, t.kind)
}

// erase deletes a batch of a workspace's rows. last is the largest key of what it had, "" if it had nothing.
func (t erasedTable) erase(ctx context.Context, tx *sqlx.Tx, workspace id.UUID, from string, batch int) (rows int,
	last string, err error) {
	var parts []struct{ Last, Part, At string }
	if err := tx.SelectContext(ctx, &parts, t.batch(), workspace, from, batch); err != nil {
		return 0, "", conn.Fail(ctx, "erase "+t.name, err)
	}
	for _, p := range parts {
		// An equal workspace_id could be looked for in an index instead.
		q := `
delete from ` + p.Part + `
 where workspace_id is not distinct from $1 and ctid = any(cast(cast($2 as text) as tid[]))`
		n, err := conn.Exec(ctx, tx, "erase "+t.name, q, workspace, p.At)
		if err != nil {
			return 0, "", err
		}
		rows, last = rows+n, p.Last
	}
	return rows, last, nil
}

// WorkspacePass is how far one pass over all that a workspace and its sandbox have in Postgres has come. The zero value is
// one that has not begun.
type WorkspacePass struct {
	owner, table int
	key          string // where the table's next batch begins; "": with the first
}

// EraseWorkspace deletes the next batch of what a workspace that is being deleted has, its own row excepted, and counts it
// in the deletion, in one commit: so it can be killed at any time, and counts each row once. done: p has been everywhere.
// ErrElsewhere: another caller is at it.
func (db *DB) EraseWorkspace(ctx context.Context, workspace, sandbox id.UUID, p *WorkspacePass, batch int) (rows int,
	done bool, err error) {
	owners := []id.UUID{workspace}
	if sandbox != (id.UUID{}) {
		owners = []id.UUID{sandbox, workspace}
	}
	if p.owner == len(owners) {
		return 0, true, nil
	}
	table, next := erasedTables[p.table], *p
	from := p.key
	if from == "" {
		from = table.least
	}
	err = db.inDeletion(ctx, workspace, func(tx *sqlx.Tx) error {
		// Statistics may be of before there was much to read.
		for _, set := range []string{`set local enable_seqscan = off`, `set local enable_sort = off`} {
			if _, err := conn.Exec(ctx, tx, "erase workspace", set); err != nil {
				return err
			}
		}
		var err error
		if rows, next.key, err = table.erase(ctx, tx, owners[p.owner], from, batch); err != nil {
			return err
		}
		if rows < batch {
			next = WorkspacePass{owner: p.owner, table: p.table + 1}
		}
		if next.table == len(erasedTables) {
			next = WorkspacePass{owner: p.owner + 1}
		}
		return countErased(ctx, tx, workspace, table.name, rows)
	})
	if err == nil {
		*p = next
	}
	return rows, err == nil && p.owner == len(owners), err
}
