package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"leadgate/shared/pg/conn"
)

// oldestPostgres is the oldest version whose SQL is that of our statements.
const oldestPostgres = 14

// Why a process does not start, or is not ready, on a Postgres.
var (
	// ErrUnsafe says that it can lose what it has committed.
	ErrUnsafe = errors.New("Postgres can lose leads that were answered with 201 when its machine fails: " +
		"set these to on, or LEADGATE_ALLOW_UNSAFE_POSTGRES where its storage makes up for them")
	// ErrReadOnly says that nothing can be written to it.
	ErrReadOnly = errors.New("Postgres is read-only: it is a standby, or default_transaction_read_only is on; " +
		"name all hosts in DATABASE_URL (h1:5432,h2:5432) to have the one that can be written to")
	// ErrIsolation says that statements would not see what was committed before them.
	ErrIsolation = errors.New("leadgate needs read committed, and a pooler has left that out: " +
		"alter role NAME set default_transaction_isolation = 'read committed'")
	// ErrPartitions says that what comes in cannot be stored.
	ErrPartitions = errors.New("the partitions of this week are missing: " +
		"run `gateway migrate`, with --grant-to where another role than its own connects")
)

// server is what a process asks of its Postgres.
type server struct {
	version   int // major
	readOnly  bool
	isolation string
	off       []string // settings without which a commit can be lost
	unlimited []string // limits of time that our connections ask for, and that are not set
	compiles  bool     // statements of which it expects many rows (JIT), though our connections ask it not to
	pglz      bool     // compresses images of pages in its log, which is what takes the time after a checkpoint
}

// readServer looks across workspaces.
func (db *DB) readServer(ctx context.Context) (s server, err error) {
	limits := db.Limits()
	const q = `
select current_setting('server_version_num')::int / 10000,
       current_setting('transaction_read_only') = 'on', current_setting('default_transaction_isolation'),
       array(select name from unnest(array['fsync', 'full_page_writes', 'synchronous_commit']) as s (name)
              where current_setting(name) = 'off'),
       array(select name from unnest($1::text[]) as s (name) where current_setting(name) = '0'),
       current_setting('jit') = 'on', current_setting('wal_compression') = 'pglz'`
	s, _, err = conn.Find(ctx, db, "check Postgres", func(row conn.Row) (s server, err error) {
		err = row.Scan(&s.version, &s.readOnly, &s.isolation, pqStrings(&s.off), pqStrings(&s.unlimited),
			&s.compiles, &s.pglz)
		return s, err
	}, q, pqStrings(&limits))
	return s, err
}

// check returns why no lead should be taken in with this Postgres, or read where that is all.
func (s server) check(reads bool) error {
	switch {
	case s.version < oldestPostgres:
		return fmt.Errorf("Postgres %d is too old: leadgate needs version %d or newer", s.version, oldestPostgres)
	case reads:
	case s.readOnly:
		return ErrReadOnly
	case s.isolation != "read committed":
		return fmt.Errorf("transactions are %s: %w", s.isolation, ErrIsolation)
	case len(s.off) > 0:
		return fmt.Errorf("%s off: %w", strings.Join(s.off, ", "), ErrUnsafe)
	}
	return nil
}

// checkServer is the part of Start that asks Postgres what it is.
func (db *DB) checkServer(ctx context.Context, log *slog.Logger) error {
	s, err := db.readServer(ctx)
	if err != nil {
		return err
	}
	if len(s.unlimited) > 0 {
		log.Warn("postgres has no limits of time: set them for the role, a pooler leaves out those of its clients",
			"unlimited", strings.Join(s.unlimited, ", "))
	}
	if s.compiles {
		log.Warn("postgres compiles statements, which takes longer than they run: " +
			"set it off for the role, a pooler leaves out what its clients ask for: alter role NAME set jit = off")
	}
	if s.pglz {
		log.Warn("postgres compresses its log with pglz, which is slow after each checkpoint: set wal_compression to lz4")
	}
	err = s.check(db.readOnly)
	if errors.Is(err, ErrUnsafe) && db.allowUnsafe {
		log.Warn("postgres unsafe", "error", err.Error())
		return nil
	}
	return err
}

// Ready returns nil when what comes in can be stored: Postgres answers, can be written to, has partitions for now, and,
// unless Start was told that it need not, keeps what it commits. Where nothing is to be written it need only answer.
func (db *DB) Ready(ctx context.Context) error {
	s, err := db.readServer(ctx)
	if err != nil {
		return err
	}
	if err := s.check(db.readOnly); err != nil && !(errors.Is(err, ErrUnsafe) && db.allowUnsafe) {
		return err
	}
	if db.readOnly {
		return nil
	}
	ahead, err := db.PartitionsAhead(ctx)
	if err == nil && ahead <= 0 {
		err = ErrPartitions
	}
	return err
}

// PartitionsAhead returns for how long from now on what comes in can be stored, zero when it cannot now. It looks
// across workspaces.
func (db *DB) PartitionsAhead(ctx context.Context) (time.Duration, error) {
	const q = `
select p.relname, right(c.relname, 8), now()
  from pg_inherits i
  join pg_class p on p.oid = i.inhparent
  join pg_class c on c.oid = i.inhrelid
 where i.inhparent in ('events'::regclass, 'deliveries'::regclass, 'attempts'::regclass, 'submissions'::regclass)
   and not i.inhdetachpending
   and c.relname >= p.relname || to_char(date_trunc('week', now() at time zone 'UTC'), '_YYYYMMDD')
 order by c.relname`
	var now time.Time
	until := map[string]time.Time{} // of each table, as far as there is no gap
	err := conn.Each(ctx, db, "find partitions ahead", func(row conn.Row) error {
		var parent, date string
		if err := row.Scan(&parent, &date, &now); err != nil {
			return err
		}
		monday, err := time.Parse(partitionDate, date)
		if err != nil {
			return nil // not one of ours
		}
		if end, ok := until[parent]; !ok && !monday.After(now) || ok && monday.Equal(end) {
			until[parent] = monday.Add(week)
		}
		return nil
	}, q)
	if err != nil || len(until) < partitionedTables {
		return 0, err
	}
	ahead := time.Duration(math.MaxInt64)
	for _, end := range until {
		ahead = min(ahead, end.Sub(now))
	}
	return ahead, nil
}
