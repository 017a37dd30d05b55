// Package devstack runs leadgate's private surroundings from local programs: Postgres, Redis, and whole systems, for
// dev mode, tests, bench and chaos.
package devstack

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
)

// PostgresOptions of StartPostgres.
type PostgresOptions struct {
	// holds the cluster; where the store's user cannot reach it, a directory in /var/tmp stands for it
	Dir       string
	Port      int                 // 0: a free one
	Durable   bool                // fsync and the rest of it; else fast and lost with the machine
	PowerCuts bool                // its power can be cut (CutPower); ErrNoPowerCuts where that is not possible
	MaxConns  int                 // 0: 200
	Settings  []string            // name=value, over ours
	Citus     bool                // can be a node of a Citus cluster; ErrNoCitus where its programs have none
	StandbyOf *Postgres           // follows it; Dir holds a copy of what that had in its Dir before it was started
	Log       io.Writer           // the server's log; nil: nowhere
	Getenv    func(string) string // PG_BINDIR; nil: looks in the usual places only
	OnExit    func(error)         // an end nobody asked for; nil: nobody is notified

	password    string // of the superuser of a new cluster; "": a random one
	compression string // of images of pages in its log
}

// Postgres is a private cluster on 127.0.0.1. Its superuser is "leadgate" with a random password.
type Postgres struct {
	*Process
	port     int
	major    int // version
	dir      string
	password string
	disk     *disk // nil: its power cannot be cut
}

// ErrNoPowerCuts is wrapped by why the power of a Postgres cannot be cut on this machine.
var ErrNoPowerCuts = errors.New("power cuts need Linux and a C compiler")

const superuser = "leadgate"

// StartPostgres starts the cluster in opt.Dir, made by initdb where there is none, and returns when it accepts queries.
func StartPostgres(ctx context.Context, opt PostgresOptions) (*Postgres, error) {
	who := storeAccount()
	dir, err := who.makeReachable(opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("postgres directory: %w", err)
	}
	data := filepath.Join(dir, "data")
	bin, err := findPostgres(ctx, opt.Getenv, dataMajor(data))
	if err != nil {
		return nil, err
	}
	if opt.Citus && !bin.hasCitus() {
		return nil, ErrNoCitus
	}
	if err := initCluster(ctx, bin, who, dir, opt); err != nil {
		return nil, err
	}
	if err := endStray(ctx, data); err != nil {
		return nil, err
	}
	if opt.StandbyOf != nil {
		if err := makeStandby(data, who); err != nil {
			return nil, fmt.Errorf("postgres standby: %w", err)
		}
	}
	password, err := os.ReadFile(filepath.Join(dir, "password"))
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if opt.Durable {
		opt.compression = bin.logCompression(ctx, who, data)
	}
	p := &Postgres{dir: dir, password: string(password), port: opt.Port, major: bin.major}
	if opt.PowerCuts {
		if p.disk, err = newDisk(ctx, dir, who); err != nil {
			return nil, err
		}
	}
	p.Process = &Process{Name: "postgres", out: opt.Log, ready: p.ready, stopSignal: syscall.SIGINT,
		killSignal: syscall.SIGQUIT,
		setAttr:    who.setCredential}
	if opt.OnExit != nil {
		p.onExit = func(_ *Process, how error) { opt.OnExit(fmt.Errorf("postgres %w", how)) }
	}
	p.make = func() *exec.Cmd { return p.command(bin, data, opt) }
	return p, startOnFreePort(ctx, p.Process, &p.port)
}

// startOnFreePort starts p; where the port was left to us and somebody else was quicker, on another one.
func startOnFreePort(ctx context.Context, p *Process, port *int) error {
	if *port != 0 {
		return p.Start(ctx)
	}
	var err error
	for range 5 {
		if *port, err = FreePort(); err != nil {
			return err
		}
		if err = p.Start(ctx); err == nil || !strings.Contains(err.Error(), "in use") {
			return err
		}
	}
	return err
}

func (p *Postgres) command(bin pgBinaries, data string, opt PostgresOptions) *exec.Cmd {
	if opt.MaxConns == 0 {
		opt.MaxConns = 200
	}
	args := []string{"-D", data, "-p", strconv.Itoa(p.port)}
	set := func(name, value string) { args = append(args, "-c", name+"="+value) }
	set("listen_addresses", "127.0.0.1")
	set("unix_socket_directories", "") // none: their default place is not ours, and paths are limited to 107 bytes
	set("max_connections", strconv.Itoa(opt.MaxConns))
	set("logging_collector", "off")
	set("log_timezone", "UTC")
	// as an installation should have it (README): a table of millions needs memory, and checkpoints that are not too
	// frequent
	if opt.Durable {
		set("shared_buffers", "256MB")
		set("max_wal_size", "4GB")
		set("wal_compression", opt.compression)
	} else {
		set("fsync", "off")
		set("synchronous_commit", "off")
		set("full_page_writes", "off")
		set("max_wal_size", "128MB") // its directory may be in memory
		set("min_wal_size", "32MB")
		set("dynamic_shared_memory_type", "mmap") // in its directory, and gone with it: /dev/shm keeps what is killed
	}
	if of := opt.StandbyOf; of != nil {
		set("primary_conninfo", fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s", of.port, superuser, of.password))
	}
	if opt.Citus {
		for _, setting := range citusSettings {
			args = append(args, "-c", setting)
		}
	}
	for _, setting := range opt.Settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(filepath.Join(bin.dir, "postgres"), args...)
	cmd.Dir = data
	if p.disk != nil {
		cmd.Env = append(cmd.Environ(), p.disk.env()...)
	}
	return cmd
}

// CutPower ends Postgres as a power cut of its machine does: of each file there is what was synced, and of each block
// that was written since, what keep says. Start boots the machine again.
func (p *Postgres) CutPower(keep func() bool) error { return p.disk.cut(p.Process, keep) }

// ready is a query, answered with our own password: no other server on the port can pass for this one.
func (p *Postgres) ready(ctx context.Context, _ int) error { return answers(ctx, p.URL("postgres")) }

// makeStandby makes the cluster in data a standby, until it is promoted.
func makeStandby(data string, who account) error {
	signal := filepath.Join(data, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return err
	}
	return who.chown(signal)
}

// URL is the connection URL of a database.
func (p *Postgres) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, p.password),
		Host: fmt.Sprintf("127.0.0.1:%d", p.port), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Dir is where the cluster really is.
func (p *Postgres) Dir() string { return p.dir }

// CreateDatabase makes a database, as a copy of template where that is not "".
func (p *Postgres) CreateDatabase(ctx context.Context, name, template string) error {
	stmt := "create database " + quote(name)
	if template != "" {
		stmt += " template " + quote(template)
	}
	if template != "" && p.major >= 15 { // the default, by way of buffers and WAL, takes twice as long for a small one
		stmt += " strategy file_copy"
	}
	return p.exec(ctx, stmt)
}

// EnsureDatabase makes a database where there is none of that name.
func (p *Postgres) EnsureDatabase(ctx context.Context, name string) error {
	err := p.CreateDatabase(ctx, name, "")
	if conn.SQLState(err) == "42P04" { // it is there
		return nil
	}
	return err
}

// Promote makes a standby one that can be written to, and returns when it is.
func (p *Postgres) Promote(ctx context.Context) error {
	return p.exec(ctx, "select pg_promote(wait_seconds => 50)") // less than a statement of exec may take
}

// DropDatabase drops a database with whoever is still connected to it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	return p.exec(ctx, "drop database if exists "+quote(name)+" with (force)")
}

func (p *Postgres) exec(ctx context.Context, stmt string) error {
	return p.execIn(ctx, "postgres", stmt)
}

func (p *Postgres) execIn(ctx context.Context, database string, stmts ...string) error {
	db, err := pg.Open(p.URL(database), pg.Options{MaxConns: 1, StatementTimeout: time.Minute})
	if err != nil {
		return err
	}
	defer db.Close()
	for _, stmt := range stmts {
		if _, err := db.ExecContext(ctx, stmt); err != nil {
			return fmt.Errorf("%s: %w", stmt, err)
		}
	}
	return nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// dataMajor is the version whose data is in dir, 0 for none.
func dataMajor(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, _ := strconv.Atoi(string(bytes.TrimSpace(text)))
	return major
}

// initCluster makes dir/data by way of dir/new, so that a half-made cluster is never taken for one.
func initCluster(ctx context.Context, bin pgBinaries, who account, dir string, opt PostgresOptions) error {
	data, fresh := filepath.Join(dir, "data"), filepath.Join(dir, "new")
	if dataMajor(data) != 0 {
		return nil
	}
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(cmp.Or(opt.password, rand.Text())), 0o600); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	for _, path := range []string{password, fresh} {
		if err := who.chown(path); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	args := []string{"-D", fresh, "-U", superuser, "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--pwfile=" +
		password}
	if !opt.Durable {
		args = append(args, "--no-sync")
	}
	if opt.PowerCuts {
		args = append(args, "--wal-segsize=1") // MiB; a segment is copied at each commit
	}
	cmd, err := bin.command(ctx, who, fresh, "initdb", args...)
	if err != nil {
		return err
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(output))
	}
	return os.Rename(fresh, data)
}
