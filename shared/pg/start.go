package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// startPatience is how long a starting process waits for Postgres unless told otherwise, so that both can be started together.
const startPatience = 30 * time.Second

// Start waits for Postgres and makes sure of the schema, which it brings up to date if migrate is set and else only checks, and of the partitions.
// Its error is one line fit to be a process' last word.
func (db *DB) Start(ctx context.Context, log *slog.Logger, migrate bool) error {
	if err := db.Await(ctx, log); err != nil {
		return err
	}
	if migrate {
		n, err := db.Migrate(ctx)
		if err != nil {
			return err
		}
		log.Info("migrated", "applied", n)
		return nil
	}
	if err := db.CheckSchema(ctx); err != nil {
		return err
	}
	// This may be all that runs after weeks of rest. But it may also run as a user who must not make tables, and the partitions may be there.
	if err := db.EnsurePartitions(ctx); err != nil {
		log.Warn("no partitions made ahead", "error", err.Error())
	}
	return nil
}

// Await pings until Postgres answers. A refusal that waiting cannot change, such as a wrong password, ends it at once.
func (db *DB) Await(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, db.wait)
	defer cancel()
	for told := false; ; told = true {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		if code := Code(err); code != "" && !away(err) {
			return fmt.Errorf("connect to Postgres: %w", err)
		}
		if !told {
			log.Warn("waiting for Postgres", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("connect to Postgres: %s not reachable for %s: %w", db.where, db.wait, err)
			}
			return fmt.Errorf("connect to Postgres: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
