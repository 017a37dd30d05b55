// Package heartbeat tells the administrator which gateways and workers run, and in which version. Each process says so
// in Redis every 15 s, which is all that it costs; nothing depends on it.
package heartbeat

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/lifecycle"
	"leadgate/shared/rdb"
)

// Interval is how often a process says that it runs.
const Interval = 15 * time.Second

// Lost is how long a process has not said so when it is taken for dead.
const Lost = 3 * Interval

// Deps of Run.
type Deps struct {
	Redis         redis.UniversalClient
	Kind, Version string
	Conns         func() (open, most int) // to Postgres
	Log           *slog.Logger
}

// Host is the name of this machine or container; "unknown" where it has none.
func Host() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "unknown"
	}
	return host[:min(len(host), 100)]
}

// Run says that this process runs until group stops, and then that it has ended.
func Run(group *lifecycle.Group, d Deps) {
	p := rdb.Process{Kind: d.Kind, Version: d.Version, Host: Host(), PID: os.Getpid(), StartedAt: time.Now()}
	failed := func(ctx context.Context, what string, err error) {
		if err != nil && ctx.Err() == nil {
			d.Log.Debug(what, "error", err.Error()) // that Redis is away is said elsewhere
		}
	}
	loop := lifecycle.NewLoop(0, func(ctx context.Context) time.Duration {
		p.SeenAt = time.Now()
		p.DBConns, p.DBMax = d.Conns()
		failed(ctx, "heartbeat failed", rdb.Beat(ctx, d.Redis, p))
		return Interval
	})
	loop.Start()
	group.OnStop("heartbeat", func(ctx context.Context) error {
		loop.Stop()
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		failed(ctx, "heartbeat not ended", rdb.Leave(ctx, d.Redis, p))
		return nil
	})
}
