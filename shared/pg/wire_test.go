package pg_test

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
)

// late is how much later than its bound a call may return on a machine that is busy with other tests.
const late = 5 * time.Second

// mustFreeze stops pid until the test ends or it is thawed.
func mustFreeze(t *testing.T, pid int) (thaw func()) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thaw = func() { syscall.Kill(pid, syscall.SIGCONT) }
	t.Cleanup(thaw)
	return thaw
}

func mustOpen(t *testing.T, url string, opt pg.Options) *pg.DB {
	t.Helper()
	db, err := pg.Open(url, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mustBackend(t *testing.T, db *pg.DB) (pid int) {
	t.Helper()
	if err := db.GetContext(t.Context(), &pid, "select pg_backend_pid()"); err != nil {
		t.Fatalf("the pool does not work: %v", err)
	}
	return pid
}

func insert(ctx context.Context, db *pg.DB) error {
	l := lead.Lead{WorkspaceID: id.New(), ID: id.New(), Email: "a@example.com", UniqueKey: "a@example.com", Source: "api",
		Status: "new", Metadata: []byte("{}"), CreatedAt: time.Now()}
	_, err := db.InsertLeads(ctx, []pg.NewLead{{Lead: l, EventID: id.New()}})
	return err
}

func read(ctx context.Context, db *pg.DB) error {
	_, err := db.GetLead(ctx, id.New(), id.New())
	return err
}

// A backend that hangs holds nobody up, and its connection is not used again.
func TestSilentBackend(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	for name, tc := range map[string]struct {
		call      func(context.Context, *pg.DB) error
		prepared  bool
		statement time.Duration // the statement timeout
		deadline  time.Duration // of the context; 0: none
		bound     time.Duration
	}{
		"insert":          {insert, false, 10 * time.Second, 300 * time.Millisecond, 800 * time.Millisecond},
		"prepared insert": {insert, true, 10 * time.Second, 300 * time.Millisecond, 800 * time.Millisecond},
		"read":            {read, false, 10 * time.Second, 300 * time.Millisecond, 800 * time.Millisecond},
		"no deadline":     {read, false, 2 * time.Second, 0, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := mustOpen(t, url, pg.Options{MaxConns: 1, StatementTimeout: tc.statement})
			if tc.prepared {
				if err := tc.call(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			}
			frozen := mustBackend(t, db)
			thaw := mustFreeze(t, frozen)
			ctx := t.Context()
			if tc.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tc.deadline)
				defer cancel()
			}
			start := time.Now()
			err := tc.call(ctx, db)
			if took := time.Since(start); !fault.Is(err, fault.Unavailable) || took > tc.bound+late {
				t.Errorf("while its backend hangs the call = %v after %v, want UNAVAILABLE within %v", err, took, tc.bound)
			}
			if pid := mustBackend(t, db); pid == frozen {
				t.Errorf("the pool goes on using the backend that hangs")
			}
			thaw()
			if err := insert(t.Context(), db); err != nil {
				t.Errorf("when the backend is back InsertLeads() = %v", err)
			}
		})
	}
}

// A statement that was under way when its backend fell silent, and one in a transaction.
func TestSilentInTheMiddle(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	watch := mustOpen(t, url, pg.Options{MaxConns: 1})
	db := mustOpen(t, url, pg.Options{MaxConns: 1, Application: t.Name()})
	pid := mustBackend(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, "select pg_sleep(60)")
		done <- err
	}()
	await(t, watch, "select count(*) > 0 from pg_stat_activity where wait_event = 'PgSleep' and pid = "+strconv.Itoa(pid))
	mustFreeze(t, pid)
	select {
	case err := <-done:
		if err == nil {
			t.Error("a statement that never ended succeeded")
		}
	case <-time.After(1500*time.Millisecond + late):
		t.Fatal("the call is held up by a backend that hangs")
	}
	mustBackend(t, db)
}

// A whole server that hangs takes connections, because the kernel does, and says nothing; neither to who asks it to
// cancel.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	p, url := pgtest.Start(t)
	known := mustOpen(t, url, pg.Options{MaxConns: 1})
	if err := insert(t.Context(), known); err != nil { // prepares
		t.Fatal(err)
	}
	thawBackend := mustFreeze(t, mustBackend(t, known))
	thaw := mustFreeze(t, p.PID())
	// lib/pq tries twice
	fresh := mustOpen(t, strings.Replace(url, "sslmode=disable", "sslmode=prefer", 1), pg.Options{MaxConns: 1})
	for _, db := range []*pg.DB{known, fresh} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := insert(ctx, db)
		if took := time.Since(start); !fault.Is(err, fault.Unavailable) || took > 800*time.Millisecond+late {
			t.Errorf("InsertLeads() = %v after %v, want UNAVAILABLE within 800ms", err, took)
		}
	}
	thawBackend()
	thaw()
	mustBackend(t, known)
	mustBackend(t, fresh)
}

// await waits until query says true.
func await(t *testing.T, db *pg.DB, query string) {
	t.Helper()
	testwait.Until(t, query, func() (yes bool) {
		if err := db.GetContext(t.Context(), &yes, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return yes
	})
}

// A connection is closed in peace also when the limit of its last use is over, as it is of every idle one.
func TestCloseAfterTheLimitOfTheLastUse(t *testing.T) {
	t.Parallel()
	db, err := pg.Open(pgtest.URL(t), pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "a use is over in its time", func() bool { // a busy machine needs it to connect
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := db.ExecContext(ctx, "select 1")
		return err == nil
	})
	<-time.After(800 * time.Millisecond) // the limit is half a second after the context's end
	if err := db.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
}
