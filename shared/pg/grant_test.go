package pg_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// One role migrates, and another one, which may only read and write rows, does all that gateways and workers do.
func TestRunRole(t *testing.T) {
	t.Parallel()
	owner, run, url := mustTwoRoles(t)
	if _, err := owner.Migrate(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	for range 2 {
		if err := owner.Grant(t.Context(), log, run); err != nil {
			t.Fatal(err)
		}
	}
	owner.MustExecContext(t.Context(), `create table later (n int)`)

	db := mustOpen(t, url, pg.Options{MaxConns: 4})
	if err := db.Start(t.Context(), log, pg.StartOptions{AllowUnsafe: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(logged.String(), "partitions") || strings.Contains(logged.String(), "role") {
		t.Errorf("log = %s, want nothing about partitions or the role", &logged)
	}
	d := newDesk(t, db)
	d.mustPast(8, webhook.Held)
	d.mustPast(7, webhook.Pending)
	d.mustLeads(1)
	dropped, kept := d.mustDrop()
	same(t, "dropped", dropped, []string{part("deliveries", 8), part("events", 8), part("attempts", 8),
		part("attempts", 7)})
	same(t, "kept", kept, []string{part("deliveries", 7)})
	for _, q := range []string{`insert into later values (1)`,
		`insert into ` + part("submissions", 0) + ` select * from submissions`} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Errorf("%s = %v, want nil", q, err)
		}
	}
	for _, q := range []string{
		`create table mine (n int)`, `drop table later`, `truncate leads`, `alter table leads add column mine int`,
		`delete from goose_db_version`, `select drop_partition('leads')`,
		`select drop_partition('` + part("deliveries", 0) + `')`, `select attach_partition('` + part("deliveries", 7) + `')`,
	} {
		if _, err := db.ExecContext(t.Context(), q); err == nil {
			t.Errorf("%s succeeded, want that it may not", q)
		}
	}
}

// Whoever the weeks' functions were not granted to cannot call them.
func TestGrantSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	owner, run, url := mustTwoRoles(t)
	if _, err := owner.Migrate(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, url, pg.Options{})
	if err := db.EnsurePartitions(t.Context()); conn.SQLState(err) != "42501" {
		t.Errorf("EnsurePartitions() of a stranger = %v, want that it may not", err)
	}
	if err := owner.Grant(t.Context(), quiet, run+"_not"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("Grant() to a role that is not there = %v, want an error that says so", err)
	}
	if err := owner.Grant(t.Context(), quiet, run+"_owner"); err == nil || !strings.Contains(err.Error(), "owns") {
		t.Errorf("Grant() to the owner = %v, want an error that says so", err)
	}
}

// mustTwoRoles makes an empty database, which a role owns that is no superuser, and a role that may nothing.
func mustTwoRoles(t *testing.T) (owner *pg.DB, run, runURL string) {
	t.Helper()
	base := pgtest.OwnerURL(t)
	super := mustOpen(t, base, pg.Options{MaxConns: 1})
	name := "t_" + strings.ToLower(rand.Text()[:16])
	owns := name + "_owner"
	for _, q := range []string{
		`create role ` + owns + ` login password 'owns'`, `create role ` + name + ` login password 'runs'`,
		`create database ` + name + ` owner ` + owns + ` template template0`,
	} {
		super.MustExecContext(t.Context(), q)
	}
	t.Cleanup(func() {
		for _, q := range []string{`drop database ` + name + ` with (force)`, `drop role ` + owns, `drop role ` + name} {
			if _, err := super.ExecContext(context.Background(), q); err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	at := func(user *url.Userinfo) string {
		as := *u
		as.User = user
		return as.String()
	}
	owner = mustOpen(t, at(url.UserPassword(owns, "owns")), pg.Options{MaxConns: 2, StatementTimeout: time.Minute})
	inside := mustOpen(t, at(u.User), pg.Options{MaxConns: 1})
	// As it is from 15 on.
	inside.MustExecContext(t.Context(), `alter schema public owner to `+owns+`; revoke create on schema public from public`)
	return owner, name, at(url.UserPassword(name, "runs"))
}
