package pg

import (
	"context"
	"database/sql"
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

// erase deletes about as many rows of a workspace as a batch has, from a key on: whatever was deleted before that stays
// in the index while an old transaction is open, and must not be read again and again. All rows of one key go together.
//
//	$1 workspace, $2 key to begin with, $3 batch
func (t erasedTable) erase() string {
	return fmt.Sprintf(`
with last as materialized (
    select k from (
        select %[2]s as k from %[1]s
         where workspace_id = $1 and %[2]s >= cast(cast($2 as text) as %[3]s)
         order by %[2]s limit $3) few
     order by k desc limit 1
), gone as (
    delete from %[1]s
     where workspace_id = $1 and %[2]s >= cast(cast($2 as text) as %[3]s) and %[2]s <= (select k from last)
    returning 1
)
select (select cast(k as text) from last), (select count(*) from gone)`, t.name, t.key, t.kind)
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
		for _, set := range []string{`set local enable_seqscan = off`, `set local enable_sort = off`, `set local jit = off`} {
			if _, err := conn.Exec(ctx, tx, "erase workspace", set); err != nil {
				return err
			}
		}
		var last sql.NullString
		err := tx.QueryRowContext(ctx, table.erase(), owners[p.owner], from, batch).Scan(&last, &rows)
		if err != nil {
			return conn.Fail(ctx, "erase "+table.name, err)
		}
		if next.key = last.String; !last.Valid || rows < batch {
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
