package pg_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
)

// mustStandby starts a primary and a standby that has each commit before it is acknowledged. Both begin as copies of
// one cluster, so no base backup is needed.
func mustStandby(t *testing.T) (primary, standby *devstack.Postgres) {
	t.Helper()
	primary, _ = pgtest.Start(t, func(o *devstack.PostgresOptions) {
		o.Settings = []string{"synchronous_commit=on", "synchronous_standby_names=*"}
	})
	standby, _ = pgtest.Start(t, func(o *devstack.PostgresOptions) {
		o.StandbyOf, o.Settings = primary, []string{"synchronous_commit=on"}
	})
	admin := mustOpen(t, primary.URL("postgres"), pg.Options{MaxConns: 1})
	testwait.Until(t, "the standby to follow", func() bool {
		var n int
		err := admin.GetContext(t.Context(), &n, `select count(*) from pg_stat_replication where sync_state = 'sync'`)
		return err == nil && n == 1
	})
	return primary, standby
}

// When the primary dies and its standby is promoted, the next connection goes there, and every lead that was
// acknowledged is there.
func TestFailover(t *testing.T) {
	pgtest.NotOnCitus(t, "its servers are no cluster")
	t.Parallel()
	primary, standby := mustStandby(t)
	one, err := url.Parse(primary.URL(pgtest.SystemDB))
	if err != nil {
		t.Fatal(err)
	}
	two, err := url.Parse(standby.URL(pgtest.SystemDB))
	if err != nil {
		t.Fatal(err)
	}
	follower := mustOpen(t, two.String(), pg.Options{MaxConns: 1})
	if err := follower.Start(t.Context(), quiet, pg.StartOptions{AllowUnsafe: true}); !errors.Is(err, pg.ErrReadOnly) {
		t.Errorf("Start() on a standby = %v, want it read-only", err)
	}
	one.Host = two.Host + "," + one.Host // the standby first: it must not be taken
	db := mustOpen(t, one.String(), pg.Options{MaxConns: 8})
	if err := db.Start(t.Context(), quiet, pg.StartOptions{AllowUnsafe: true}); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	ws := pgtest.Workspace(t, db).ID

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	var acknowledged []id.UUID
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acknowledged) }
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				at := time.Now()
				l := lead.Lead{WorkspaceID: ws, ID: id.New(), Source: "api", Status: "new", Metadata: []byte(`{}`), CreatedAt: at,
					UpdatedAt: at}
				l.Email = l.ID.String() + "@example.com"
				l.UniqueKey = l.Email
				if _, err := db.InsertLeads(ctx, []pg.NewLead{{Lead: l, EventID: id.New()}}); err == nil {
					mu.Lock()
					acknowledged = append(acknowledged, l.ID)
					mu.Unlock()
				}
			}
		})
	}
	testwait.Until(t, "leads", func() bool { return count() >= 50 })
	primary.Kill()
	if err := db.Ready(t.Context()); err == nil {
		t.Error("Ready() = nil without a primary, want an error")
	}
	before := count()
	promoted := mustOpen(t, standby.URL(pgtest.SystemDB), pg.Options{MaxConns: 1})
	if _, err := promoted.ExecContext(t.Context(), `select pg_promote()`); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "leads after the promotion", func() bool { return count() >= before+50 })
	stop()
	clients.Wait()
	for _, l := range acknowledged {
		if _, err := promoted.GetLead(t.Context(), ws, l); err != nil {
			t.Fatalf("GetLead() of an acknowledged lead = %v, want all %d there", err, len(acknowledged))
		}
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready() after the promotion = %v, want nil", err)
	}
}

// When the primary's machine is lost without a word, nobody refuses connections to it: they wait. That holds up what is
// under way, and nothing that comes later.
func TestFailoverFromASilentPrimary(t *testing.T) {
	pgtest.NotOnCitus(t, "its servers are no cluster")
	t.Parallel()
	primary, standby := mustStandby(t)
	one, err := url.Parse(primary.URL(pgtest.SystemDB))
	if err != nil {
		t.Fatal(err)
	}
	two, err := url.Parse(standby.URL(pgtest.SystemDB))
	if err != nil {
		t.Fatal(err)
	}
	one.Host += "," + two.Host
	const conns = 8
	db := mustOpen(t, one.String(), pg.Options{MaxConns: conns})
	ws := pgtest.Workspace(t, db).ID
	var open sync.WaitGroup
	for range conns {
		open.Go(func() { db.MustExecContext(t.Context(), `select pg_sleep(0.3)`) })
	}
	open.Wait()
	promoted := mustOpen(t, standby.URL(pgtest.SystemDB), pg.Options{MaxConns: 1})
	pause(t, primary, db)
	if _, err := promoted.ExecContext(t.Context(), `select pg_promote()`); err != nil {
		t.Fatal(err)
	}
	rename := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // a post has 3 s
		defer cancel()
		_, err := conn.Exec(ctx, db, "rename", `update workspaces set name = name || '!' where id = $1`, ws)
		return err
	}
	failed := 0
	for rename() != nil {
		if failed++; failed > conns {
			break
		}
	}
	if failed > 2 { // one waits on a connection, and another one to connect
		t.Errorf("%d statements failed after the promotion, with %d connections to the silent primary, want 2 at most",
			failed, conns)
	}
	db.SetMaxIdleConns(0) // each connects anew
	for range 5 {
		if err := rename(); err != nil {
			t.Errorf("a statement on a new connection = %v, want success", err)
		}
	}
}

// pause stops all processes of a Postgres, to which db is connected, until t ends.
func pause(t *testing.T, p *devstack.Postgres, db *pg.DB) {
	t.Helper()
	all := []int{p.PID()}
	var sessions []int
	if err := db.SelectContext(t.Context(), &sessions, `select pid from pg_stat_activity`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, pid := range all {
			syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	all = append(all, sessions...)
	for _, pid := range all {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
}

// While none of several hosts can be written to, as in the middle of a failover, Postgres is unavailable.
func TestNoneOfTheHostsIsPrimary(t *testing.T) {
	pgtest.NotOnCitus(t, "its servers are no cluster")
	t.Parallel()
	_, standby := mustStandby(t)
	u, err := url.Parse(standby.URL(pgtest.SystemDB))
	if err != nil {
		t.Fatal(err)
	}
	u.Host += "," + u.Host
	db := mustOpen(t, u.String(), pg.Options{MaxConns: 1})
	_, err = conn.Exec(t.Context(), db, "write", `update workspaces set name = ''`)
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("a statement = %v, want UNAVAILABLE", err)
	}
}
