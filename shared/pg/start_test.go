package pg_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
)

// Migrations wait for others, or work, for longer than a statement may otherwise take, and say for whom.
func TestMigrateHasTime(t *testing.T) {
	t.Parallel()
	p, _ := pgtest.Start(t)
	if err := p.CreateDatabase(t.Context(), "fresh", ""); err != nil {
		t.Fatal(err)
	}
	url := p.URL("fresh")
	other := mustOpen(t, url, pg.Options{MaxConns: 2, Application: "the other"})
	tx, err := other.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	// the name is taken until this is undone
	if _, err := tx.ExecContext(t.Context(), "create table workspaces (n int)"); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, url+"&statement_timeout=1000", pg.Options{Application: "migrating"})
	done := make(chan error, 1)
	log := &lines{}
	go func() {
		_, err := db.Migrate(t.Context(), slog.New(slog.NewTextHandler(log, nil)))
		done <- err
	}()
	began := time.Now()
	testwait.Until(t, "migration waits for a lock", func() bool {
		return time.Since(began) > 3500*time.Millisecond && strings.Contains(log.String(), "(the other, idle in transaction")
	})
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("Migrate() = %v, want patience", err)
	}
	if err := db.CheckSchema(t.Context()); err != nil {
		t.Errorf("CheckSchema() after it = %v", err)
	}
}

// lines is what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A process makes the partitions it will write to also when it does not migrate.
func TestStartMakesPartitions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const last = `select inhrelid::regclass::text from pg_inherits where inhparent = 'events'::regclass order by 1 desc limit 1`
	var want, got string
	if err := db.GetContext(t.Context(), &want, last); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, db, "drop table "+want)
	if err := db.Start(t.Context(), slog.New(slog.DiscardHandler), pg.StartOptions{AllowUnsafe: true}); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	if err := db.GetContext(t.Context(), &got, last); err != nil || got != want {
		t.Errorf("the last partition after Start = %q, %v, want %q", got, err, want)
	}
}

// A process refuses a Postgres that forgets what it has committed when its machine fails, also when it becomes so
// later.
func TestUnsafePostgresIsRefused(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	unsafe := pgtest.New(t)
	err := unsafe.Start(t.Context(), log, pg.StartOptions{})
	if !errors.Is(err, pg.ErrUnsafe) || !strings.HasPrefix(err.Error(), "fsync, full_page_writes, synchronous_commit off: ") {
		t.Errorf("Start() = %v, want what is off", err)
	}
	if err := unsafe.Ready(t.Context()); !errors.Is(err, pg.ErrUnsafe) {
		t.Errorf("Ready() = %v, want it unsafe", err)
	}
	dir := filepath.Join(t.TempDir(), "postgres")
	if err := pgtest.CopyCluster(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	durable, err := devstack.StartPostgres(t.Context(), devstack.PostgresOptions{Dir: dir, Durable: true, Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { durable.Stop(); devstack.RemoveStore(filepath.Dir(dir), "postgres") })
	db := mustOpen(t, durable.URL("postgres"), pg.Options{})
	if err := db.Start(t.Context(), log, pg.StartOptions{Migrate: true}); err != nil {
		t.Fatalf("Start() = %v, want nil", err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready() = %v, want nil", err)
	}
	if _, err := db.ExecContext(t.Context(), "alter database postgres set synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	later := mustOpen(t, durable.URL("postgres"), pg.Options{}) // such a setting is that of new sessions
	if err := later.Ready(t.Context()); !errors.Is(err, pg.ErrUnsafe) {
		t.Errorf("Ready() with synchronous_commit off = %v, want it unsafe", err)
	}
}

// What is wrong with a database URL is said without its password, whatever is in that.
func TestNoErrorShowsThePassword(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	const nobody = "127.0.0.1:1"
	for _, url := range []string{
		"postgres://user:hunter2@" + nobody + "/db",
		"postgres://user:hunter2@" + nobody + "/db?sslmode=nonsense",
		"postgres://user:hunter2@" + nobody + "/db?connect_timeout=soon",
		"postgres://user:hunter2@" + nobody + "/db?statement_timeout=1min",
		"postgres://user:hunter2@" + nobody + "/db?sslmode=verify-full&sslrootcert=/nowhere",
		"postgres://user:hunter2@127.0.0.1:port/db",
		"postgres://user:hunter2%zz@" + nobody + "/db",
		"postgres://user:1/hunter2@" + nobody + "/db",
		"postgres://user:1?hunter2@" + nobody + "/db",
		"postgres://user:1#hunter2@" + nobody + "/db",
		"postgres://user:a@hunter2@" + nobody + "/db",
		"postgres://" + nobody + "/db?user=user&password=hunter2",
		"mysql://user:hunter2@" + nobody + "/db",
		"hunter2",
		strings.Replace(pgtest.OwnerURL(t), "postgres://leadgate:", "postgres://leadgate:hunter2", 1),
	} {
		t.Run(url, func(t *testing.T) {
			db, err := pg.Open(url, pg.Options{})
			if err == nil {
				err = db.PingContext(ctx)
				if shown := fmt.Sprintf("%v %+v", db, *db.DB); strings.Contains(shown, "hunter2") {
					t.Errorf("a pool prints as %s", shown)
				}
				db.Close()
			}
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open(%q) or Ping = %v, want an error without the password", url, err)
			}
		})
	}
}

// A transaction whose program is gone, with its machine, holds its locks for minutes and not for as long as TCP lives.
func TestForgottenTransactionsEnd(t *testing.T) {
	t.Parallel()
	url := pgtest.OwnerURL(t)
	for timeout, want := range map[time.Duration]string{0: "5min", -1: "0"} {
		var got string
		err := mustOpen(t, url, pg.Options{StatementTimeout: timeout}).GetContext(t.Context(), &got,
			`show idle_in_transaction_session_timeout`)
		if err != nil || got != want {
			t.Errorf("idle_in_transaction_session_timeout with %v = %q, %v, want %q", timeout, got, err, want)
		}
	}
	own := mustOpen(t, url+"&idle_in_transaction_session_timeout=50", pg.Options{})
	tx, err := own.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `lock table releases`); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the transaction to end", func() bool {
		var open int
		err := own.GetContext(t.Context(), &open, `
select count(*) from pg_locks where locktype = 'relation' and mode = 'AccessExclusiveLock' and database = (
    select oid from pg_database where datname = current_database())`)
		return err == nil && open == 0
	})
}

// Whatever a database's default is, each statement sees what was committed before it. Where a pooler leaves that out of
// what it starts a session with, a process does not start.
func TestReadCommittedIsForced(t *testing.T) {
	t.Parallel()
	url := pgtest.OwnerURL(t)
	for _, level := range []string{"serializable", "repeatable read"} {
		admin := mustOpen(t, url, pg.Options{MaxConns: 1})
		var name string
		if err := admin.GetContext(t.Context(), &name, `select current_database()`); err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, admin, `alter database `+name+` set default_transaction_isolation = '`+level+`'`)
		db := mustOpen(t, url, pg.Options{})
		const q = `select current_setting('transaction_isolation')`
		got := map[string]string{}
		read := func(how string, on conn.Queryer) {
			var err error
			if got[how], _, err = conn.Find(t.Context(), on, "read", conn.Value[string], q); err != nil {
				t.Fatal(err)
			}
		}
		read("a statement", db)
		read("a prepared statement", db.Prepared())
		pooled := mustOpen(t, url+"&default_transaction_isolation="+strings.ReplaceAll(level, " ", "%20"), pg.Options{})
		for how, pool := range map[string]*pg.DB{"a transaction": db, "a transaction through a pooler": pooled} {
			if err := pool.InTx(t.Context(), func(tx *sqlx.Tx) error { read(how, tx); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		for how, is := range got {
			if is != "read committed" {
				t.Errorf("%s where the default is %s = %s, want read committed", how, level, is)
			}
		}
		if err := db.Start(t.Context(), quiet, pg.StartOptions{AllowUnsafe: true}); err != nil {
			t.Errorf("Start() = %v, want nil", err)
		}
		err := pooled.Start(t.Context(), quiet, pg.StartOptions{AllowUnsafe: true})
		if !errors.Is(err, pg.ErrIsolation) || !strings.Contains(err.Error(), level) {
			t.Errorf("Start() with statements that are %s = %v, want an error that says so", level, err)
		}
	}
}

// A process is ready as long as what comes in can be stored.
func TestReady(t *testing.T) {
	t.Parallel()
	url := pgtest.OwnerURL(t)
	db := mustOpen(t, url, pg.Options{})
	if err := db.Start(t.Context(), quiet, pg.StartOptions{AllowUnsafe: true}); err != nil {
		t.Fatal(err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready() = %v, want nil", err)
	}
	if ahead, err := db.PartitionsAhead(t.Context()); err != nil || ahead < 28*24*time.Hour || ahead > 35*24*time.Hour {
		t.Errorf("PartitionsAhead() = %s, %v, want four to five weeks", ahead, err)
	}
	readOnly := mustOpen(t, url+"&default_transaction_read_only=on", pg.Options{})
	if err := readOnly.Ready(t.Context()); !errors.Is(err, pg.ErrReadOnly) {
		t.Errorf("Ready() of a Postgres that is read-only = %v, want that", err)
	}
	next := "attempts_" + monday(-1).Format("20060102")
	pgtest.Exec(t, db, `drop table `+next)
	if ahead, err := db.PartitionsAhead(t.Context()); err != nil || ahead <= 0 || ahead > 7*24*time.Hour {
		t.Errorf("PartitionsAhead() without %s = %s, %v, want the rest of the week", next, ahead, err)
	}
	mustDropPartitions(t, db, "submissions")
	if ahead, err := db.PartitionsAhead(t.Context()); err != nil || ahead != 0 {
		t.Errorf("PartitionsAhead() without partitions = %s, %v, want 0", ahead, err)
	}
	if err := db.Ready(t.Context()); !errors.Is(err, pg.ErrPartitions) {
		t.Errorf("Ready() without partitions = %v, want that", err)
	}
}

// Compiling a statement takes Postgres longer than any of ours runs, and it does so as soon as it expects many rows.
func TestStatementsAreNotCompiled(t *testing.T) {
	t.Parallel()
	db := mustOpen(t, pgtest.OwnerURL(t)+"&jit_above_cost=0", pg.Options{})
	for how, on := range map[string]conn.Queryer{"a statement": db, "a prepared statement": db.Prepared()} {
		const q = `explain analyze select count(*) from leads`
		lines, err := conn.Collect(t.Context(), on, "explain", conn.Value[string], q)
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(lines, "\n"); strings.Contains(plan, "JIT") || !strings.Contains(plan, "Execution Time") {
			t.Errorf("%s was compiled:\n%s", how, plan)
		}
	}
}

// An operator who had wal_compression on, which is pglz, learns that it is dear.
func TestPglzIsToldOf(t *testing.T) {
	t.Parallel()
	for setting, told := range map[string]bool{"on": true, "off": false} {
		db := mustOpen(t, pgtest.OwnerURL(t)+"&options=-cwal_compression%3D"+setting, pg.Options{})
		version, err := conn.One(t.Context(), db, "version", conn.Value[int], nil, `show server_version_num`)
		if err != nil {
			t.Fatal(err)
		}
		if version < 150000 {
			t.Skip("Postgres before version 15 has no LZ4 for its log")
		}
		log := &lines{}
		logger := slog.New(slog.NewTextHandler(log, nil))
		if err := db.Start(t.Context(), logger, pg.StartOptions{AllowUnsafe: true}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "set wal_compression to lz4"); got != told {
			t.Errorf("Start() with wal_compression=%s tells of it: %v, want %v", setting, got, told)
		}
	}
}
