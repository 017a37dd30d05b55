// Command worker does everything that follows the answer to a request: it delivers webhooks, enriches leads, runs
// imports and replays, and finds due work that was lost.
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

	"leadgate/shared/config"
	"leadgate/shared/heartbeat"
	"leadgate/shared/lead"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/secret"
	"leadgate/shared/task"
	"leadgate/shared/telemetry"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
	"leadgate/shared/version"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/enrich"
	"leadgate/worker/internal/notify"
	"leadgate/worker/internal/process"
	"leadgate/worker/internal/sender"
	"leadgate/worker/internal/upkeep"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(config.Exit(os.Stderr, "worker", run(ctx, os.Args[1:], os.Getenv, os.Stdout)))
}

// run starts the worker's parts and waits until they have stopped. Its goroutines:
//
//	ticker --sweep task--+
//	                     v
//	gateway --wake--> Redis --wait--> asynq server "upkeep"  --> sweep: chores            --wake--> Redis
//	                            +---> asynq server "enrich"  --> enrichment               --wake--> Redis
//	                            +---> asynq server "import"  --> import, one reader ahead --wake--> Redis
//	                            +---> asynq server "replay"  --> replay                   --wake--> Redis
//	                            +---> asynq server "webhook" --> drain, test --> MaxInFlight senders --> endpoint
//	                            +---> asynq server "failing" --> probe             \--> outcomes --> Postgres
//	ticker, if there is an operator hook --> notices due in Postgres --> hook
//	ops listener: /healthz /readyz /metrics /debug/pprof
//
// It stops in the reverse order: no new ticks, runs begin nothing more, servers wait for what is under way, connections
// close.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	var s settings
	if _, ok, err := config.Parse(&s, "worker", "Delivers leadgate's webhooks and enriches its leads.",
		config.Source{Args: args, Getenv: getenv, Stdout: stdout, Version: version.String()}); !ok || err != nil {
		return err
	}
	lifecycle.OutliveHangups()
	log, level, flush, err := telemetry.Logger(stdout, "worker", s.LogLevel.Text)
	if err != nil {
		return err
	}
	defer flush()
	log.Info("starting", "version", version.String())
	rdb.LogTo(log)
	registry := telemetry.Registry()
	memory := lifecycle.Memory(int64(s.MemoryBudget), getenv, log, registry)
	var group lifecycle.Group
	defer group.Stop(log, s.Grace) // stops what had started when a later part failed to

	tracer := lifecycle.Traces(&group, log, s.collector(), "leadgate-worker")
	db, err := openPostgres(ctx, &group, log, &s, tracer)
	if err != nil {
		return err
	}
	registry.MustRegister(collectors.NewDBStatsCollector(db.DB.DB, "postgres"))
	redis, err := rdb.Open(s.RedisURL.Reveal(), rdb.Options{Timeout: 3 * time.Second, PoolSize: 64, Retries: 1,
		TLS: s.redisTLS(), Current: s.RedisURL.Current})
	if err != nil {
		return err
	}
	group.OnStop("redis", func(context.Context) error { return redis.Close() })
	rdb.LogState(ctx, log, redis, "work waits in Postgres until it is back")
	listener, err := net.Listen("tcp", s.OpsListen)
	if err != nil {
		return fmt.Errorf("ops listener: %w", err)
	}
	ops := newOps(db, redis, registry, s.OpsToken, log)
	ops.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	group.OnStop("ops", ops.Shutdown)
	group.Go("ops", func() error { return serve(ops, listener) })

	lifecycle.Reload(&group, log, lifecycle.Level(s.LogLevel, level),
		&lifecycle.Setting{Name: "LEADGATE_SECRET_KEYS", Of: s.SecretKeys, Change: db.UseSecrets(ctx, log)})
	heart := heartbeat.Run(&group, heartbeat.Deps{Redis: redis, Kind: "worker", Version: version.String(),
		Conns: db.Conns, Log: log})
	waker, sender := task.NewWaker(redis), newSender(&s, &group)
	processor := process.New(process.Deps{
		DB: db, Redis: redis, Waker: waker, Send: sender.SendDue, Find: newFind(log),
		Schedule: webhook.DefaultSchedule(), DisableAfter: s.DisableAfter, AttemptLog: s.AttemptLog,
		Now: time.Now, Log: log, Metrics: registry, Memory: memory, Tracer: tracer,
	})
	keeper := upkeep.New(upkeep.Deps{DB: db, Redis: redis, Waker: waker, Every: s.Sweep, Retention: s.Retention,
		SubmissionRetention: s.SubmissionRetention,
		Now:                 time.Now, Log: log, Metrics: registry, Speaks: heart.Speaks})
	queues := newServers(redis, &s, log, registry)
	if err := queues.start(processor.Handler(keeper.Sweep)); err != nil {
		return err
	}
	group.OnStop("queues", queues.stop)
	group.OnStop("runs", func(context.Context) error { processor.Stop(s.Grace * 3 / 4); return nil })
	keeper.Start()
	group.OnStop("sweeps", func(context.Context) error { keeper.Stop(); return nil })
	if url := s.OperatorHook.Reveal(); url != "" {
		operator := notify.New(notify.Deps{DB: db, Send: sender.Send, URL: url, Secret: s.OperatorHookSecret.Reveal(),
			Log: log})
		operator.Start()
		group.OnStop("operator hook", func(context.Context) error { operator.Stop(); return nil })
	}
	log.Info("working", "ops", listener.Addr().String(), "drains", s.Drains, "enrichers", s.Enrichers)
	return group.Wait(ctx, log, s.Grace)
}

// openPostgres connects to Postgres, which must be there; the group closes it.
func openPostgres(ctx context.Context, group *lifecycle.Group, log *slog.Logger, s *settings,
	tracer *trace.Tracer) (*pg.DB, error) {
	db, err := pg.Open(s.DatabaseURL.Reveal(), pg.Options{MaxConns: s.DBConns, MaxLifetime: s.ConnLife,
		Application: "leadgate worker", Current: s.DatabaseURL.Current})
	if err != nil {
		return nil, err
	}
	group.OnStop("postgres", func(context.Context) error { return db.Close() })
	secrets, _ := secret.Parse(s.SecretKeys.Reveal()) // Check has reported its errors
	opt := pg.StartOptions{Migrate: s.Migrate, AllowUnsafe: s.AllowUnsafe, Secrets: secrets, Tracer: tracer}
	if err := db.Start(ctx, log, opt); err != nil {
		return nil, err
	}
	return db, db.CheckSecrets(ctx, log)
}

func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newSender(s *settings, group *lifecycle.Group) *sender.Sender {
	allow, _ := webhook.ParseAllow(s.AllowCIDRs, s.AllowHTTP) // Check has reported its errors
	sender := sender.New(sender.Deps{Allow: allow, Parallel: webhook.MaxInFlight, Now: time.Now})
	group.OnStop("sender", func(context.Context) error { sender.Close(); return nil })
	return sender
}

// lookupTime is how long one provider may take for one lead. The built-in ones need microseconds.
const lookupTime = 2 * time.Second

// newFind returns what process asks for facts about leads. A provider's error may quote the lead, so only its name is
// logged.
func newFind(log *slog.Logger) func(context.Context, tenant.Settings, []lead.Lead) []pg.Finding {
	pipeline := enrich.New(lookupTime)
	pipeline.Failed = func(provider string, _ error) { log.Warn("enrichment provider failed", "provider", provider) }
	return func(ctx context.Context, s tenant.Settings, leads []lead.Lead) []pg.Finding {
		out := make([]pg.Finding, len(leads))
		for i, f := range pipeline.Find(ctx, s, leads) {
			out[i] = pg.Finding(f)
		}
		return out
	}
}
