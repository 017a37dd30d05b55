package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leadgate/migrations"
	"leadgate/shared/fault"
	"leadgate/shared/pg/conn"
)

// Migrate brings the schema up to date and makes the partitions ahead; safe to run from many processes at once, while
// others use the database. It returns how many migrations it applied. They run without a time limit: an index on a
// large table takes minutes.
func (db *DB) Migrate(ctx context.Context, log *slog.Logger) (int, error) {
	return db.migrate(ctx, log, stepPatience)
}

func (db *DB) migrate(ctx context.Context, log *slog.Logger, patience time.Duration) (int, error) {
	admin, err := db.OpenAdminPool()
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	defer admin.Close()
	m := &migrator{pool: admin, log: log, patience: patience}
	applied := 0
	err = m.alone(ctx, func() error {
		p, err := m.provider()
		if err != nil {
			return err
		}
		done, err := p.Up(ctx)
		applied = len(done)
		if err != nil {
			return err
		}
		if err := m.rekeyEmails(ctx); err != nil {
			return err
		}
		spread, err := m.distributed(ctx)
		if err == nil && spread {
			_, err = m.distribute(ctx) // what the migrations have made
		}
		return err
	})
	if err != nil {
		return applied, fmt.Errorf("migrate: %w", err)
	}
	return applied, db.EnsurePartitions(ctx)
}

// CheckSchema returns an error that says what to do when the schema is older than this binary needs.
// A newer schema is fine: migrations expand before they contract.
func (db *DB) CheckSchema(ctx context.Context) error {
	all, err := migrations.All()
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	need := all[len(all)-1].Version
	const table = `select to_regclass('goose_db_version') is not null`
	const version = `select coalesce(max(version_id), 0) from goose_db_version where is_applied`
	exists, _, err := conn.Find(ctx, db, "check schema", conn.Value[bool], table)
	if err != nil {
		return err
	}
	have := int64(0)
	if exists {
		if have, _, err = conn.Find(ctx, db, "check schema", conn.Value[int64], version); err != nil {
			return err
		}
	}
	if have < need {
		return fmt.Errorf(
			"the database schema is at version %d and this build needs %d: run `gateway migrate`, or start with --migrate",
			have, need)
	}
	return nil
}

// partitionsAhead is how far ahead of now rows can be written: ensured at every start and by upkeep long before it runs
// out.
const partitionsAhead = 28 * 24 * time.Hour

// withPartitions runs a write, and once more where no partition takes its rows: they are missing after weeks without a
// process, and made here. UNAVAILABLE where they cannot be made, as by a role that must not.
func (db *DB) withPartitions(ctx context.Context, write func() error) error {
	err := write()
	if !errors.Is(err, conn.ErrNoPartition) {
		return err
	}
	if err = db.EnsurePartitions(ctx); err == nil {
		err = write()
	} else {
		err = fmt.Errorf("make partitions: %w: %w", conn.ErrNoPartition, err)
	}
	if errors.Is(err, conn.ErrNoPartition) {
		err = fault.StoreUnavailable(err, time.Minute)
	}
	return err
}

// EnsurePartitions makes the missing partitions of events, deliveries and attempts; a day back too, for clocks that are
// behind. One process makes them, and the others wait for it however long it takes.
func (db *DB) EnsurePartitions(ctx context.Context) error {
	const q = `
select ensure_partitions(now() - interval '1 day', now() + make_interval(secs => $1)) from set_config('lock_timeout', '0', true)`
	_, _, err := conn.Find(ctx, db, "ensure partitions", conn.Value[int], q, partitionsAhead.Seconds())
	return err
}
