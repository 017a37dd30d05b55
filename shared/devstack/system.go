package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/pg"
	"leadgate/shared/secret"
)

// SystemOptions of Start.
type SystemOptions struct {
	// keeps the stores' data and the demo tenant; "": a temporary one that Stop removes
	Dir         string
	Root        string                      // where Procfile and go.mod are; "": Root()
	Bin         string                      // where the programs are, see Build; "": they are built into Dir/bin
	Build       bool                        // build them into Bin first
	Listen      string                      // the API; "": a free port on 127.0.0.1
	AdminListen string                      // likewise
	Gateways    int                         // 0: 1; the first one listens where Listen and AdminListen say
	Workers     int                         // 0: 1
	Durable     bool                        // stores that survive the machine's crash; else fast ones
	PowerCuts   bool                        // the power of the private Postgres can be cut
	CitusNodes  int                         // the private Postgres is a Citus cluster of so many nodes and a coordinator; 0: it is none
	InProcess   bool                        // miniredis even where there is a redis-server
	Other       bool                        // Root is another version's: its own gateway migrates the database
	DatabaseURL string                      // used instead of a private Postgres
	RedisURL    string                      // used instead of a private Redis
	Env         []string                    // NAME=value, more of it for gateway and workers
	Getenv      func(string) string         // PG_BINDIR, REDIS_SERVER; nil: looks in the usual places only
	Output      func(name string) io.Writer // where a part's lines go; nil: nowhere
	Say         func(what string)           // gets what takes a while, one thing at a time; nil: nobody is notified
}

// System is a whole leadgate on this machine: stores, gateway, workers and a demo tenant.
//
//	Postgres, Redis   <- worker, worker ...  <- gateway        started from left to right, stopped from right to left
type System struct {
	URL, AdminURL, AdminToken   string
	SecretKeys                  string   // LEADGATE_SECRET_KEYS
	URLs                        []string // of all gateways; the first is URL
	WorkerURL                   string   // of the first worker's metrics and profiles
	MetricsURLs                 []string // of all gateways and workers
	WorkspaceID, ChatbotID, Key string   // the demo tenant; Key has the default scopes
	DatabaseURL, RedisURL       string

	Postgres *Postgres // nil: not ours
	Citus    *Citus    // whose coordinator Postgres is; nil: there is none
	Redis    *Redis    // nil: not ours

	opt       SystemOptions
	saying    sync.Mutex
	temporary string     // "": Dir is the caller's
	procs     []*Process // in the order of Procfile, which is the order in which they stop
	gateways  []*Process
	workers   []*Process
	exited    chan error
	stop      sync.Once
	stopErr   error
}

// Start starts a system and returns when all of it is ready.
func Start(ctx context.Context, opt SystemOptions) (*System, error) {
	s := &System{opt: opt, exited: make(chan error, 1), DatabaseURL: opt.DatabaseURL, RedisURL: opt.RedisURL}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *System) start(ctx context.Context) (err error) {
	if s.opt.Root == "" {
		if s.opt.Root, err = Root(); err != nil {
			return err
		}
	}
	entries, err := readProcfile(filepath.Join(s.opt.Root, "Procfile"))
	if err != nil {
		return err
	}
	if s.opt.Dir == "" {
		if s.temporary, err = TempDir("leadgate-"); err != nil {
			return err
		}
		s.opt.Dir = s.temporary
	}
	if s.opt.Dir, err = filepath.Abs(s.opt.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.opt.Dir, 0o755); err != nil {
		return err
	}
	for _, listen := range []*string{&s.opt.Listen, &s.opt.AdminListen} {
		if *listen == "" {
			*listen = "127.0.0.1:0"
		}
		if *listen, err = Listen(*listen); err != nil {
			return err
		}
	}
	s.URL, s.AdminURL = clientURL(s.opt.Listen), clientURL(s.opt.AdminListen)

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.build(gctx) })
	g.Go(func() error { return s.startPostgres(gctx) })
	g.Go(func() error { return s.startRedis(gctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := s.makeTenant(ctx); err != nil {
		return err
	}
	return s.startProcesses(ctx, entries)
}

func (s *System) say(format string, args ...any) {
	if s.opt.Say != nil {
		s.saying.Lock() // parts start side by side
		defer s.saying.Unlock()
		s.opt.Say(fmt.Sprintf(format, args...))
	}
}

func (s *System) output(name string) io.Writer {
	if s.opt.Output == nil {
		return nil
	}
	return s.opt.Output(name)
}

// onExit reports an end nobody asked for; the first is enough.
func (s *System) onExit(err error) {
	select {
	case s.exited <- err:
	default:
	}
}

func (s *System) build(ctx context.Context) error {
	var err error
	if s.opt.Bin == "" {
		s.opt.Bin, s.opt.Build = filepath.Join(s.opt.Dir, "bin"), true
	}
	if s.opt.Bin, err = filepath.Abs(s.opt.Bin); err != nil || !s.opt.Build {
		return err
	}
	s.say("building gateway and worker")
	return Build(ctx, s.opt.Root, s.opt.Bin)
}

func (s *System) startPostgres(ctx context.Context) (err error) {
	if s.DatabaseURL != "" {
		return nil
	}
	s.say("starting Postgres")
	opt := PostgresOptions{Dir: filepath.Join(s.opt.Dir, "postgres"), Durable: s.opt.Durable,
		PowerCuts: s.opt.PowerCuts, Log: s.output("postgres"), Getenv: s.opt.Getenv, OnExit: s.onExit}
	if s.opt.CitusNodes > 0 {
		return s.startCitus(ctx, opt)
	}
	if s.Postgres, err = StartPostgres(ctx, opt); err != nil {
		return err
	}
	s.DatabaseURL = s.Postgres.URL("leadgate")
	return s.Postgres.EnsureDatabase(ctx, "leadgate")
}

func (s *System) startRedis(ctx context.Context) (err error) {
	if s.RedisURL != "" {
		return nil
	}
	s.Redis, err = StartRedis(ctx, RedisOptions{Dir: filepath.Join(s.opt.Dir, "redis"), Persist: s.opt.Durable,
		InProcess: s.opt.InProcess, Log: s.output("redis"), Getenv: s.opt.Getenv, OnExit: s.onExit})
	if err != nil {
		return err
	}
	if s.Redis.Kind() == InProcess {
		s.say("no redis-server here: using an in-process stand-in, which is slower and keeps nothing")
	}
	s.RedisURL = s.Redis.URL()
	return nil
}

// mayBeUnsafe reports whether Postgres may lose what it has committed: ours when it is to be fast, and one that is
// given as its owner likes.
func (s *System) mayBeUnsafe() bool { return !s.opt.Durable || s.opt.DatabaseURL != "" }

func (s *System) makeTenant(ctx context.Context) error {
	db, err := pg.Open(s.DatabaseURL, pg.Options{MaxConns: 4, StatementTimeout: time.Minute, Application: "leadgate-dev"})
	if err != nil {
		return err
	}
	defer db.Close()
	if s.SecretKeys, err = openSecretKeys(s.opt.Dir); err != nil {
		return err
	}
	keys, err := secret.Parse(s.SecretKeys)
	if err != nil {
		return err
	}
	if s.opt.Other {
		err = s.migrate(ctx)
	} else {
		opt := pg.StartOptions{Migrate: true, AllowUnsafe: s.mayBeUnsafe(), Secrets: keys}
		err = db.Start(ctx, slog.New(slog.DiscardHandler), opt)
	}
	if err == nil && s.Citus != nil {
		_, err = db.Distribute(ctx, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		return err
	}
	d, err := openDemo(ctx, db, s.opt.Dir, time.Now())
	s.AdminToken, s.WorkspaceID, s.ChatbotID, s.Key = d.AdminToken, d.WorkspaceID, d.ChatbotID, d.Key
	return err
}

// startProcesses starts what Procfile names, last to first, so that the door opens when everything behind it is there.
func (s *System) startProcesses(ctx context.Context, entries []entry) error {
	for _, e := range entries {
		count := 1
		switch e.name {
		case "gateway":
			count = max(1, s.opt.Gateways)
		case "worker":
			count = max(1, s.opt.Workers)
		}
		for n := range count {
			name := e.name
			if count > 1 {
				name = fmt.Sprintf("%s.%d", e.name, n+1)
			}
			p, err := s.process(e, name)
			if err != nil {
				return err
			}
			s.procs = append(s.procs, p)
			switch e.name {
			case "gateway":
				s.gateways = append(s.gateways, p)
			case "worker":
				s.workers = append(s.workers, p)
			}
		}
	}
	s.say("starting gateway and worker")
	for _, p := range slices.Backward(s.procs) {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) process(e entry, name string) (*Process, error) {
	env := []string{"DATABASE_URL=" + s.DatabaseURL, "REDIS_URL=" + s.RedisURL,
		// A developer's webhook receiver is on this machine and has no certificate.
		"LEADGATE_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8,::1/128", "LEADGATE_WEBHOOK_ALLOW_HTTP=true",
		fmt.Sprintf("LEADGATE_ALLOW_UNSAFE_POSTGRES=%v", s.mayBeUnsafe()), "LEADGATE_SECRET_KEYS=" + s.SecretKeys}
	listen, ops := s.opt.Listen, s.opt.AdminListen
	if e.name != "gateway" || len(s.gateways) > 0 {
		var err error
		for _, addr := range []*string{&listen, &ops} {
			if *addr, err = Listen("127.0.0.1:0"); err != nil {
				return nil, err
			}
		}
	}
	ready := clientURL(ops) + "/readyz"
	s.MetricsURLs = append(s.MetricsURLs, clientURL(ops)+"/metrics")
	if e.name == "gateway" {
		s.URLs = append(s.URLs, clientURL(listen))
		env = append(env, "LEADGATE_LISTEN="+listen, "LEADGATE_ADMIN_LISTEN="+ops, "LEADGATE_ADMIN_TOKEN="+s.AdminToken)
	} else {
		s.WorkerURL = cmp.Or(s.WorkerURL, clientURL(ops))
		env = append(env, "LEADGATE_WORKER_LISTEN="+ops, "LEADGATE_WORKER_TOKEN="+s.AdminToken)
	}
	for _, v := range slices.Concat(env, s.opt.Env) { // what our own environment names as a file must not contradict it
		variable, _, _ := strings.Cut(v, "=")
		env = append(env, variable+"_FILE=")
	}
	p := &Process{Name: name, out: s.output(name), stopSignal: syscall.SIGTERM, killSignal: syscall.SIGKILL}
	p.ready = func(ctx context.Context, _ int) error { return checkOK(ctx, ready) }
	p.onExit = func(_ *Process, how error) { s.onExit(fmt.Errorf("%s %w", name, how)) }
	p.make = func() *exec.Cmd {
		cmd := exec.Command(s.Program(e.program()), e.args[1:]...)
		cmd.Dir = s.opt.Dir
		cmd.Env = slices.Concat(cmd.Environ(), env, s.opt.Env)
		return cmd
	}
	return p, nil
}

// Program returns the path of "gateway" or "worker".
func (s *System) Program(name string) string { return filepath.Join(s.opt.Bin, name) }

// Gateway is the first gateway's process.
func (s *System) Gateway() *Process { return s.gateways[0] }

// Workers are the workers' processes.
func (s *System) Workers() []*Process { return s.workers }

// Exited gives the first end of a part that nobody asked for.
func (s *System) Exited() <-chan error { return s.exited }

// Stop stops everything, in the reverse order of the start, and waits. Called again, it returns what the first call
// did.
func (s *System) Stop() error {
	s.stop.Do(func() {
		var errs []error
		for _, p := range s.procs {
			errs = append(errs, p.Stop())
		}
		if s.Redis != nil {
			errs = append(errs, s.Redis.Stop())
		}
		if s.Citus != nil {
			errs = append(errs, s.Citus.stopNodes())
		}
		if s.Postgres != nil {
			errs = append(errs, s.Postgres.Stop())
		}
		if s.temporary != "" {
			errs = append(errs, Remove(s.temporary))
		}
		s.stopErr = errors.Join(errs...)
	})
	return s.stopErr
}
