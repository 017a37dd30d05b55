// Package heartbeat tells the administrator which gateways and workers run, and in which version. Each process says so
// in Redis every 15 s, which is all that it costs; nothing depends on it.
package heartbeat

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"sync/atomic"
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

// Heartbeat is what a process knows of itself among the others.
type Heartbeat struct {
	speaks atomic.Bool
	next   bool // it was the first at the last beat; of the loop's goroutine only
}

// Speaks reports whether this process is the one of its kind that speaks for the installation: it tells what is the
// same whoever tells it, such as the backlog, so that sums over all processes are right. It is the one that has run
// longest. Where Redis does not answer, all stay what they were, and one that has just started speaks.
func (h *Heartbeat) Speaks() bool { return h.speaks.Load() }

// Run says that this process runs until group stops, and then that it has ended.
func Run(group *lifecycle.Group, d Deps) *Heartbeat {
	p := rdb.Process{Kind: d.Kind, Version: d.Version, Host: Host(), PID: os.Getpid(), StartedAt: time.Now()}
	failed := func(ctx context.Context, what string, err error) {
		if err != nil && ctx.Err() == nil {
			d.Log.Debug(what, "error", err.Error()) // that Redis is away is said elsewhere
		}
	}
	h := &Heartbeat{}
	h.speaks.Store(true)
	begun := false
	loop := lifecycle.NewLoop(0, func(ctx context.Context) time.Duration {
		p.SeenAt = time.Now()
		p.DBConns, p.DBMax = d.Conns()
		err := rdb.Beat(ctx, d.Redis, p)
		var all []rdb.Process
		if err == nil {
			all, err = rdb.Processes(ctx, d.Redis, p.SeenAt)
		}
		if err == nil {
			h.elect(isFirst(all, p), begun)
			begun = true
		}
		failed(ctx, "heartbeat failed", err)
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
	return h
}

// elect takes note of whether this process is the first. One that was not must be so twice: where Redis has lost all,
// the others have not said yet that they run.
func (h *Heartbeat) elect(first, begun bool) {
	h.speaks.Store(first && (h.speaks.Load() || h.next || !begun))
	h.next = first
}

// isFirst reports whether p is the one of its kind that has run longest, of those that were seen lately.
func isFirst(all []rdb.Process, p rdb.Process) bool {
	for _, other := range all {
		if other.Kind != p.Kind || p.SeenAt.Sub(other.SeenAt) > Lost {
			continue
		}
		if cmp.Or(other.StartedAt.Compare(p.StartedAt), cmp.Compare(other.Host, p.Host), cmp.Compare(other.PID, p.PID)) < 0 {
			return false
		}
	}
	return true
}
