package pg

import (
	"context"
	"database/sql"
	"time"

	"leadgate/shared/pg/conn"
)

// Stats is how Postgres does.
type Stats struct {
	Bytes             int64
	OldestTransaction time.Duration // 0: none is open
	Connections, Most int           // open now, and how many may be
	PartitionsUntil   time.Time     // until when rows of deliveries have a partition; zero: there is none
	ReadOnly          bool          // it is a standby
	Tables            []TableStats  // the largest, at most 10
}

// TableStats is a table with all its partitions, as Postgres estimates it.
type TableStats struct {
	Name         string
	Bytes        int64
	Live, Dead   int64
	LastVacuumed *time.Time
}

// Conns returns how many connections this process has open, and how many it may.
func (db *DB) Conns() (open, most int) {
	stats := db.Stats()
	return stats.OpenConnections, stats.MaxOpenConnections
}

// Size returns how many bytes the database has. It looks across workspaces.
func (db *DB) Size(ctx context.Context) (n int64, err error) {
	const q = `select pg_database_size(current_database())`
	err = db.QueryRowxContext(ctx, q).Scan(&n)
	return n, conn.Fail(ctx, "read the size", err)
}

// ReadStats reads it, of what Postgres keeps about itself. It looks across workspaces.
func (db *DB) ReadStats(ctx context.Context) (s Stats, err error) {
	// Of the sessions of other users Postgres tells nothing but how many there are, unless ours has pg_read_all_stats.
	const whole = `
select pg_database_size(current_database()),
       coalesce((select extract(epoch from max(clock_timestamp() - xact_start)) from pg_stat_activity
                  where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'), 0),
       (select coalesce(sum(numbackends), 0) from pg_stat_database),
       cast(current_setting('max_connections') as integer),
       (select max(to_date(right(c.relname, 8), 'YYYYMMDD')) + 7
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = cast('deliveries' as regclass)),
       pg_is_in_recovery()`
	var oldest float64
	var until sql.NullTime
	err = db.QueryRowxContext(ctx, whole).Scan(&s.Bytes, &oldest, &s.Connections, &s.Most, &until, &s.ReadOnly)
	if err != nil {
		return s, conn.Fail(ctx, "read statistics", err)
	}
	s.OldestTransaction, s.PartitionsUntil = time.Duration(oldest*float64(time.Second)), until.Time
	const tables = `
select coalesce(p.relname, t.relname), cast(sum(pg_total_relation_size(t.relid)) as bigint) as bytes,
       cast(sum(t.n_live_tup) as bigint), cast(sum(t.n_dead_tup) as bigint),
       max(greatest(t.last_vacuum, t.last_autovacuum))
  from pg_stat_user_tables t
  left join pg_inherits i on i.inhrelid = t.relid
  left join pg_class p on p.oid = i.inhparent
 group by 1 order by bytes desc, 1 limit 10`
	scan := func(row conn.Row) (t TableStats, err error) {
		err = row.Scan(&t.Name, &t.Bytes, &t.Live, &t.Dead, &t.LastVacuumed)
		return t, err
	}
	s.Tables, err = conn.Collect(ctx, db, "read statistics of tables", scan, tables)
	return s, err
}
