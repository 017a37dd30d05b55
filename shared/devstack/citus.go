package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CitusEnv has tests run on Citus.
const CitusEnv = "PG_TEST_CITUS"

// ErrNoCitus says that Postgres has no Citus.
var ErrNoCitus = errors.New("this Postgres has no Citus: install the extension beside its programs (PG_BINDIR)")

// HasCitus reports whether the Postgres that StartPostgres uses for a new cluster has Citus.
func HasCitus(ctx context.Context, getenv func(string) string) (bool, error) {
	bin, err := findPostgres(ctx, getenv, 0)
	return err == nil && bin.hasCitus(), err
}

func (b pgBinaries) hasCitus() bool {
	for _, lib := range []string{"../lib", "../lib/postgresql"} { // of Debian and Red Hat; of others
		if _, err := os.Stat(filepath.Join(b.dir, lib, "citus.so")); err == nil {
			return true
		}
	}
	return false
}

// citusSettings are those of each node. A table is in few pieces, which are made in no time, and moved with logical
// replication.
var citusSettings = []string{"shared_preload_libraries=citus", "citus.shard_count=4", "wal_level=logical",
	"max_worker_processes=64", "max_prepared_transactions=200", "citus.node_conninfo=sslmode=disable",
	"citus.local_hostname=127.0.0.1", "citus.enable_stat_counters=on"}

// Citus is a private Citus cluster on 127.0.0.1.
type Citus struct {
	*Postgres             // the coordinator
	Nodes     []*Postgres // which have the rows; none: the coordinator has them
}

// StartCitus starts a coordinator as opt says, and nodes like it in directories beside its own.
func StartCitus(ctx context.Context, opt PostgresOptions, nodes int) (*Citus, error) {
	c := &Citus{Nodes: make([]*Postgres, nodes)}
	opt.Citus, opt.password = true, rand.Text()
	var err error
	if c.Postgres, err = StartPostgres(ctx, opt); err != nil {
		return nil, err
	}
	opt.password = c.password // a former start may have made it
	for n := range c.Nodes {
		of := opt
		of.Dir += fmt.Sprintf("-node-%d", n+1)
		if c.Nodes[n], err = StartPostgres(ctx, of); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
	}
	return c, nil
}

// startCitus is startPostgres of a cluster.
func (s *System) startCitus(ctx context.Context, opt PostgresOptions) (err error) {
	if s.Citus, err = StartCitus(ctx, opt, s.opt.CitusNodes); err != nil {
		return err
	}
	s.Postgres, s.DatabaseURL = s.Citus.Postgres, s.Citus.URL("leadgate")
	return s.Citus.EnsureDatabase(ctx, "leadgate")
}

// Stop stops all of it.
func (c *Citus) Stop() error { return errors.Join(c.Postgres.Stop(), c.stopNodes()) }

func (c *Citus) stopNodes() error {
	var errs []error
	for _, p := range c.Nodes {
		if p != nil {
			errs = append(errs, p.Stop())
		}
	}
	return errors.Join(errs...)
}

// EnsureDatabase makes a database on each node, where there is none of that name, and joins the nodes. Their ports may
// be others than before.
func (c *Citus) EnsureDatabase(ctx context.Context, name string) error {
	all := append([]*Postgres{c.Postgres}, c.Nodes...)
	var join []string
	for n, p := range all {
		add := `citus_add_node`
		if n == 0 {
			add = `citus_set_coordinator_host`
		}
		join = append(join, fmt.Sprintf(`
with known as (update pg_dist_node set nodeport = %[1]d where nodeid = %[2]d returning nodeid)
select %[3]s('127.0.0.1', %[1]d) where not exists (select from known)`, p.port, n+1, add))
		err := p.EnsureDatabase(ctx, name)
		if err == nil {
			err = p.execIn(ctx, name, `create extension if not exists citus`, fmt.Sprintf(`
insert into pg_dist_authinfo (nodeid, rolename, authinfo)
select nodeid, '%s', 'password=%s' from unnest(array[-1, 0]) as n (nodeid) -- itself, and any other
    on conflict (nodeid, rolename) do nothing`, superuser, c.password))
		}
		if err != nil {
			return err
		}
	}
	if len(c.Nodes) == 0 {
		join = append(join, fmt.Sprintf(`select citus_set_node_property('127.0.0.1', %d, 'shouldhaveshards', true)`, c.port))
	}
	return c.execIn(ctx, name, join...)
}

// Ports are those of Nodes.
func (c *Citus) Ports() (ports []int) {
	for _, p := range c.Nodes {
		ports = append(ports, p.port)
	}
	return ports
}
