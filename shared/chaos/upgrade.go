package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"leadgate/shared/devstack"
)

// upgrades are the scenarios in which one version follows another.
func upgrades() []scenario {
	return []scenario{
		{name: "migrate-under-load", what: "the former version takes leads in while the database is migrated beside a reader " +
			"that does not go away, and then the new version takes over",
			rules: rules{slowest: time.Second}, upgrade: true, inject: migrate, after: takeOver},
	}
}

// backupPause is how long the reader holds its transaction, and with it a lock of each table that no migration passes.
const backupPause = 3 * time.Second

// migrate runs gateway migrate of the programs under test while a backup follows the other.
func migrate(ctx context.Context, run *runner) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	began, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- run.backUp(reading, began) }()
	select {
	case <-began:
	case err := <-ended:
		return err
	}
	err := run.during(func() error {
		cmd := exec.CommandContext(ctx, filepath.Join(run.bin, "gateway"), "migrate")
		cmd.Env = append(cmd.Environ(), "DATABASE_URL="+run.DatabaseURL, "DATABASE_URL_FILE=")
		out, err := cmd.CombinedOutput()
		fmt.Fprintf(run.parts.part("migrate"), "%s", out)
		if err != nil {
			return fmt.Errorf("gateway migrate: %w: %s", err, out)
		}
		return nil
	})
	stop()
	return errors.Join(err, <-ended)
}

// backUp reads every table in one transaction, and holds it, again and again until ctx ends.
func (run *runner) backUp(ctx context.Context, began chan<- struct{}) error {
	const q = `
select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition`
	for first := true; ctx.Err() == nil; first = false {
		tx, err := run.db.BeginTxx(ctx, nil)
		if err != nil {
			return endedBy(ctx, err)
		}
		var tables []string
		err = tx.SelectContext(ctx, &tables, q)
		for _, table := range tables {
			if err == nil {
				_, err = tx.ExecContext(ctx, "select count(*) from "+table)
			}
		}
		if err == nil && first {
			close(began)
		}
		if err == nil {
			pause(ctx, backupPause)
		}
		tx.Rollback()
		if err != nil {
			return endedBy(ctx, fmt.Errorf("back up: %w", err))
		}
	}
	return nil
}

// endedBy returns err unless it came of the end of ctx.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// takeOver stops the former version and starts the programs under test on what it leaves.
func takeOver(ctx context.Context, run *runner) error {
	if err := run.former.end(); err != nil {
		return fmt.Errorf("stop the former version: %w", err)
	}
	run.db.Close()
	sys, err := devstack.Start(ctx, devstack.SystemOptions{Dir: run.former.data, Bin: run.bin, Durable: true,
		InProcess: run.inProcess, Getenv: run.getenv, Output: run.parts.part})
	if err != nil {
		return fmt.Errorf("start the new version: %w", err)
	}
	run.System = sys
	run.load.addr = strings.TrimPrefix(sys.URL, "http://")
	return run.open()
}
