package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"leadgate/shared/rdb"
)

// scenario is one way to break a system, and what must hold all the same.
type scenario struct {
	name, what string
	rules
	brisk time.Duration // half of the answers in the outage are at least so fast; 0: no matter

	workers     int           // 0: 1
	subscribers int           // 0: 1
	hold        time.Duration // a subscriber takes to answer
	forgetful   bool          // the stores keep nothing on disk that they could read at their next start
	freezes     bool          // needs a Redis that is a process
	quiet       bool          // nobody posts after the outage, so that no new lead wakes what was forgotten

	blow  func(context.Context, *trial) error           // falls on a system under load
	drain func(context.Context, *trial, *drained) error // nil; or falls on a system that drains a backlog, instead of blow
	retry func(context.Context, *trial) error           // nil; or falls on a system to which leads are posted under keys, instead of blow

	imports func(context.Context, *trial) (report string, err error) // nil; or it is played instead of all that, and nobody subscribes
}

func scenarios() []scenario { return slices.Concat(loads(), drains(), retriesOf(), imports()) }

// loads are the scenarios in which leads are being posted when something breaks.
func loads() []scenario {
	return []scenario{
		{name: "flush", what: "Redis is flushed five times under load",
			brisk: 100 * time.Millisecond, blow: flush},
		{name: "redis-stop", what: "Redis is killed and comes back with what it had on disk",
			brisk: 100 * time.Millisecond, blow: stopRedis},
		{name: "redis-lost", what: "Redis is killed and comes back empty, without queues and reservations, when nobody posts any more",
			brisk: 100 * time.Millisecond, forgetful: true, quiet: true, blow: stopRedis},
		{name: "redis-hang", what: "Redis takes connections and answers nothing",
			brisk: 100 * time.Millisecond, rules: rules{slowest: 2 * time.Second}, freezes: true, blow: freezeRedis},
		{name: "postgres-stop", what: "Postgres dies at once and is started again",
			brisk: 100 * time.Millisecond, rules: rules{unavailable: true, slowest: 10 * time.Second}, blow: stopPostgres},
		{name: "postgres-hang", what: "Postgres takes connections and answers nothing, for longer than an answer may take",
			rules: rules{unavailable: true, slowest: hang - 3*time.Second}, blow: freezePostgres},
		{name: "worker-kill", what: "the worker is killed in the middle of deliveries, and started again",
			hold: 20 * time.Millisecond, blow: killWorker},
		{name: "gateway-kill", what: "the gateway is killed three times under load, and started again",
			rules: rules{broken: true}, blow: killGateway},
		{name: "two-workers", what: "one of two workers is killed in the middle of deliveries; the other takes over",
			workers: 2, subscribers: 4, hold: 30 * time.Millisecond, blow: killOneWorker},
	}
}

func flush(ctx context.Context, t *trial) error {
	c, err := rdb.Open(t.RedisURL, rdb.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	const times = 5
	return t.during(func() error {
		for range times {
			if err := c.FlushAll(ctx).Err(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
			pause(ctx, t.outage/times)
		}
		return nil
	})
}

func stopRedis(ctx context.Context, t *trial) error {
	return t.during(func() error {
		t.Redis.Kill()
		pause(ctx, t.outage)
		if t.quiet {
			t.load.end()
		}
		return t.Redis.Start(ctx)
	})
}

func freezeRedis(ctx context.Context, t *trial) error {
	pid := t.Redis.PID()
	return t.during(func() error {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return fmt.Errorf("freeze Redis: %w", err)
		}
		pause(ctx, t.outage)
		return syscall.Kill(pid, syscall.SIGCONT)
	})
}

func stopPostgres(ctx context.Context, t *trial) error {
	return t.during(func() error {
		t.Postgres.Kill()
		pause(ctx, t.outage)
		return t.Postgres.Start(ctx)
	})
}

// hang is how long Postgres hangs at least: longer than an answer may take, so that waiting for its end does not pass for one.
const hang = 15 * time.Second

func freezePostgres(ctx context.Context, t *trial) error {
	const backends = `select pid from pg_stat_activity order by pid = pg_backend_pid()` // the one that tells us last
	var pids []int
	if err := t.db.PingContext(ctx); err != nil { // there is a connection, for no new one can be made once the first is frozen
		return fmt.Errorf("freeze Postgres: %w", err)
	}
	return t.during(func() error {
		all := []int{t.Postgres.PID()}
		defer func() {
			for _, pid := range all {
				syscall.Kill(pid, syscall.SIGCONT)
			}
		}()
		if err := syscall.Kill(all[0], syscall.SIGSTOP); err != nil {
			return fmt.Errorf("freeze Postgres: %w", err)
		}
		if err := t.db.SelectContext(ctx, &pids, backends); err != nil {
			return fmt.Errorf("freeze Postgres: %w", err)
		}
		for _, pid := range pids {
			// One that has just ended is a zombie of the frozen postmaster; it can be signalled.
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				return fmt.Errorf("freeze Postgres: %w", err)
			}
			all = append(all, pid)
		}
		pause(ctx, max(hang, t.outage))
		return nil
	})
}

// busy waits until the subscribers are being told: the blow is to fall in the middle of it.
func (t *trial) busy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	for _, r := range t.receivers {
		if !r.WaitFor(ctx, 20) {
			return fmt.Errorf("no webhooks before the blow")
		}
	}
	return nil
}

func killWorker(ctx context.Context, t *trial) error {
	if err := t.busy(ctx); err != nil {
		return err
	}
	return t.during(func() error {
		t.Workers()[0].Kill()
		pause(ctx, t.outage/5)
		return t.Workers()[0].Start(ctx)
	})
}

// killOneWorker kills the worker that sends, and leaves it dead.
func killOneWorker(ctx context.Context, t *trial) error {
	if err := t.busy(ctx); err != nil {
		return err
	}
	victim := t.Workers()[0]
	if other := t.Workers()[1]; t.said.attempted(other.Name).After(t.said.attempted(victim.Name)) {
		victim = other
	}
	return t.during(func() error {
		victim.Kill()
		return nil
	})
}

// killGateway kills it three times, and starts it again at once.
func killGateway(ctx context.Context, t *trial) error {
	const times = 3
	return t.during(func() error {
		for range times {
			t.Gateway().Kill()
			if err := t.Gateway().Start(ctx); err != nil {
				return err
			}
			pause(ctx, t.outage/times)
		}
		return nil
	})
}
