package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/rdb"
)

// RedisOptions of StartRedis.
type RedisOptions struct {
	Dir       string      // holds the data of Persist and what Args write; needed only then
	Host      string      // "": 127.0.0.1
	Port      int         // 0: a free one
	TLS       *RedisTLS   // nil: it speaks none. Needs redis-server
	Args      []string    // more of redis-server's; needs it
	Config    string      // makes it a Sentinel, which writes what it learns to the file with this
	Persist   bool        // an append-only file; else the data ends with the server. Needs redis-server
	InProcess bool        // the stand-in even where there is a redis-server
	Log       io.Writer   // the server's log; nil: nowhere
	OnExit    func(error) // an end nobody asked for; nil: nobody is notified

	Getenv func(string) string // REDIS_SERVER; nil: looks in the usual places only
}

// RedisTLS is what a server that speaks only TLS, and only with clients that have a certificate, needs.
type RedisTLS struct {
	CA, Cert, Key string  // files
	Client        rdb.TLS // with which it answers
}

func (f *RedisTLS) args(port string) []string {
	return []string{"--port", "0", "--tls-port", port, "--tls-ca-cert-file", f.CA, "--tls-cert-file", f.Cert,
		"--tls-key-file", f.Key, "--tls-cluster", "yes", "--tls-replication", "yes"}
}

// Kinds of Redis.
const (
	RedisServer = "redis-server"
	InProcess   = "in-process"
)

// Redis is a private server on 127.0.0.1: redis-server, or where that is missing miniredis in this process.
type Redis struct {
	host string
	port int
	tls  *RedisTLS
	proc *Process // nil: in process

	mu   sync.Mutex
	mini *miniredis.Miniredis // nil: redis-server
}

// StartRedis starts a server and returns when it answers PING.
func StartRedis(ctx context.Context, opt RedisOptions) (*Redis, error) {
	r := &Redis{host: cmp.Or(opt.Host, "127.0.0.1"), port: opt.Port, tls: opt.TLS}
	bin, err := findRedis(opt.Getenv)
	if err != nil {
		return nil, err
	}
	if bin == "" || opt.InProcess {
		return r, r.startMini()
	}
	who := storeAccount()
	dir := "/"
	if opt.Persist || opt.Config != "" || opt.Dir != "" && opt.Args != nil {
		if dir, err = redisDir(who, opt); err != nil {
			return nil, fmt.Errorf("redis directory: %w", err)
		}
	}
	r.proc = &Process{Name: "redis", out: opt.Log, ready: r.ready, stopSignal: syscall.SIGTERM,
		killSignal: syscall.SIGKILL,
		setAttr:    who.setCredential}
	if opt.OnExit != nil {
		r.proc.onExit = func(_ *Process, how error) { opt.OnExit(fmt.Errorf("redis %w", how)) }
	}
	r.proc.make = func() *exec.Cmd {
		args := []string{"--port", strconv.Itoa(r.port), "--bind", r.host, "--dir", dir, "--daemonize", "no", "--save",
			"", "--maxmemory-policy", "noeviction"}
		if r.tls != nil {
			args = append(args, r.tls.args(strconv.Itoa(r.port))...)
		}
		if opt.Persist {
			args = append(args, "--appendonly", "yes")
		} else {
			args = append(args, "--appendonly", "no")
		}
		if opt.Config != "" {
			args = append([]string{filepath.Join(dir, "sentinel.conf"), "--sentinel"}, args...)
		}
		cmd := exec.Command(bin, append(args, opt.Args...)...)
		cmd.Dir = dir
		return cmd
	}
	return r, startOnFreePort(ctx, r.proc, &r.port)
}

// redisDir makes the server's own directory, one below, so that what we made stays ours.
func redisDir(who account, opt RedisOptions) (string, error) {
	placed, err := who.makeReachable(opt.Dir)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(placed, "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if opt.Config != "" {
		if err := os.WriteFile(filepath.Join(dir, "sentinel.conf"), []byte(opt.Config), 0o600); err != nil {
			return "", err
		}
	}
	return dir, who.chown(dir)
}

// findRedis looks for the program: that of REDIS_SERVER, or where it names none, a redis-server; "" when there is none.
func findRedis(getenv func(string) string) (bin string, err error) {
	if getenv != nil && getenv("REDIS_SERVER") != "" { // who names one wants that one
		if bin, err = exec.LookPath(getenv("REDIS_SERVER")); err != nil {
			err = fmt.Errorf("REDIS_SERVER: %w", err)
		}
		return bin, err
	}
	for _, name := range []string{"redis-server", "/opt/homebrew/bin/redis-server", "/usr/local/bin/redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", nil
}

// ready is an INFO that names our own process: another server may have been quicker on the port.
func (r *Redis) ready(ctx context.Context, pid int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr()) // go-redis logs every refused connection
	if err != nil {
		return err
	}
	conn.Close()
	client, err := r.open()
	if err != nil {
		return err
	}
	defer client.Close()
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	if !strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", pid)) {
		return errors.New("another Redis answers on the port")
	}
	return nil
}

func (r *Redis) startMini() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mini != nil {
		return r.mini.Restart()
	}
	var err error
	for range 5 {
		port := r.port
		if port == 0 {
			if port, err = FreePort(); err != nil {
				return err
			}
		}
		m := miniredis.NewMiniRedis()
		m.ClockTTL(true) // keys lapse by the clock and not by calls of FastForward
		if err = m.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			r.mini, r.port = m, port
			return nil
		}
	}
	return fmt.Errorf("start redis: %w", err)
}

// Kind is RedisServer or InProcess.
func (r *Redis) Kind() string {
	if r.proc != nil {
		return RedisServer
	}
	return InProcess
}

// open returns a client of this server alone, whatever it is a part of and whatever name its certificate has.
func (r *Redis) open() (redis.UniversalClient, error) {
	if r.tls != nil {
		return rdb.Open(r.URL()+"?cluster=false&skip_verify=true", rdb.Options{TLS: r.tls.Client})
	}
	return rdb.Open(r.URL()+"?cluster=false", rdb.Options{})
}

// URL is the connection URL.
func (r *Redis) URL() string {
	if r.tls != nil {
		return "rediss://" + r.Addr() + "/0"
	}
	return "redis://" + r.Addr() + "/0"
}

// Addr is where it listens.
func (r *Redis) Addr() string { return net.JoinHostPort(r.host, strconv.Itoa(r.port)) }

// Start starts a stopped server again, on the same port and with the data it kept.
func (r *Redis) Start(ctx context.Context) error {
	if r.proc != nil {
		return r.proc.Start(ctx)
	}
	return r.startMini()
}

// Stop stops the server and waits until it is gone.
func (r *Redis) Stop() error {
	if r.proc != nil {
		return r.proc.Stop()
	}
	return r.Kill()
}

// Kill ends the server at once.
func (r *Redis) Kill() error {
	if r.proc != nil {
		return r.proc.Kill()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mini != nil {
		r.mini.Close()
		r.mini.FlushAll() // a server that keeps nothing on disk starts empty
	}
	return nil
}

// PID is the server's process; 0 when it is stopped or runs in this one.
func (r *Redis) PID() int {
	if r.proc == nil {
		return 0
	}
	return r.proc.PID()
}
