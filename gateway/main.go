// Command gateway takes leads in: it accepts a request, makes it durable and answers. Its other commands set tenants
// up.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/admin"
	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/books"
	"leadgate/gateway/internal/console"
	"leadgate/gateway/internal/failures"
	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/idempotency"
	"leadgate/gateway/internal/intake"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/config"
	"leadgate/shared/heartbeat"
	"leadgate/shared/id"
	"leadgate/shared/lifecycle"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
	"leadgate/shared/telemetry"
	"leadgate/shared/version"
	"leadgate/shared/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(config.Exit(os.Stderr, "gateway", run(ctx, os.Args[1:], os.Getenv, os.Stdout)))
}

// run is the gateway's life, or that of one of its other commands.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if isClient(args) { // a client has no stores, and no settings of theirs
		return runClient(ctx, args, getenv, stdout, version.String())
	}
	var c cli
	cmd, ok, err := config.Parse(&c, "gateway", about, config.Source{Args: args, Getenv: getenv, Stdout: stdout,
		Version: version.String()})
	if !ok || err != nil {
		return err
	}
	if cmd.Command() != "serve" {
		return operate(ctx, cmd, &c, stdout)
	}
	lifecycle.OutliveHangups()
	return takeIn(ctx, &c, getenv, stdout)
}

// takeIn receives leads until ctx ends. Its goroutines:
//
//	client --> api server, one per request --> auth --> admission workers --> Redis: rate limit, reservation
//	                                            |   \-> commit workers --> Postgres: lead, event, deliveries
//	                                            |                     \--> Redis: mark committed, wake workers
//	                                            +--> tickers: last-used times, books --> Postgres
//	operator --> admin server: tenants --> Postgres; queues, metrics --> Redis
//
// SIGTERM ends ctx: the gateway is not ready any more, and serves for DrainDelay what still comes. Then a stop goes
// backwards: no new requests, those under way end, idempotency and intake write what they hold, then books
// and auth write what they counted, then the stores close.
func takeIn(ctx context.Context, c *cli, getenv func(string) string, stdout io.Writer) error {
	s := &c.Serve
	log, level, flush, err := telemetry.Logger(stdout, "gateway", c.LogLevel.Text)
	if err != nil {
		return err
	}
	defer flush()
	log.Info("starting", "version", version.String())
	rdb.LogTo(log)
	registry := telemetry.Registry()
	memory := lifecycle.Memory(int64(s.MemoryBudget), getenv, log, registry)
	var group lifecycle.Group
	defer group.Stop(log, s.Grace) // of what had started when a later part could not
	tracer := lifecycle.Traces(&group, log, s.collector(), "leadgate-gateway")
	db, redis, heart, err := openStores(ctx, &group, log, level, c)
	if err != nil {
		return err
	}
	registry.MustRegister(collectors.NewDBStatsCollector(db.DB.DB, "postgres"))
	keys := auth.New(auth.Deps{DB: db, Contact: s.Contact, Now: time.Now, Log: log})
	counts := countUses(&group, s, keys, books.Deps{DB: db, Now: time.Now, Log: log, Registry: registry})
	waker := task.NewWaker(redis)
	leads := intake.New(intake.Deps{DB: db, Redis: redis, Waker: waker, Log: log, Registry: registry, Now: time.Now,
		Books: counts})
	group.OnStop("intake", func(context.Context) error { leads.Stop(); return nil })
	keyed := idempotency.New(db, log)
	group.OnStop("idempotency", func(context.Context) error { keyed.Stop(); return nil })

	listeners, err := listen(s.Listen, s.AdminListen)
	if err != nil {
		return err
	}
	failed := failures.Run(&group, redis, log)
	edge := func(listener string, memory *limit.Budget[id.UUID]) *httpx.Edge {
		return httpx.New(httpx.Deps{Log: log, Registry: registry, AccessLog: s.AccessLog, Listener: listener,
			Memory: memory, Tracer: tracer, Failed: failed.Record})
	}
	ready, drained := newReadiness(db.Ready, time.Now, ctx.Done()), lifecycle.Drain(ctx, s.DrainDelay, log)
	proxies, _ := s.trusted() // Check has read it
	forms := form.New(form.Deps{
		Auth: keys, Intake: leads, Once: keyed, Redis: redis, Log: log, Registry: registry, Books: counts, Now: time.Now,
		Trusted: proxies, CaptchaURL: s.CaptchaURL, Secret: db.InstallationSecret,
	})
	public := api.New(api.Deps{
		DB: db, Auth: keys, Intake: leads, Idempotency: keyed, Forms: forms, Waker: waker, Edge: edge("api", memory),
		Now: time.Now, WebhookURL: webhookURL(s), Ready: ready.check, Books: counts, BatchMemory: memory.Usage().Total,
		Registry: registry, PublicURL: s.publicURL(), ReadOnly: s.ReadOnly})
	serve(&group, log, "admin", listeners[1], s.Grace, admin.New(admin.Deps{
		DB: db, API: public, Redis: redis, Token: s.AdminToken, Edge: edge("admin", nil), Failures: failed,
		Log: log, QueuesWritable: s.QueuesWritable, ReadOnly: s.ReadOnly, PostgresDisk: int64(s.PostgresDisk),
		Registry: registry, Ready: ready.postgres, Stopping: ctx.Done(), Now: time.Now,
		Speaks:  func() bool { return !s.ReadOnly && heart.Speaks() },
		APIAddr: listeners[0].Addr().String(), Trusted: proxies, PublicURL: s.publicURL(), Exemplars: tracer != nil,
	}))
	owner := console.New(console.Deps{API: public, Auth: keys, Tenants: tenants.Service{DB: db, Now: time.Now},
		Pulse: db.Pulse, Edge: edge("console", memory), Strangers: forms, Trusted: proxies, PublicURL: s.publicURL(),
		ReadOnly: s.ReadOnly, Now: time.Now, Log: log, Stopping: drained.Done()})
	serve(&group, log, "api", listeners[0], s.Grace, parting(ctx, console.Beside(public, owner)))
	return group.Wait(drained, log, s.Grace)
}

// countUses has uses of keys, and what leaves no row, written to Postgres from time to time; nil where nothing is
// written.
func countUses(group *lifecycle.Group, s *settings, keys *auth.Auth, d books.Deps) *books.Counter {
	if s.ReadOnly {
		return nil
	}
	keys.Start()
	group.OnStop("auth", keys.Stop)
	counts := books.New(d)
	counts.Start()
	group.OnStop("books", counts.Stop)
	return counts
}

// openStores connects to Postgres, which must be there, and to Redis, which need not; the group closes both.
func openStores(ctx context.Context, group *lifecycle.Group, log *slog.Logger, level *slog.LevelVar, c *cli) (*pg.DB,
	redis.UniversalClient, *heartbeat.Heartbeat, error) {
	db, err := pg.Open(c.DatabaseURL.Reveal(), pg.Options{MaxConns: c.DBConns, StatementTimeout: 5 * time.Second,
		LockTimeout: 500 * time.Millisecond, MaxLifetime: c.ConnLife, Application: "leadgate gateway",
		Current: c.DatabaseURL.Current, ReadOnly: c.Serve.ReadOnly})
	if err != nil {
		return nil, nil, nil, err
	}
	group.OnStop("postgres", func(context.Context) error { return db.Close() })
	opt := pg.StartOptions{Migrate: c.Serve.Migrate, AllowUnsafe: c.Serve.AllowUnsafe, Secrets: c.secrets(),
		ReadOnly: c.Serve.ReadOnly}
	if err := db.Start(ctx, log, opt); err != nil {
		return nil, nil, nil, err
	}
	if err := db.CheckSecrets(ctx, log); err != nil {
		return nil, nil, nil, err
	}
	lifecycle.Reload(group, log, lifecycle.Level(c.LogLevel, level),
		&lifecycle.Setting{Name: "LEADGATE_SECRET_KEYS", Of: c.SecretKeys, Change: db.UseSecrets(ctx, log)})
	breaker := rdb.Breaker{Log: log, Fallback: "duplicates by Postgres, rate limits in process"}
	client, err := rdb.Open(c.Serve.RedisURL.Reveal(), rdb.Options{TLS: c.Serve.redisTLS(), Breaker: &breaker,
		Current: c.Serve.RedisURL.Current})
	if err != nil {
		return nil, nil, nil, err
	}
	group.OnStop("redis", func(context.Context) error { return client.Close() })
	rdb.LogState(ctx, log, client, breaker.Fallback)
	kind := "gateway"
	if c.Serve.ReadOnly {
		kind = "reader" // which no gateway waits for to tell what is the same whoever tells it
	}
	heart := heartbeat.Run(group, heartbeat.Deps{Redis: client, Kind: kind, Version: version.String(),
		Conns: db.Conns, Log: log})
	return db, client, heart, nil
}

func webhookURL(s *settings) func(string) string {
	allow, _ := webhook.ParseAllow(s.AllowCIDRs, s.AllowHTTP) // Check has read it
	return func(raw string) string { return webhook.CheckURL(raw, allow) }
}

// listen opens all addresses or none.
func listen(addresses ...string) (all []net.Listener, err error) {
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, opened := range all {
				opened.Close()
			}
			return nil, fmt.Errorf("listen: %w", err)
		}
		all = append(all, l)
	}
	return all, nil
}

// parting has clients close their connections with the next answer once ctx has ended, so that none sends a request at
// the moment in which its connection is closed.
func parting(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// serve runs a server as a part of group and says where it listens.
func serve(group *lifecycle.Group, log *slog.Logger, name string, l net.Listener, grace time.Duration, h http.Handler) {
	s := &http.Server{
		Handler: h, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute,
	}
	group.OnStop(name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, grace*3/4) // the rest is for writing what was taken in
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
		return nil
	})
	group.Go(name, func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	log.Info("listening", "listener", name, "addr", l.Addr().String())
}
