package main

import (
	"context"
	"slices"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
)

// start starts the system that is to be broken.
func (run *runner) start(ctx context.Context) (err error) {
	if run.newDir != nil && !run.powerCuts && !run.upgrade { // those make a cluster of their own
		run.dir, err = run.newDir(ctx)
	} else {
		run.dir, err = devstack.TempDir("leadgate-chaos-")
	}
	if err != nil {
		return err
	}
	if run.upgrade {
		return run.startFormer(ctx)
	}
	if err := run.startStores(ctx); err != nil {
		return err
	}
	run.System, err = devstack.Start(ctx, devstack.SystemOptions{DatabaseURL: run.stores.pgURL,
		RedisURL: run.stores.redisURL, Dir: run.dir, Bin: run.bin, Gateways: run.gateways, Workers: run.workers,
		Durable: !run.volatile, PowerCuts: run.powerCuts, Env: slices.Concat(run.env, run.stores.env),
		InProcess: run.inProcess, Getenv: run.getenv, Output: run.parts.part})
	if err != nil {
		return errPower(err)
	}
	if run.freezes && run.Redis.PID() == 0 {
		return errStandIn
	}
	return nil
}

// open connects to the system's Postgres.
func (run *runner) open() (err error) {
	run.db, err = pg.Open(run.DatabaseURL, pg.Options{MaxConns: 4, Application: "leadgate chaos"})
	return err
}

// stop stops what runs, and throws its data away.
func (run *runner) stop() {
	if run.db != nil {
		run.db.Close()
	}
	if run.former != nil {
		run.former.end()
	}
	if run.System != nil {
		if run.powerCuts { // what it left behind may be broken so that it does not end when it is asked to
			run.Postgres.CutPower(func() bool { return false })
		}
		run.System.Stop()
	}
	run.stores.kill()
	devstack.Remove(run.dir)
}
