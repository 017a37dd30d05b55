package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"leadgate/shared/devstack"
)

// topologies are the scenarios in which a store is several processes, of which one is lost.
func topologies() []scenario {
	away := rules{unavailable: true, slowest: 10 * time.Second}
	all := []scenario{
		{name: "cluster-failover",
			what:      "each master of a Redis cluster is killed in turn, its replica takes over, and it comes back",
			maxMedian: maxMedian, rules: rules{slowest: 2 * time.Second}, cluster: true, inject: failOver},
		{name: "sentinel-failover",
			what:      "the master that a Sentinel watches is killed, its replica takes over, and it comes back",
			maxMedian: maxMedian, rules: rules{slowest: 2 * time.Second}, sentinel: true, inject: failOverOnce},
		{name: "pooled-cluster",
			what: "behind pgbouncer and on a Redis cluster, pgbouncer is killed and started again, and then a master and " +
				"a worker at once",
			rules: away, cluster: true, pooled: true, workers: 2, subscribers: 2, hold: 20 * time.Millisecond,
			inject: breakPooled},
		{name: "standby-promotion",
			what:  "Postgres is killed and its disk is lost, and its synchronous standby is promoted",
			rules: away, standby: true, inject: promote},
		{name: "standby-silent",
			what:  "Postgres' machine is lost without a word, so that connections to it wait, and its standby is promoted",
			rules: away, standby: true, inject: promoteSilent},
		{name: "standby-away",
			what: "the synchronous standby is away for longer than an answer may take, then the primary is lost, and the " +
				"standby promoted",
			rules: away, standby: true, inject: promoteLate},
	}
	for i := range all {
		all[i].after = checkBooks
	}
	return all
}

// checkBooks compares the books with the leads that there are.
func checkBooks(ctx context.Context, run *runner) error {
	leads, err := run.countLeads(ctx)
	if err != nil {
		return err
	}
	var books struct {
		Data struct{ Totals bookTotals }
	}
	if err := run.getJSON(ctx, "/api/v1/books", &books); err != nil {
		return err
	}
	if t := books.Data.Totals; t.New != leads || t.Imbalance != 0 {
		return fmt.Errorf("the books have %d new leads and an imbalance of %d, but there are %d leads", t.New, t.Imbalance,
			leads)
	}
	return nil
}

// failOverTime is longer than a replica takes to become the master.
const failOverTime = 6 * time.Second

// failOver kills the masters one after the other, so that each queue and each workspace has lost its own once.
func failOver(ctx context.Context, run *runner) error {
	const masters = 3
	return run.during(func() error {
		for _, node := range run.stores.nodes[:masters] {
			if err := run.failOverNode(ctx, node, run.outage/masters); err != nil {
				return err
			}
		}
		return nil
	})
}

func failOverOnce(ctx context.Context, run *runner) error {
	return run.during(func() error { return run.failOverNode(ctx, run.stores.nodes[0], run.outage) })
}

// failOverNode kills a master and starts it again when its replica has taken over.
func (run *runner) failOverNode(ctx context.Context, master *devstack.Redis, down time.Duration) error {
	master.Kill()
	pause(ctx, max(failOverTime, down))
	if err := master.Start(ctx); err != nil {
		return err
	}
	pause(ctx, time.Second) // it catches up
	return nil
}

// breakPooled kills the pooler, and then, of what is behind it, a master and a worker in the middle of deliveries.
func breakPooled(ctx context.Context, run *runner) error {
	if err := run.awaitDeliveries(ctx); err != nil {
		return err
	}
	worker := run.Workers()[0]
	return run.during(func() error {
		run.stores.pooler.Kill()
		pause(ctx, run.outage/5)
		if err := run.stores.pooler.Start(ctx); err != nil {
			return err
		}
		if err := run.noteCreated(ctx, "pgbouncer was back", time.Now()); err != nil {
			return err
		}
		worker.Kill()
		if err := run.failOverNode(ctx, run.stores.nodes[0], run.outage/2); err != nil {
			return err
		}
		return worker.Start(ctx)
	})
}

// promote loses the primary and promotes the standby.
func promote(ctx context.Context, run *runner) error {
	return run.during(func() error {
		lost := time.Now()
		if err := run.losePrimary(); err != nil {
			return err
		}
		return run.promoteStandby(ctx, lost)
	})
}

// promoteSilent leaves the primary's connections open, and answers nothing on them.
func promoteSilent(ctx context.Context, run *runner) error {
	return run.during(func() error {
		lost := time.Now()
		all, err := run.freeze(ctx, run.stores.postgres.PID())
		if err == nil {
			err = run.promoteStandby(ctx, lost)
		}
		signalAll(all, syscall.SIGKILL)
		return err
	})
}

// noAnswer is longer than a post waits for its commit.
const noAnswer = 5 * time.Second

// promoteLate stops the standby before, so that what is posted then is on no other disk.
func promoteLate(ctx context.Context, run *runner) error {
	return run.during(func() error {
		run.stores.standby.Kill()
		pause(ctx, max(noAnswer, run.outage))
		lost := time.Now()
		if err := run.losePrimary(); err != nil {
			return err
		}
		if err := run.stores.standby.Start(ctx); err != nil {
			return err
		}
		return run.promoteStandby(ctx, lost)
	})
}

// losePrimary kills the primary, whose disk is lost with it.
func (run *runner) losePrimary() error {
	primary := run.stores.postgres
	if err := syscall.Kill(primary.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the primary: %w", err)
	}
	primary.Kill() // waits until its sessions have ended with it
	return devstack.RemoveStore(run.dir, "postgres")
}

// maxRecovery is how long after the promotion no lead may be taken in: what waits for a silent primary then has to come
// to its end, and no more than that.
const maxRecovery = 10 * time.Second

// promoteStandby promotes the standby some time after the primary was lost, as who watches them would, and notes when a
// lead is taken in again.
func (run *runner) promoteStandby(ctx context.Context, lost time.Time) error {
	pause(ctx, run.outage/5)
	if err := run.stores.standby.Promote(ctx); err != nil {
		return err
	}
	promoted := time.Now()
	if err := run.noteCreated(ctx, "the standby was promoted", promoted); err != nil {
		return err
	}
	fmt.Fprintf(&run.notes, "  and %v after the primary was lost\n", ms(time.Since(lost)))
	if took := time.Since(promoted); took > maxRecovery {
		return fmt.Errorf("leads were taken in %v after the promotion, want %v at most", ms(took), maxRecovery)
	}
	return nil
}

// noteCreated waits until a lead is made, and notes how long that took since what.
func (run *runner) noteCreated(ctx context.Context, what string, since time.Time) error {
	if err := run.awaitCreated(ctx); err != nil {
		return fmt.Errorf("after %s: %w", what, err)
	}
	fmt.Fprintf(&run.notes, "  first 201 after %s: %v\n", what, ms(time.Since(since)))
	return nil
}
