package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/conn"
)

// oldestCitus is the oldest version whose rules our statements are known to keep.
const oldestCitus = 13

// replicated are the tables that are kept on each node of a Citus cluster: they are looked up before the workspace is
// known, or have keys that are unique over all workspaces. In this order: others refer to workspaces.
var replicated = []string{"workspaces", "workspace_deletions", "api_keys", "console_sessions", "installation_secrets",
	"book_flushes"}

// Distribute spreads the tables over the nodes of the Citus cluster whose coordinator db connects to, by workspace, and
// returns how many it had to. It is one commit, and those who write wait for it. What later migrations make is spread
// by Migrate. It looks across workspaces.
func (db *DB) Distribute(ctx context.Context, log *slog.Logger) (tables int, err error) {
	admin, err := db.OpenAdminPool()
	if err != nil {
		return 0, fmt.Errorf("distribute: %w", err)
	}
	defer admin.Close()
	m := &migrator{pool: admin, log: log, patience: stepPatience}
	err = m.alone(ctx, func() error {
		if err := m.checkCitus(ctx); err != nil {
			return err
		}
		tables, err = m.distribute(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("distribute: %w", err)
	}
	return tables, nil
}

// checkCitus returns why the tables cannot be spread.
func (m *migrator) checkCitus(ctx context.Context) error {
	onCitus, err := m.pool.OnCitus(ctx)
	if err != nil {
		return err
	}
	if !onCitus {
		return errors.New("this database has no extension citus: name it in shared_preload_libraries of each node, " +
			"create extension citus in this database of each, and join them with citus_set_coordinator_host and citus_add_node")
	}
	const q = `
select split_part(extversion, '.', 1)::int, citus_is_coordinator(),
       (select count(*) from pg_dist_node where noderole = 'primary' and isactive and shouldhaveshards)
  from pg_extension where extname = 'citus'`
	var version, nodes int
	var coordinator bool
	if err := m.pool.QueryRowxContext(ctx, q).Scan(&version, &coordinator, &nodes); err != nil {
		return conn.Fail(ctx, "check Citus", err)
	}
	switch {
	case version < oldestCitus:
		return fmt.Errorf("Citus %d is too old: leadgate needs version %d or newer", version, oldestCitus)
	case !coordinator:
		return errors.New("this is not the coordinator of the Citus cluster: name that in DATABASE_URL")
	case nodes == 0:
		return errors.New("the Citus cluster has no node that may have rows: citus_add_node adds one")
	}
	return nil
}

// distributed reports whether the tables are spread over the nodes of a cluster.
func (m *migrator) distributed(ctx context.Context) (yes bool, err error) {
	if onCitus, err := m.pool.OnCitus(ctx); err != nil || !onCitus {
		return false, err
	}
	const q = `select exists (select from pg_dist_partition where logicalrelid = to_regclass('leads'))`
	yes, _, err = conn.Find(ctx, m.pool, "find distributed tables", conn.Value[bool], q)
	return yes, err
}

// undistributed are the tables that are not spread yet, but for weeks, which go with their table: in the order of $1
// those that are kept on each node, which have a place in it, then those of workspaces.
const undistributed = `
select c.relname, r.place is not null,
       c.relkind = 'r' and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
  from pg_class c
  left join unnest($1::text[]) with ordinality r (name, place) on r.name = c.relname
  left join pg_dist_partition p on p.logicalrelid = c.oid
 where c.relnamespace = cast(current_schema() as regnamespace) and c.relkind in ('r', 'p') and not c.relispartition
   and (r.place is not null or exists (
        select from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace_id' and not a.attisdropped))
   and (p.logicalrelid is null or p.partmethod = 'n' and p.repmodel <> 't') -- the latter only refer to a spread one
 order by r.place, c.relname <> 'leads', c.relname`

// distributeFunctions makes those that statements call where rows are.
const distributeFunctions = `
select create_distributed_function(p.oid::regprocedure)
  from pg_proc p join pg_language l on l.oid = p.prolang
 where p.pronamespace = cast(current_schema() as regnamespace) and p.provolatile = 'i' and l.lanname <> 'c'
   and not exists (select from pg_dist_object o where o.classid = 'pg_proc'::regclass and o.objid = p.oid)`

// distribute spreads the tables that are not, and returns how many.
func (m *migrator) distribute(ctx context.Context) (tables int, err error) {
	type table struct {
		name                string
		replicated, keyless bool
	}
	names := replicated
	err = m.pool.InTx(ctx, func(tx *sqlx.Tx) error {
		all, err := conn.Collect(ctx, tx, "find tables", func(row conn.Row) (t table, err error) {
			return t, row.Scan(&t.name, &t.replicated, &t.keyless)
		}, undistributed, pqStrings(&names))
		if err != nil {
			return err
		}
		// Tables that refer to those on each node are made on one connection a node.
		statements := []string{`set local citus.multi_shard_modify_mode = 'sequential'`,
			`set local client_min_messages = 'warning'`, distributeFunctions}
		var emptied []string // what was in them before is copied, and stays on the coordinator
		for _, t := range all {
			if t.keyless { // else its rows could not be moved while others are written
				statements = append(statements, `alter table `+t.name+` replica identity full`)
			}
			with := "leads"
			switch {
			case t.replicated:
				statements = append(statements, `select create_reference_table('`+t.name+`')`)
			case t.name == "leads":
				with = "none"
				fallthrough
			default:
				statements = append(statements,
					`select create_distributed_table('`+t.name+`', 'workspace_id', colocate_with => '`+with+`')`)
			}
			emptied = append(emptied, `select truncate_local_data_after_distributing_table('`+t.name+`')`)
		}
		for _, q := range append(statements, emptied...) {
			if _, err := conn.Exec(ctx, tx, "distribute", q); err != nil {
				return err
			}
		}
		tables = len(all)
		return nil
	})
	return tables, err
}
