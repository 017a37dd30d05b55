package pg

import (
	"context"
	"log/slog"

	"leadgate/shared/pg/conn"
)

// checkConnections warns where this process may open more connections than Postgres has left for it: by its
// max_connections, or by the limit of the database or the role. It looks across workspaces.
func (db *DB) checkConnections(ctx context.Context, log *slog.Logger) {
	// Of the sessions of other users pg_stat_activity does not tell whose they are, but how many a database has
	// everybody may read.
	const q = `
select least(m.most - (select coalesce(sum(numbackends), 0) from pg_stat_database),
             case when d.datconnlimit >= 0 then d.datconnlimit - pg_stat_get_db_numbackends(d.oid) end,
             case when r.rolconnlimit >= 0 then r.rolconnlimit
                  - (select count(*) from pg_stat_activity where usename = r.rolname) end),
       m.most
  from pg_database d, pg_roles r,
       (select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true)::int, 0) as most) m
 where d.datname = current_database() and r.rolname = current_user`
	type limits struct{ left, most int }
	l, found, err := conn.Find(ctx, db, "count connections", func(row conn.Row) (l limits, err error) {
		err = row.Scan(&l.left, &l.most)
		return l, err
	}, q)
	if err != nil || !found {
		log.Warn("connections not counted", "error", err)
		return
	}
	open, most := db.Conns()
	if left := max(0, l.left) + open; most > left {
		log.Warn("postgres has too few connections left for this process", "pool", most, "left", left,
			"max_connections", l.most, "do", "lower LEADGATE_DB_CONNS, raise max_connections, or put a pooler in front")
	}
}
