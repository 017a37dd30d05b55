package pg_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// Behind a pgbouncer in transaction mode, with fewer connections than there are transactions, a role that may only read
// and write rows does what gateways and workers do, once another one has migrated.
func TestPooler(t *testing.T) {
	t.Parallel()
	owner := pgtest.OwnerURL(t)
	through := pgtest.Pooler(t, 2)
	admin := mustOpen(t, through(owner), pg.Options{MaxConns: 2})
	admin.MustExecContext(t.Context(), `drop schema public cascade; create schema public`)
	if n, err := admin.Migrate(t.Context(), quiet); err != nil || n == 0 {
		t.Fatalf("Migrate() = %d, %v, want all", n, err)
	}
	if err := admin.Grant(t.Context(), quiet, pgtest.RunRole); err != nil {
		t.Fatal(err)
	}
	url := through(pgtest.RunURL(t, owner))
	gateway := mustOpen(t, url, pg.Options{MaxConns: 8, StatementTimeout: 5 * time.Second, LockTimeout: time.Second})
	worker := mustOpen(t, url, pg.Options{MaxConns: 8})
	var logged bytes.Buffer
	for _, db := range []*pg.DB{gateway, worker} {
		err := db.Start(t.Context(), slog.New(slog.NewTextHandler(&logged, nil)), pg.StartOptions{AllowUnsafe: true})
		if err != nil || db.Ready(t.Context()) != nil || strings.Contains(logged.String(), "limits") {
			t.Fatalf("Start() = %v, Ready() = %v, log %s, want neither errors nor missing limits", err, db.Ready(t.Context()),
				&logged)
		}
	}
	d := newDesk(t, gateway)
	d.mustPast(8, webhook.Delivered)
	d.mustPast(7, webhook.Held)

	// More transactions than connections, and what prepares statements and takes locks beside them.
	var all sync.WaitGroup
	for range 8 {
		l := pgtest.Lead(t, gateway, d.ws)
		all.Go(func() {
			for n := range 10 {
				change := func(l *lead.Lead) error { l.Name = fmt.Sprint("Ann ", n); return nil }
				_, err := gateway.UpdateLead(t.Context(), d.ws, l.ID, change)
				_, leaseErr := worker.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: d.ws, Endpoint: d.endpoint.ID,
					Token: id.New(), Limit: 5, Now: time.Now()})
				if err = errors.Join(err, leaseErr); err != nil {
					t.Error(err)
				}
			}
		})
	}
	out, err := worker.DropOldPartitions(t.Context(), month, year)
	all.Wait()
	if err != nil || len(out.Partitions) != 6 || len(out.Held) != 1 {
		t.Errorf("DropOldPartitions() = %+v, %v, want both weeks dropped", out, err)
	}
	if b, err := gateway.Backlog(t.Context()); err != nil || b.Due+b.Later != 8*11 {
		t.Errorf("Backlog() = %+v, %v, want a delivery of each lead and change", b, err)
	}
}

// What a statement may take is set for the role: a pooler leaves out what a connection asks for.
func TestPoolerKeepsLimits(t *testing.T) {
	t.Parallel()
	owner := pgtest.OwnerURL(t)
	through := pgtest.Pooler(t, 1)
	direct := mustOpen(t, owner, pg.Options{MaxConns: 1})
	var set string
	err := direct.GetContext(t.Context(), &set, `
select format('alter role %I in database %I set statement_timeout = 200', $1::text, current_database())`, pgtest.RunRole)
	if err != nil {
		t.Fatal(err)
	}
	direct.MustExecContext(t.Context(), set)
	db := mustOpen(t, through(pgtest.RunURL(t, owner)), pg.Options{MaxConns: 2})
	direct.MustExecContext(t.Context(), strings.Replace(set, "statement_timeout = 200", "lock_timeout = 0", 1))
	direct.MustExecContext(t.Context(), strings.Replace(set, "statement_timeout = 200", "jit = on", 1))
	var logged bytes.Buffer
	asks := mustOpen(t, through(pgtest.RunURL(t, owner)), pg.Options{MaxConns: 2, LockTimeout: time.Second})
	err = asks.Start(t.Context(), slog.New(slog.NewTextHandler(&logged, nil)), pg.StartOptions{AllowUnsafe: true})
	for _, named := range []string{"unlimited=lock_timeout", "jit = off"} {
		if err != nil || !strings.Contains(logged.String(), named) {
			t.Errorf("Start() without a limit, with jit = %v, log %s, want %s named", err, &logged, named)
		}
	}
	_, err = conn.Exec(t.Context(), db, "sleep", `select pg_sleep(60)`)
	if !errors.Is(err, conn.ErrStatementTimeout) {
		t.Errorf("a statement of a minute = %v, want it to be ended", err)
	}
}
