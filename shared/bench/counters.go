package main

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// counters are what the system used so far of what does not move with the machine as rates do.
type counters struct {
	at         time.Time
	cpu        cpu
	statements map[string]calls // of gateway and worker, by Postgres' id of the statement; nil: not counted
	commands   map[string]calls // of Redis, by name, those of scripts too; nil: not counted
	wal        string           // the place to which the WAL is flushed
}

// calls are how often one statement or command ran.
type calls struct {
	Text   string  `json:"text"`
	N      int64   `json:"calls"`
	Micros float64 `json:"micros"` // all of them together took, inside the store
}

// usage is what a measurement used: the difference of two counters.
type usage struct {
	elapsed    time.Duration
	cpu        cpu
	statements map[string]calls
	commands   map[string]calls
	wal, pages int64 // bytes, and how many of them are images of whole pages, which depend on checkpoints
	commits    int64 // transactions that wrote
	dead       int64 // row versions that an update or a delete made dead
	walRead    bool  // false: Postgres has no pg_walinspect, or has removed the WAL; pages, commits and dead are 0
}

// metered measures what load uses: it must return when nothing of what it caused is still to be done.
func (b *bench) metered(ctx context.Context, load func() error) (usage, error) {
	before, err := b.count(ctx)
	if err != nil {
		return usage{}, err
	}
	before.at, before.cpu = time.Now(), b.cpu() // after the stores were asked
	if err := load(); err != nil {
		return usage{}, err
	}
	u := usage{elapsed: time.Since(before.at), cpu: b.cpu().since(before.cpu)} // before the stores are asked
	after, err := b.count(ctx)
	if err != nil {
		return usage{}, err
	}
	u.statements = callsSince(before.statements, after.statements)
	u.commands = callsSince(before.commands, after.commands)
	return u, b.readWAL(ctx, before.wal, after.wal, &u)
}

func (b *bench) count(ctx context.Context) (c counters, err error) {
	const end = `select pg_current_wal_flush_lsn()`
	if err := b.base.db.QueryRowContext(ctx, end).Scan(&c.wal); err != nil {
		return c, fmt.Errorf("count WAL: %w", err)
	}
	if c.statements, err = b.countStatements(ctx); err != nil {
		return c, err
	}
	c.commands, err = b.countCommands(ctx)
	return c, err
}

// callsSince returns what was called since before.
func callsSince(before, now map[string]calls) map[string]calls {
	since := map[string]calls{}
	for id, c := range now {
		c.Micros -= before[id].Micros
		if c.N -= before[id].N; c.N > 0 {
			since[id] = c
		}
	}
	if now == nil {
		return nil
	}
	return since
}

// add puts together what two measurements used.
func (u *usage) add(v usage) {
	if u.cpu == nil {
		*u = v
		return
	}
	u.elapsed += v.elapsed
	for part, us := range v.cpu {
		u.cpu[part] += us
	}
	u.statements, u.commands = addCalls(u.statements, v.statements), addCalls(u.commands, v.commands)
	u.wal, u.pages, u.commits, u.dead = u.wal+v.wal, u.pages+v.pages, u.commits+v.commits, u.dead+v.dead
	u.walRead = u.walRead && v.walRead
}

func addCalls(a, b map[string]calls) map[string]calls {
	sum := maps.Clone(a)
	for id, c := range b {
		c.N, c.Micros = c.N+sum[id].N, c.Micros+sum[id].Micros
		sum[id] = c
	}
	return sum
}

func total(all map[string]calls) (n int64) {
	for _, c := range all {
		n += c.N
	}
	return n
}

// prepareCounting has Postgres count statements and tell what is in its WAL, where it can. It takes a restart.
func (b *bench) prepareCounting(ctx context.Context) error {
	if b.Postgres == nil {
		return nil
	}
	const has = `select count(*) > 0 from pg_available_extensions where name = $1`
	if err := b.base.db.QueryRowContext(ctx, has, "pg_stat_statements").Scan(&b.countsStatements); err != nil {
		return err
	}
	if err := b.base.db.QueryRowContext(ctx, has, "pg_walinspect").Scan(&b.readsWAL); err != nil {
		return err
	}
	var extensions []string
	if b.readsWAL {
		extensions = append(extensions, `create extension pg_walinspect`)
	}
	if b.countsStatements {
		if err := b.preload(ctx); err != nil {
			return fmt.Errorf("count statements: %w", err)
		}
		extensions = append(extensions, `create extension pg_stat_statements`)
	}
	for _, extension := range extensions {
		if _, err := b.base.db.ExecContext(ctx, extension); err != nil {
			return fmt.Errorf("%s: %w", extension, err)
		}
	}
	return nil
}

// preload restarts Postgres with pg_stat_statements.
func (b *bench) preload(ctx context.Context) error {
	if _, err := b.base.db.ExecContext(ctx,
		`alter system set shared_preload_libraries = 'pg_stat_statements'`); err != nil {
		return err
	}
	if err := b.Gateway().Stop(); err != nil {
		return err
	}
	if err := b.Workers()[0].Stop(); err != nil {
		return err
	}
	if err := b.Postgres.Restart(ctx); err != nil {
		return err
	}
	if err := b.Workers()[0].Start(ctx); err != nil {
		return err
	}
	return b.Gateway().Start(ctx)
}

// uncounted is a database's URL whose connections' statements are not counted, and so are not slowed by that either.
func uncounted(databaseURL string) string { return databaseURL + "&pg_stat_statements.track=none" }

// countStatements asks for each statement that ran so far; begin and commit are statements too.
func (b *bench) countStatements(ctx context.Context) (map[string]calls, error) {
	if !b.countsStatements {
		return nil, nil
	}
	const q = `
select queryid::text, max(query), sum(calls)::bigint, 1000 * sum(total_exec_time) from pg_stat_statements
 where dbid = (select oid from pg_database where datname = current_database()) group by queryid`
	rows, err := b.base.db.QueryContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("count statements: %w", err)
	}
	defer rows.Close()
	all := map[string]calls{}
	for rows.Next() {
		var id string
		var c calls
		if err := rows.Scan(&id, &c.Text, &c.N, &c.Micros); err != nil {
			return nil, fmt.Errorf("count statements: %w", err)
		}
		c.Text = strings.Join(strings.Fields(c.Text), " ")
		all[id] = c
	}
	return all, rows.Err()
}

var commandCalls = regexp.MustCompile(`(?m)^cmdstat_([^:]+):calls=(\d+),usec=(\d+)`)

// countCommands asks Redis for the commands that ran so far, but for those that ask this.
func (b *bench) countCommands(ctx context.Context) (map[string]calls, error) {
	info, err := b.redis.Info(ctx, "commandstats").Result()
	if err != nil {
		return nil, nil // the stand-in for Redis does not count
	}
	all := map[string]calls{}
	for _, m := range commandCalls.FindAllStringSubmatch(info, -1) {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("count Redis commands: %w", err)
		}
		micros, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, fmt.Errorf("count Redis commands: %w", err)
		}
		if m[1] != "info" {
			all[m[1]] = calls{m[1], n, micros}
		}
	}
	return all, nil
}

// readWAL reads what was written to the WAL from one place to another. A transaction that wrote has a commit record,
// and each update and delete leaves a dead row version.
func (b *bench) readWAL(ctx context.Context, from, to string, u *usage) error {
	const size = `select pg_wal_lsn_diff($2, $1)::bigint`
	if err := b.base.db.QueryRowContext(ctx, size, from, to).Scan(&u.wal); err != nil {
		return fmt.Errorf("read WAL: %w", err)
	}
	if !b.readsWAL || u.wal == 0 {
		u.walRead = b.readsWAL
		return nil
	}
	const q = `
select coalesce(sum(fpi_size), 0)::bigint,
       coalesce(sum(count) filter (where kind ~ '^Transaction/COMMIT'), 0)::bigint,
       coalesce(sum(count) filter (where kind ~ '^Heap/(HOT_UPDATE|UPDATE|DELETE)'), 0)::bigint
  from pg_get_wal_stats($1, $2, true) as s (kind, count, p, record_size, q, fpi_size)`
	err := b.base.db.QueryRowContext(ctx, q, from, to).Scan(&u.pages, &u.commits, &u.dead)
	u.walRead = err == nil // else a checkpoint has removed it, or ctx has ended, which load has told
	return ctx.Err()
}
