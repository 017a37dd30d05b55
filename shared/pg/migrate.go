package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"leadgate/migrations"
	"leadgate/shared/pg/conn"
)

// How a step of a migration gets its locks. While it waits for one, everybody who comes later waits for it.
const (
	stepLockTimeout = 150 * time.Millisecond // so it waits no longer than that
	stepPause       = 300 * time.Millisecond // and tries again, after about so long in which the others go on,
	stepPatience    = 5 * time.Minute        // for so long

	alonePatience = 10 * time.Minute // how long to wait for another process that migrates

	logTries    = 20 // of how many tries one is logged; the first always
	vacuumTries = 20 // of how many tries one is long enough to end an autovacuum
)

// migrator applies migrations to a database that others use.
type migrator struct {
	pool     *conn.Pool
	log      *slog.Logger
	patience time.Duration // stepPatience
}

// alone runs fn once no other process migrates. What it locks is kept by a transaction that does nothing else, because a
// lock of a session would be anybody's behind a pooler. It has no snapshot for which an index that is made concurrently
// would wait: its statement has no parameters, and so leaves no portal open. The key is that of former versions. It looks
// across workspaces.
func (m *migrator) alone(ctx context.Context, fn func() error) error {
	q := fmt.Sprintf(`
select pg_try_advisory_xact_lock(%d) from set_config('idle_in_transaction_session_timeout', '0', true)`,
		lock.DefaultLockID)
	for began := time.Now(); ; {
		locked := false
		err := m.pool.InTx(ctx, func(tx *sqlx.Tx) (err error) {
			locked, _, err = conn.Find(ctx, tx, "lock migrations", conn.Value[bool], q)
			if err == nil && locked {
				err = fn()
			}
			return err
		})
		if err != nil || locked {
			return err
		}
		if time.Since(began) > alonePatience {
			return fmt.Errorf("another process has been migrating for %s", alonePatience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// provider keeps the versions.
func (m *migrator) provider() (*goose.Provider, error) {
	all, err := migrations.All()
	if err != nil {
		return nil, err
	}
	files := make([]*goose.Migration, len(all))
	for i, f := range all {
		run := func(ctx context.Context, _ *sql.DB) error { return m.run(ctx, f) }
		files[i] = goose.NewGoMigration(f.Version, &goose.GoFunc{RunDB: run}, nil)
	}
	return goose.NewProvider(goose.DialectPostgres, m.pool.DB.DB, nil, goose.WithGoMigrations(files...),
		goose.WithDisableGlobalRegistry(true))
}

// run applies one file.
func (m *migrator) run(ctx context.Context, f migrations.Migration) error {
	for n, step := range f.Steps {
		if err := m.step(ctx, step); err != nil {
			return fmt.Errorf("%s, step %d of %d: %w", f.Name, n+1, len(f.Steps), err)
		}
	}
	return nil
}

// concurrently is a step that lets others go on whatever it waits for, and may take as long as it needs.
var concurrently = regexp.MustCompile(`(?m)^(create|drop) index concurrently `)

// step runs one step. An index of a partitioned table is made on its partitions first.
func (m *migrator) step(ctx context.Context, step string) error {
	for _, match := range createIndex.FindAllStringSubmatch(step, -1) {
		if err := m.prepareIndex(ctx, index{name: match[1], table: match[2], definition: match[3]}); err != nil {
			return err
		}
	}
	if concurrently.MatchString(step) {
		return m.exec(ctx, step)
	}
	timeout := stepLockTimeout
	began := time.Now()
	for try := 1; ; try++ {
		err := m.pool.InTx(ctx, func(tx *sqlx.Tx) error {
			set := fmt.Sprintf(`set local lock_timeout = %d`, timeout.Milliseconds())
			if _, err := conn.Exec(ctx, tx, "set lock timeout", set); err != nil {
				return err
			}
			_, err := conn.Exec(ctx, tx, "migrate", step)
			return err
		})
		if !errors.Is(err, conn.ErrLockTimeout) && !errors.Is(err, conn.ErrDeadlock) {
			return err
		}
		others, otherErr := m.others(ctx)
		if otherErr != nil {
			return otherErr
		}
		if time.Since(began) > m.patience {
			return fmt.Errorf("no lock within %s, because of %s: end it, or migrate again later, which goes on from here: %w",
				m.patience, others, err)
		}
		if try%logTries == 1 {
			m.log.Warn("migration waits for a lock", "tries", try, "others", others)
		}
		if timeout = stepLockTimeout; try%vacuumTries == 0 {
			if timeout, err = m.vacuumTimeout(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(2 * stepPause)):
		}
	}
}

// others says who may have the lock: the transactions that have locks of tables, the oldest first. A user who is not
// allowed to see more sees their process ids.
func (m *migrator) others(ctx context.Context) (string, error) {
	const q = `
select format('process %s (%s, %s, for %s)', pid, coalesce(nullif(application_name, ''), usename, 'unknown'),
              coalesce(state, backend_type, 'unknown'), coalesce(date_trunc('second', now() - xact_start), interval '0'))
  from pg_stat_activity a
 where datname = current_database() and pid <> pg_backend_pid()
   and exists (
    select from pg_locks l
     where l.pid = a.pid and l.locktype = 'relation' and l.granted and l.relation >= 16384) -- no tables of Postgres
 order by xact_start limit 3`
	all, err := conn.Collect(ctx, m.pool, "find lock holders", conn.Value[string], q)
	if len(all) == 0 {
		return "somebody who has none any more", err
	}
	return strings.Join(all, ", "), err
}

// vacuumTimeout is the lock timeout where a vacuum is under way: an autovacuum ends itself for who waits for as long as
// it takes Postgres to look for deadlocks, a second by default.
func (m *migrator) vacuumTimeout(ctx context.Context) (time.Duration, error) {
	const q = `
select extract(epoch from cast(current_setting('deadlock_timeout') as interval))
 where exists (select from pg_stat_progress_vacuum where datname = current_database())`
	seconds, _, err := conn.Find(ctx, m.pool, "find vacuum", conn.Value[float64], q)
	return stepLockTimeout + time.Duration(seconds*float64(time.Second)), err
}

// exec runs a statement outside of any transaction, with no limit of its own.
func (m *migrator) exec(ctx context.Context, statement string) error {
	_, err := conn.Exec(ctx, m.pool, "migrate", statement)
	return err
}
