package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"leadgate/shared/devstack"
)

// startCluster starts three masters, each with a replica, where the scenario has them, and returns their addresses.
func (run *runner) startCluster(ctx context.Context) (url string, err error) {
	if !run.cluster {
		return "", nil
	}
	if run.inProcess || !devstack.HasRedisServer(run.getenv) {
		return "", fmt.Errorf("%w: the stand-in for Redis is no cluster", errNotHere)
	}
	run.nodes, err = devstack.StartRedisCluster(ctx, devstack.ClusterOptions{Dir: filepath.Join(run.dir, "redis-cluster"),
		Replica: true, Getenv: run.getenv})
	if err != nil {
		return "", err
	}
	return run.nodes.URL(), nil
}

// failOverTime is longer than a replica takes to become the master.
const failOverTime = 6 * time.Second

// failOver kills the masters one after the other, so that each queue and each workspace has lost its own once.
func failOver(ctx context.Context, run *runner) error {
	const masters = 3
	return run.during(func() error {
		for _, node := range run.nodes.Nodes[:masters] {
			node.Kill()
			pause(ctx, max(failOverTime, run.outage/masters))
			if err := node.Start(ctx); err != nil {
				return err
			}
			pause(ctx, time.Second) // it catches up
		}
		return nil
	})
}
