package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"leadgate/shared/pg"
)

// ErrNoPooler is wrapped by why there is no pooler on this machine.
var ErrNoPooler = errors.New("no pgbouncer 1.21 or newer: install it, or set PGBOUNCER to the program")

// PoolerOptions of StartPooler.
type PoolerOptions struct {
	Dir      string            // holds its settings
	Of       *Postgres         // what it stands in front of
	Size     int               // connections to Postgres of each database and user; 0: 20
	Accounts map[string]string // roles and their passwords, beside the superuser
	Getenv   func(string) string
}

// Pooler is a pgbouncer in transaction mode on 127.0.0.1, set as OPERATIONS.md has it.
type Pooler struct {
	*Process
	port int
}

// ignored is OPERATIONS.md's ignore_startup_parameters.
const ignored = "statement_timeout,lock_timeout,idle_in_transaction_session_timeout,default_transaction_isolation,jit"

// StartPooler starts a pooler, and returns when Postgres answers through it.
func StartPooler(ctx context.Context, opt PoolerOptions) (*Pooler, error) {
	bin, err := findPooler(ctx, opt.Getenv)
	if err != nil {
		return nil, err
	}
	who := storeAccount()
	dir, err := who.makeReachable(opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("pooler directory: %w", err)
	}
	if opt.Size == 0 {
		opt.Size = 20
	}
	p := &Pooler{}
	p.Process = &Process{Name: "pgbouncer", stopSignal: syscall.SIGINT, killSignal: syscall.SIGKILL,
		setAttr: who.setCredential,
		ready:   func(ctx context.Context, _ int) error { return answers(ctx, p.URL(opt.Of.URL("postgres"))) },
		make:    func() *exec.Cmd { return exec.Command(bin, "-q", filepath.Join(dir, "pooler", "pgbouncer.ini")) }}
	users := fmt.Sprintf("%q %q\n", superuser, opt.Of.password)
	for name, password := range opt.Accounts {
		users += fmt.Sprintf("%q %q\n", name, password)
	}
	for range 5 { // somebody else may be quicker on the port
		if p.port, err = FreePort(); err != nil {
			return nil, err
		}
		own := filepath.Join(dir, "pooler") // the program's own directory is one below, so that what we made stays ours
		settings := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
max_prepared_statements = 200
ignore_startup_parameters = %s
default_pool_size = %d
max_client_conn = 2000
`, opt.Of.port, p.port, filepath.Join(own, "users"), ignored, opt.Size)
		err = errors.Join(os.MkdirAll(own, 0o700), os.WriteFile(filepath.Join(own, "users"), []byte(users), 0o600),
			os.WriteFile(filepath.Join(own, "pgbouncer.ini"), []byte(settings), 0o600), who.chown(own))
		if err != nil {
			return nil, err
		}
		if err = p.Start(ctx); err == nil || !strings.Contains(err.Error(), "in use") {
			break
		}
	}
	return p, err
}

// URL is the connection URL through the pooler, of one that goes to its Postgres.
func (p *Pooler) URL(direct string) string {
	u, err := url.Parse(direct)
	if err != nil {
		return direct
	}
	u.Host = "127.0.0.1:" + strconv.Itoa(p.port)
	return u.String()
}

func answers(ctx context.Context, url string) error {
	db, err := pg.Open(url, pg.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "select 1")
	return err
}

var poolerVersion = regexp.MustCompile(`PgBouncer 1\.(\d+)`)

// findPooler looks for a pgbouncer that keeps prepared statements in transaction mode.
func findPooler(ctx context.Context, getenv func(string) string) (string, error) {
	name := "pgbouncer"
	if getenv != nil && getenv("PGBOUNCER") != "" {
		name = getenv("PGBOUNCER")
	}
	bin, err := exec.LookPath(name)
	if err != nil && name == "pgbouncer" {
		bin, err = exec.LookPath("/usr/sbin/pgbouncer") // Debian's, which is on root's path only
	}
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNoPooler, err)
	}
	text, err := exec.CommandContext(ctx, bin, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNoPooler, err)
	}
	version := poolerVersion.FindSubmatch(text)
	if version == nil {
		return "", fmt.Errorf("%w (%s)", ErrNoPooler, strings.TrimSpace(string(text)))
	}
	if minor, _ := strconv.Atoi(string(version[1])); minor < 21 {
		return "", fmt.Errorf("%w (%s is %s)", ErrNoPooler, bin, version[0])
	}
	return bin, nil
}
