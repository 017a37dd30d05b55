package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
)

// stores are those that a scenario has instead of a Postgres and a Redis of the system.
type stores struct {
	nodes           []*devstack.Redis // of a cluster masters first, with a replica each; else master, replica, Sentinel
	postgres        *devstack.Postgres
	standby         *devstack.Postgres
	pooler          *devstack.Pooler
	redisURL, pgURL string   // "": the system has its own
	env             []string // of gateway and workers
}

// startStores starts the stores that the scenario has.
func (run *runner) startStores(ctx context.Context) (err error) {
	switch {
	case (run.cluster || run.sentinel) && (run.inProcess || !devstack.HasRedisServer(run.getenv)):
		return fmt.Errorf("%w: the stand-in for Redis is no cluster, and no Sentinel watches it", errNotHere)
	case run.cluster:
		err = run.startCluster(ctx)
	case run.sentinel:
		err = run.startSentinel(ctx)
	}
	switch {
	case err != nil:
		return err
	case run.pooled:
		return run.startPooled(ctx)
	case run.standby:
		return run.startStandby(ctx)
	}
	return nil
}

// kill ends all of them at once.
func (s *stores) kill() {
	for _, node := range s.nodes {
		node.Kill()
	}
	if s.pooler != nil {
		s.pooler.Kill()
	}
	for _, p := range []*devstack.Postgres{s.standby, s.postgres} {
		if p != nil {
			p.Kill()
		}
	}
}

// startCluster starts three masters, each with a replica.
func (run *runner) startCluster(ctx context.Context) error {
	c, err := devstack.StartRedisCluster(ctx, devstack.ClusterOptions{Dir: filepath.Join(run.dir, "redis-cluster"),
		Replica: true, Getenv: run.getenv})
	if err != nil {
		return err
	}
	run.stores.nodes, run.stores.redisURL = c.Nodes, c.URL()
	return nil
}

// startSentinel starts a master with a replica, and a Sentinel that watches them.
func (run *runner) startSentinel(ctx context.Context) error {
	s := &run.stores
	add := func(name string, start func(opt devstack.RedisOptions) (*devstack.Redis, error)) (*devstack.Redis, error) {
		r, err := start(devstack.RedisOptions{Dir: filepath.Join(run.dir, name), Getenv: run.getenv,
			Log: run.parts.part(name)})
		if err == nil {
			s.nodes = append(s.nodes, r)
		}
		return r, err
	}
	redis := func(args ...string) func(devstack.RedisOptions) (*devstack.Redis, error) {
		return func(opt devstack.RedisOptions) (*devstack.Redis, error) {
			opt.Persist, opt.Args = true, append(args, "--repl-diskless-sync-delay", "0")
			return devstack.StartRedis(ctx, opt)
		}
	}
	master, err := add("master", redis())
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(master.Addr())
	if _, err := add("replica", redis("--replicaof", host, port)); err != nil {
		return err
	}
	const name = "leadgate"
	sentinel, err := add("sentinel", func(opt devstack.RedisOptions) (*devstack.Redis, error) {
		return devstack.StartSentinel(ctx, opt, name, master)
	})
	if err == nil {
		s.redisURL = "redis-sentinel://" + sentinel.Addr() + "/" + name + "/0"
	}
	return err
}

const (
	database = "leadgate"
	runRole  = "chaos_run" // reads and writes rows, as gateways and workers do, and no more
)

// newPostgres starts one that keeps what it commits, made where there is none, with the database.
func (run *runner) newPostgres(ctx context.Context) (opt devstack.PostgresOptions, err error) {
	opt = devstack.PostgresOptions{Dir: filepath.Join(run.dir, "postgres"), Durable: true, Getenv: run.getenv,
		Log: run.parts.part("postgres")}
	if run.stores.postgres, err = devstack.StartPostgres(ctx, opt); err != nil {
		return opt, err
	}
	return opt, run.stores.postgres.EnsureDatabase(ctx, database)
}

// startPooled starts Postgres and a pooler with fewer connections than gateway and workers may have, and migrates: they
// connect as a role that cannot.
func (run *runner) startPooled(ctx context.Context) error {
	if _, err := run.newPostgres(ctx); err != nil {
		return err
	}
	s := &run.stores
	s.pgURL = s.postgres.URL(database)
	const password = "run"
	if err := makeRunRole(ctx, s.pgURL, password); err != nil {
		return err
	}
	var err error
	s.pooler, err = devstack.StartPooler(ctx, devstack.PoolerOptions{Dir: filepath.Join(run.dir, "pooler"), Of: s.postgres,
		Size: 12, Accounts: map[string]string{runRole: password}, Getenv: run.getenv})
	if errors.Is(err, devstack.ErrNoPooler) {
		err = fmt.Errorf("%w: %w", errNotHere, err)
	}
	if err != nil {
		return err
	}
	u, err := url.Parse(s.pooler.URL(s.pgURL))
	if err != nil {
		return err
	}
	u.User = url.UserPassword(runRole, password)
	s.env = []string{"DATABASE_URL=" + u.String()}
	return nil
}

// makeRunRole migrates and makes the role, as OPERATIONS.md has it.
func makeRunRole(ctx context.Context, owner, password string) error {
	db, err := pg.Open(owner, pg.Options{MaxConns: 2, StatementTimeout: time.Minute})
	if err != nil {
		return err
	}
	defer db.Close()
	quiet := slog.New(slog.DiscardHandler)
	if _, err := db.Migrate(ctx, quiet); err != nil {
		return err
	}
	for _, q := range []string{
		"create role " + runRole + " login password '" + password + "'",
		"alter role " + runRole + " set statement_timeout = '10s'",
		"alter role " + runRole + " set lock_timeout = '500ms'",
		"alter role " + runRole + " set idle_in_transaction_session_timeout = '5min'",
		"alter role " + runRole + " set jit = off",
		"revoke create on schema public from public",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("make a role: %w", err)
		}
	}
	return db.Grant(ctx, quiet, runRole)
}

// startStandby starts a primary that answers a commit when its standby has it too. Both begin as copies of one cluster.
func (run *runner) startStandby(ctx context.Context) error {
	s := &run.stores
	opt, err := run.newPostgres(ctx)
	if err == nil {
		err = s.postgres.Stop()
	}
	copied := filepath.Join(run.dir, "standby")
	if err == nil {
		err = devstack.CopyDir(s.postgres.Dir(), copied)
	}
	if err != nil {
		return err
	}
	opt.Settings = []string{"synchronous_standby_names=*"}
	if s.postgres, err = devstack.StartPostgres(ctx, opt); err != nil {
		return err
	}
	opt.Dir, opt.Settings, opt.StandbyOf, opt.Log = copied, nil, s.postgres, run.parts.part("standby")
	if s.standby, err = devstack.StartPostgres(ctx, opt); err != nil {
		return err
	}
	primary, err := url.Parse(s.postgres.URL(database))
	if err != nil {
		return err
	}
	standby, err := url.Parse(s.standby.URL(database))
	if err != nil {
		return err
	}
	primary.Host += "," + standby.Host
	primary.RawQuery += "&target_session_attrs=read-write"
	s.pgURL = primary.String()
	return run.awaitStandby(ctx)
}

// awaitStandby waits until the standby is in step.
func (run *runner) awaitStandby(ctx context.Context) error {
	db, err := pg.Open(run.stores.pgURL, pg.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	const q = `select count(*) from pg_stat_replication where sync_state = 'sync'`
	for n := 0; n == 0; {
		if err := db.GetContext(ctx, &n, q); err != nil {
			return fmt.Errorf("look for the standby: %w", err)
		}
		if n == 0 && !pause(ctx, 20*time.Millisecond) {
			return errors.New("the standby does not follow")
		}
	}
	return nil
}
