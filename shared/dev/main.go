// Command dev runs all of leadgate on this machine with one command: go run ./shared/dev.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	rdb.LogTo(slog.New(slog.DiscardHandler)) // what it would say on the screen comes back as an error as well
	context.AfterFunc(ctx, stop)             // a second Ctrl-C ends us at once, and the children with us
	signal.Ignore(syscall.SIGTTIN)           // in the background nobody presses Enter, and reading it must not stop us
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout), os.Stderr))
}

// errUsage is a mistake on the command line; flag has printed what it is.
var errUsage = errors.New("usage")

func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(stderr, "dev: "+err.Error())
	return 1
}

// run is one dev session in a directory that nobody else uses meanwhile:
//
//	DIR/lock        held while it runs
//	DIR/env         where everything is, while it is ready
//	DIR/stores      the URLs of the private stores of this and earlier sessions
//	DIR/bin         gateway and worker
//	DIR/log         what the stores say
//	DIR/data        the stores' data, the demo tenant and its receiver; with -ephemeral DIR/ephemeral, removed at the end
func run(
	ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout io.Writer,
) (err error) {
	set, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(set.dir, 0o755); err != nil {
		return err
	}
	release, err := set.lock()
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := withParent(ctx)
	defer cancel()
	con := newConsole(stdout, getenv)
	stores, err := set.findStores(ctx, getenv, con)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := set.clear(stores); err != nil {
		return err
	}
	if err := set.resolve(); err != nil {
		return err
	}
	logs, err := openLogs(set.dir)
	if err != nil {
		return err
	}
	defer logs.close()

	opt := set.options(getenv, stores)
	con.takes(&opt, logs)
	if set.ephemeral {
		defer func() { err = errors.Join(err, devstack.Remove(set.dataDir())) }()
	}
	hooks, err := openReceiver(set.dataDir(), set.receiver, con)
	if err != nil {
		return err
	}
	defer hooks.close() // after the workers, which may be sending to it
	sys, err := devstack.Start(ctx, opt)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it was ready
		}
		return err
	}
	defer func() {
		con.say("stopping")
		err = errors.Join(err, sys.Stop())
	}()
	if err := set.remember(sys); err != nil {
		return err
	}
	if err := writeEnv(set.envFile(), sys); err != nil {
		return err
	}
	defer os.Remove(set.envFile())
	con.banner(sys, set.envFile(), firstLink(ctx, sys), hooks.subscribe(ctx, sys))
	go renewLinks(ctx, stdin, con, sys) // what is read ends with the process
	select {
	case <-ctx.Done():
		return nil
	case reason := <-sys.Exited():
		return reason
	}
}

// settings are the flags.
type settings struct {
	dir, listen, adminListen string
	workers                  int
	ephemeral, reset         bool
	receiver                 bool
}

func parse(args []string, stdout io.Writer) (s settings, err error) {
	f := flag.NewFlagSet("dev", flag.ContinueOnError)
	f.SetOutput(stdout)
	f.StringVar(&s.dir, "dir", ".dev", "keep everything in this `directory`")
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`host:port` of the API; port 0 takes a free one")
	f.StringVar(&s.adminListen, "admin-listen", "127.0.0.1:8081",
		"`host:port` of the admin listener; port 0 takes a free one")
	f.IntVar(&s.workers, "workers", 1, "how many worker processes")
	f.BoolVar(&s.ephemeral, "ephemeral", false, "start empty and throw the data away at the end; kept data is left alone")
	f.BoolVar(&s.receiver, "receiver", true,
		"take the webhooks about the demo workspace's leads and print them; -receiver=false: no endpoint of that kind")
	f.BoolVar(&s.reset, "reset", false, "throw the kept data of the private stores away first")
	f.Usage = func() {
		fmt.Fprintf(stdout, "Runs Postgres, Redis, the gateway and workers with a demo workspace; Ctrl-C stops them.\n"+
			"Uses the stores of DATABASE_URL and REDIS_URL where they are set, the Postgres in PG_BINDIR, and the Redis "+
			"that REDIS_SERVER names.\n\n")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = errUsage
		}
		return s, err
	}
	if f.NArg() > 0 || s.workers < 1 || s.workers > 100 {
		fmt.Fprintf(stdout, "want no arguments beside flags, and 1 to 100 workers\n")
		return s, errUsage
	}
	return s, nil
}

// lock keeps other sessions out of the directory until release is called.
func (s *settings) lock() (release func(), err error) {
	release, err = devstack.Lock(filepath.Join(s.dir, "lock"), false)
	if errors.Is(err, devstack.ErrLocked) {
		return nil, fmt.Errorf("leadgate runs in %s already, see %s: stop it there, or use another directory with -dir",
			s.dir, s.envFile())
	}
	return release, err
}

func (s *settings) envFile() string { return filepath.Join(s.dir, "env") }

func (s *settings) dataDir() string {
	if s.ephemeral {
		return filepath.Join(s.dir, "ephemeral")
	}
	return filepath.Join(s.dir, "data")
}

// clear removes what a killed session left, and on -reset the data of the private stores. The demo workspace is in
// Postgres: what is known of it stays with that.
func (s *settings) clear(stores givenStores) error {
	if err := os.Remove(s.envFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if s.reset {
		data := filepath.Join(s.dir, "data")
		var err error
		switch {
		case stores.database == "":
			err = devstack.Remove(data)
		case stores.redis == "":
			err = devstack.RemoveStore(data, "redis")
		}
		if err != nil {
			return err
		}
	}
	return devstack.Remove(filepath.Join(s.dir, "ephemeral"))
}

// resolve gives the listeners their ports.
func (s *settings) resolve() error {
	for _, l := range []struct {
		flag string
		at   *string
	}{{"-listen", &s.listen}, {"-admin-listen", &s.adminListen}} {
		at, err := devstack.Listen(*l.at)
		if errors.Is(err, devstack.ErrBusy) {
			return fmt.Errorf("%w: choose another address with %s, or a free port with %s 127.0.0.1:0", err, l.flag, l.flag)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.flag, err)
		}
		*l.at = at
	}
	return nil
}

func (s *settings) options(getenv func(string) string, stores givenStores) devstack.SystemOptions {
	return devstack.SystemOptions{
		Dir: s.dataDir(), Bin: filepath.Join(s.dir, "bin"), Build: true,
		Listen: s.listen, AdminListen: s.adminListen, Workers: s.workers, Durable: true,
		DatabaseURL: stores.database, RedisURL: stores.redis, Getenv: getenv, Env: queues(getenv),
	}
}

// queues lets the queue dashboard act: the machine is the developer's own. What the environment says holds.
func queues(getenv func(string) string) []string {
	if getenv("LEADGATE_QUEUES_WRITABLE") != "" || getenv("LEADGATE_QUEUES_WRITABLE_FILE") != "" {
		return nil
	}
	return []string{"LEADGATE_QUEUES_WRITABLE=true"}
}

// withParent ends the context when `go run` is gone: it does not pass signals on, and a kill of it would leave us
// running unseen.
func withParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if !startedByGoRun() {
		return ctx, cancel
	}
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(300 * time.Millisecond)
		defer tick.Stop()
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		cancel()
	}()
	return ctx, cancel
}
