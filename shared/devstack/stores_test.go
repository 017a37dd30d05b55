package devstack_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/testwait"
)

func mustPostgres(t *testing.T, opt devstack.PostgresOptions) *devstack.Postgres {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = mustDir(t)
	}
	p, err := devstack.StartPostgres(t.Context(), opt)
	if err != nil {
		t.Fatalf("StartPostgres() = %v", err)
	}
	t.Cleanup(func() { p.Kill() })
	return p
}

// mustDir is t.TempDir for stores that run as another user.
func mustDir(t *testing.T) string {
	t.Helper()
	dir, err := devstack.TempDir("leadgate-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func mustOpen(t *testing.T, url string) *pg.DB {
	t.Helper()
	db, err := pg.Open(url, pg.Options{})
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *pg.DB, stmt string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), stmt); err != nil {
		t.Fatalf("%s = %v", stmt, err)
	}
}

// What was committed is there again, at the same address, after a stop and after a kill.
func TestPostgresComesBack(t *testing.T) {
	t.Parallel()
	p := mustPostgres(t, devstack.PostgresOptions{Durable: true})
	if err := p.CreateDatabase(t.Context(), "app", ""); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, p.URL("app"))
	mustExec(t, db, "create table t (n int)")
	for i, end := range []func() error{p.Stop, p.Kill} {
		mustExec(t, db, "insert into t values (1)")
		if err := end(); err != nil {
			t.Fatalf("end %d: %v", i, err)
		}
		if err := db.PingContext(t.Context()); err == nil {
			t.Fatalf("end %d: Postgres still answers", i)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatalf("start %d: %v", i, err)
		}
		var n int
		if err := db.GetContext(t.Context(), &n, "select count(*) from t"); err != nil || n != i+1 {
			t.Fatalf("rows after start %d = %d, %v, want %d", i, n, err, i+1)
		}
	}
}

func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	p := mustPostgres(t, devstack.PostgresOptions{MaxConns: 33})
	db := mustOpen(t, p.URL("postgres"))
	for name, want := range map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
		"listen_addresses": "127.0.0.1", "max_connections": "33", "server_encoding": "UTF8"} {
		var got string
		if err := db.GetContext(t.Context(), &got, "select current_setting($1)", name); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", name, got, err, want)
		}
	}
	if strings.Contains(p.URL(""), ":5432/") {
		t.Errorf("URL() = %s, want a port that is not the standard one", p.URL(""))
	}
}

// All of a cluster is in its directory: what is killed with it leaves nothing in memory that outlives the directory.
func TestPostgresKeepsToItsDirectory(t *testing.T) {
	t.Parallel()
	p := mustPostgres(t, devstack.PostgresOptions{})
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID()))
	if err != nil {
		t.Skip("this system does not tell which files a process has mapped: ", err)
	}
	if strings.Contains(string(maps), "/dev/shm/PostgreSQL") {
		t.Error("Postgres has files in /dev/shm, which stay there when it is killed")
	}
}

func TestPostgresSaysWhenItEndsByItself(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	p := mustPostgres(t, devstack.PostgresOptions{OnExit: func(err error) { ended <- err }})
	syscall.Kill(p.PID(), syscall.SIGQUIT)
	select {
	case err := <-ended:
		if !strings.Contains(err.Error(), "postgres ended") {
			t.Errorf("OnExit(%v), want it to say that postgres ended", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("OnExit was not called")
	}
}

func TestPostgresWrongBinDir(t *testing.T) {
	t.Parallel()
	_, err := devstack.StartPostgres(t.Context(), devstack.PostgresOptions{Dir: mustDir(t),
		Getenv: func(string) string { return "/nowhere" }})
	if err == nil || !strings.Contains(err.Error(), "PG_BINDIR") {
		t.Errorf("StartPostgres(PG_BINDIR=/nowhere) = %v, want an error that names PG_BINDIR", err)
	}
}

func TestRedisWrongServer(t *testing.T) {
	t.Parallel()
	getenv := func(string) string { return "/nowhere" }
	_, err := devstack.StartRedis(t.Context(), devstack.RedisOptions{Getenv: getenv})
	if err == nil || !strings.Contains(err.Error(), "REDIS_SERVER") || !devstack.HasRedisServer(getenv) {
		t.Errorf("StartRedis(REDIS_SERVER=/nowhere) = %v, want an error that names REDIS_SERVER", err)
	}
}

func TestRedisComesBack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opt  devstack.RedisOptions
		want string // the value after a stop and a start
	}{
		{"persistent", devstack.RedisOptions{Persist: true}, "1"},
		{"not persistent", devstack.RedisOptions{}, ""},
		{"in process", devstack.RedisOptions{InProcess: true}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			tc.opt.Dir, tc.opt.Getenv = mustDir(t), os.Getenv
			r, err := devstack.StartRedis(ctx, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Kill() })
			if tc.opt.Persist && r.Kind() == devstack.InProcess {
				tc.want = "" // no redis-server here
			}
			client, err := rdb.Open(r.URL(), rdb.Options{Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := client.Set(ctx, "k", "1", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if err := r.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := client.Ping(ctx).Err(); err == nil {
				t.Error("Redis still answers after Stop")
			}
			if err := r.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if got := client.Get(ctx, "k").Val(); got != tc.want {
				t.Errorf("k after a stop and a start = %q, want %q", got, tc.want)
			}
		})
	}
}

// The in-process stand-in's keys lapse by the wall clock.
func TestInProcessClock(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r, err := devstack.StartRedis(ctx, devstack.RedisOptions{InProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	client, err := rdb.Open(r.URL(), rdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.Set(ctx, "k", "1", 30*time.Millisecond)
	testwait.Until(t, "the key lapses", func() bool {
		n, err := client.Exists(ctx, "k").Result()
		return err == nil && n == 0
	})
}

// TestParentDies runs itself as the parent of a Postgres and kills that parent.
func TestParentDies(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells children that their parent died")
	}
	if flag.NArg() == 2 && flag.Arg(0) == "parent" {
		p, err := devstack.StartPostgres(context.Background(), devstack.PostgresOptions{Dir: flag.Arg(1)})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("pid %d\n", p.PID())
		select {}
	}
	t.Parallel()
	dir := mustDir(t)
	parent := exec.Command(os.Args[0], "-test.run=^TestParentDies$", "parent", dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "pid %d", &pid)
	}
	if pid == 0 {
		t.Fatal("the parent started no Postgres")
	}
	parent.Process.Kill()
	parent.Wait()
	testwait.Until(t, "Postgres ends with its parent", func() bool { return syscall.Kill(pid, 0) != nil })
	again := mustPostgres(t, devstack.PostgresOptions{Dir: dir}) // and its data can be used again
	mustExec(t, mustOpen(t, again.URL("postgres")), "select 1")
}
