package pg

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/conn"
)

// Grant lets role do all that gateways and workers do: read and write rows of all tables that are there, and of those
// that the current user will make, and run the functions that make and drop weeks. It changes no table, and the history
// of migrations it may only read. It may be granted again. It looks across workspaces.
func (db *DB) Grant(ctx context.Context, log *slog.Logger, role string) error {
	const names = `
select quote_ident($1), quote_ident(current_schema()), has_schema_privilege($1, current_schema(), 'create'),
       $1 = current_user or (select rolsuper from pg_roles where rolname = $1)`
	var grantee, schema string
	var creates, owner bool
	if err := db.QueryRowxContext(ctx, names, role).Scan(&grantee, &schema, &creates, &owner); err != nil {
		return fmt.Errorf("grant to %s: %w", role, err)
	}
	switch {
	case owner:
		return fmt.Errorf("grant to %s: it owns the schema, or is a superuser, and may do all that there is", role)
	case creates:
		log.Warn("role can make tables", "role", role, "remedy", "revoke create on schema "+schema+" from public, "+grantee)
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		for _, q := range []string{
			`grant usage on schema ` + schema + ` to ` + grantee,
			`grant select, insert, update, delete on all tables in schema ` + schema + ` to ` + grantee,
			`alter default privileges in schema ` + schema + ` grant select, insert, update, delete on tables to ` + grantee,
			`revoke insert, update, delete on goose_db_version from ` + grantee,
			`grant execute on function ensure_partitions, drop_partition, attach_partition to ` + grantee,
		} {
			if _, err := conn.Exec(ctx, tx, "grant to "+role, q); err != nil {
				return err
			}
		}
		return nil
	})
}
