package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/rdb"
	"leadgate/shared/webhook"
)

// scenario is one way to break a system, and what must hold all the same.
type scenario struct {
	name, what string
	rules
	// half of the answers in the outage are at least so fast, beside twice what they took before; 0: no matter
	maxMedian time.Duration
	short     bool // one of those that CI runs

	gateways    int                  // 0: 1
	workers     int                  // 0: 1
	subscribers int                  // 0: 1
	hold        time.Duration        // a subscriber takes to answer
	batch       *client.WebhookBatch // how subscribers take several events in a request; nil: they do not
	volatile    bool                 // the stores keep nothing on disk that they could read at their next start
	freezes     bool                 // needs a Redis that is a process
	cluster     bool                 // Redis is a cluster
	sentinel    bool                 // or watched by a Sentinel
	pooled      bool                 // gateways and workers reach Postgres through pgbouncer, as a role with few rights
	standby     bool                 // Postgres has a synchronous standby
	unsafe      string               // a setting of Postgres that is off while its power is cut; "": none
	powerCuts   bool                 // of Postgres' machine the power can be cut
	upgrade     bool                 // the former version runs first
	stale       bool                 // backlogs of two tenants are worked on
	quiet       bool                 // nobody posts after the outage, so that no new lead wakes what was forgotten
	env         []string             // NAME=value, of the gateway and the workers
	maxPeak     int64                // bytes of memory that a process may have had; 0: no matter

	inject func(context.Context, *runner) error // breaks a system under load
	// nil; or what happens between the load and the check
	after func(context.Context, *runner) error
	// nil; or falls on a system that drains a backlog, instead of inject
	drain func(context.Context, *runner, *drained) error
	// nil; or falls on a system to which leads are posted under keys, instead of inject
	retry func(context.Context, *runner) error

	// nil; or it runs instead of all that, and nobody subscribes
	whole func(context.Context, *runner) (report string, err error)
}

// maxMedian is how long half of the answers may take while Redis is away: less than intake waits for it, so that most
// requests are seen not to wait.
const maxMedian = 200 * time.Millisecond

func scenarios() []scenario {
	return slices.Concat(loads(), topologies(), rewinds(), powers(), attacks(), drains(), retriesOf(), changes(), upgrades(), statistics(), submissions(),
		imports())
}

// shortScenarios are those that CI runs: together they need a minute, and each fault of the failure policy is in one of
// them.
func shortScenarios() []scenario {
	return slices.DeleteFunc(scenarios(), func(s scenario) bool { return !s.short })
}

// loads are the scenarios in which leads are being posted when something breaks.
func loads() []scenario {
	return []scenario{
		{name: "flush", what: "Redis is flushed five times under load",
			maxMedian: maxMedian, inject: flush},
		{name: "redis-stop", what: "Redis is killed and comes back with what it had on disk",
			maxMedian: maxMedian, inject: stopRedis},
		{name: "redis-lost",
			what:      "Redis is killed and comes back empty, without queues and reservations, when nobody posts any more",
			maxMedian: maxMedian, volatile: true, quiet: true, short: true, inject: stopRedis},
		{name: "redis-hang", what: "Redis takes connections and answers nothing",
			maxMedian: maxMedian, rules: rules{slowest: 2 * time.Second}, freezes: true, short: true, inject: freezeRedis},
		{name: "postgres-stop", what: "Postgres dies at once and is started again",
			maxMedian: maxMedian, rules: rules{unavailable: true, slowest: 10 * time.Second}, short: true, inject: stopPostgres},
		{name: "postgres-hang", what: "Postgres takes connections and answers nothing, for longer than an answer may take",
			rules: rules{unavailable: true, slowest: hang - 3*time.Second}, inject: freezePostgres},
		{name: "lock",
			what: fmt.Sprintf("another tenant holds an email in an open transaction, imports to %d endpoints, and posts "+
				"the emails of both", webhook.MaxEndpoints),
			maxMedian: maxMedian, rules: rules{slowest: time.Second}, short: true, inject: holdLocks},
		{name: "worker-kill", what: "the worker is killed in the middle of deliveries, and started again",
			hold: 20 * time.Millisecond, inject: killWorker},
		{name: "batched-worker-kill",
			what: "the worker is killed under load, while events wait for others to go in one request, and started again",
			hold: 20 * time.Millisecond, batch: &client.WebhookBatch{Max: 20, WaitMs: 200}, inject: killWorker},
		{name: "gateway-kill", what: "the gateway is killed three times under load, and started again",
			rules: rules{broken: true}, short: true, inject: killGateway},
		{name: "two-workers", what: "one of two workers is killed in the middle of deliveries; the other takes over",
			workers: 2, subscribers: 4, hold: 30 * time.Millisecond, short: true, inject: killOneWorker},
	}
}

func flush(ctx context.Context, run *runner) error {
	c, err := rdb.Open(run.RedisURL, rdb.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	const times = 5
	return run.during(func() error {
		for range times {
			if err := c.FlushAll(ctx).Err(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
			pause(ctx, run.outage/times)
		}
		return nil
	})
}

func stopRedis(ctx context.Context, run *runner) error {
	return run.during(func() error {
		run.Redis.Kill()
		pause(ctx, run.outage)
		if run.quiet {
			run.load.end()
		}
		return run.Redis.Start(ctx)
	})
}

func freezeRedis(ctx context.Context, run *runner) error {
	pid := run.Redis.PID()
	return run.during(func() error {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return fmt.Errorf("freeze Redis: %w", err)
		}
		pause(ctx, run.outage)
		return syscall.Kill(pid, syscall.SIGCONT)
	})
}

func stopPostgres(ctx context.Context, run *runner) error {
	return run.during(func() error {
		run.Postgres.Kill()
		pause(ctx, run.outage)
		return run.Postgres.Start(ctx)
	})
}

// hang is how long Postgres hangs at least: longer than an answer may take, so that waiting for its end does not pass
// for one.
const hang = 15 * time.Second

func freezePostgres(ctx context.Context, run *runner) error {
	return run.during(func() error {
		all, err := run.freeze(ctx, run.Postgres.PID())
		defer signalAll(all, syscall.SIGCONT)
		if err == nil {
			pause(ctx, max(hang, run.outage))
		}
		return err
	})
}

// freeze stops all processes of the Postgres that run.db is connected to, and returns those that it has stopped.
func (run *runner) freeze(ctx context.Context, postmaster int) (all []int, err error) {
	const backends = `select pid from pg_stat_activity order by pid = pg_backend_pid()` // the one that tells us last
	// there is a connection, for no new one can be made once the first is frozen
	if err := run.db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("freeze Postgres: %w", err)
	}
	pids := []int{postmaster}
	for n := 0; n < len(pids); n++ {
		// One that has just ended is a zombie of the frozen postmaster; it can be signalled.
		if err := syscall.Kill(pids[n], syscall.SIGSTOP); err != nil {
			return all, fmt.Errorf("freeze Postgres: %w", err)
		}
		all = append(all, pids[n])
		if n > 0 {
			continue
		}
		var sessions []int
		if err := run.db.SelectContext(ctx, &sessions, backends); err != nil {
			return all, fmt.Errorf("freeze Postgres: %w", err)
		}
		pids = append(pids, sessions...)
	}
	return all, nil
}

func signalAll(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		syscall.Kill(pid, sig)
	}
}

// awaitDeliveries waits until webhooks are arriving: the fault is to fall in the middle of it.
func (run *runner) awaitDeliveries(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	for _, r := range run.receivers {
		if !r.WaitFor(ctx, 20) {
			return fmt.Errorf("no webhooks before the fault")
		}
	}
	return nil
}

func killWorker(ctx context.Context, run *runner) error {
	if err := run.awaitDeliveries(ctx); err != nil {
		return err
	}
	return run.during(func() error {
		run.Workers()[0].Kill()
		pause(ctx, run.outage/5)
		return run.Workers()[0].Start(ctx)
	})
}

// killOneWorker kills the worker that sends, and leaves it dead.
func killOneWorker(ctx context.Context, run *runner) error {
	if err := run.awaitDeliveries(ctx); err != nil {
		return err
	}
	victim := run.Workers()[0]
	if other := run.Workers()[1]; run.parts.attempted(other.Name).After(run.parts.attempted(victim.Name)) {
		victim = other
	}
	return run.during(func() error {
		victim.Kill()
		return nil
	})
}

// killGateway kills it three times, and starts it again at once.
func killGateway(ctx context.Context, run *runner) error {
	const times = 3
	return run.during(func() error {
		for range times {
			run.Gateway().Kill()
			if err := run.Gateway().Start(ctx); err != nil {
				return err
			}
			pause(ctx, run.outage/times)
		}
		return nil
	})
}
