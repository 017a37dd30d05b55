package devstack

import (
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

	"leadgate/shared/rdb"
)

// RedisOptions of StartRedis.
type RedisOptions struct {
	Dir       string      // holds the data of Persist; needed only then
	Port      int         // 0: a free one
	Persist   bool        // an append-only file; else the data ends with the server. Needs redis-server
	InProcess bool        // the stand-in even where there is a redis-server
	Log       io.Writer   // the server's log; nil: nowhere
	OnExit    func(error) // an end nobody asked for; nil: nobody is notified
}

// Kinds of Redis.
const (
	RedisServer = "redis-server"
	InProcess   = "in-process"
)

// Redis is a private server on 127.0.0.1: redis-server, or where that is missing miniredis in this process.
type Redis struct {
	port int
	proc *Process // nil: in process

	mu   sync.Mutex
	mini *miniredis.Miniredis // nil: redis-server
}

// StartRedis starts a server and returns when it answers PING.
func StartRedis(ctx context.Context, opt RedisOptions) (*Redis, error) {
	r := &Redis{port: opt.Port}
	bin := findRedis()
	if bin == "" || opt.InProcess {
		return r, r.startMini()
	}
	who := storeAccount()
	dir := "/"
	if opt.Persist {
		placed, err := who.makeReachable(opt.Dir)
		if err != nil {
			return nil, fmt.Errorf("redis directory: %w", err)
		}
		// The server's own directory is one below, so that what we made stays ours.
		dir = filepath.Join(placed, "data")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("redis directory: %w", err)
		}
		if err := who.chown(dir); err != nil {
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
		args := []string{"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no", "--save",
			"", "--maxmemory-policy", "noeviction"}
		if opt.Persist {
			args = append(args, "--appendonly", "yes")
		} else {
			args = append(args, "--appendonly", "no")
		}
		cmd := exec.Command(bin, args...)
		cmd.Dir = dir
		return cmd
	}
	return r, startOnFreePort(ctx, r.proc, &r.port)
}

func findRedis() string {
	for _, name := range []string{"redis-server", "/opt/homebrew/bin/redis-server", "/usr/local/bin/redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// ready is an INFO that names our own process: another server may have been quicker on the port.
func (r *Redis) ready(ctx context.Context, pid int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.addr()) // go-redis logs every refused connection
	if err != nil {
		return err
	}
	conn.Close()
	client, err := rdb.Open(r.URL(), rdb.Options{})
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

// URL is the connection URL.
func (r *Redis) URL() string { return "redis://" + r.addr() + "/0" }

func (r *Redis) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

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
