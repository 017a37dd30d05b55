package main

import (
	"context"
	"fmt"
)

// countStatements has Postgres count every statement, from the first scenario of deliveries on: those before are
// measured without. It takes a restart, with no worker there.
func (b *bench) countStatements(ctx context.Context) error {
	if b.counting != "" {
		return nil
	}
	b.counting = "not counted: this Postgres has no pg_stat_statements"
	var there bool
	if err := b.base.db.QueryRowContext(ctx,
		`select exists (select from pg_available_extensions where name = 'pg_stat_statements')`).Scan(&there); err != nil ||
		!there {
		return err
	}
	if _, err := b.base.db.ExecContext(ctx,
		`alter system set shared_preload_libraries = 'pg_stat_statements'`); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	if err := b.Gateway().Stop(); err != nil {
		return err
	}
	if err := b.Postgres.Restart(ctx); err != nil {
		return err
	}
	if _, err := b.base.db.ExecContext(ctx, `create extension if not exists pg_stat_statements`); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	b.counting = "pg_stat_statements, begin and commit count too"
	return b.Gateway().Start(ctx)
}

// statements is how many there were so far, of gateway, worker and bench together; 0 where they are not counted.
func (b *bench) statements(ctx context.Context) (n int64, err error) {
	var there bool
	if err := b.base.db.QueryRowContext(ctx, `select to_regclass('pg_stat_statements') is not null`).Scan(
		&there); err != nil || !there {
		return 0, err
	}
	const q = `select coalesce(sum(calls), 0)::bigint from pg_stat_statements`
	if err := b.base.db.QueryRowContext(ctx, q).Scan(&n); err != nil {
		return 0, fmt.Errorf("count statements: %w", err)
	}
	return n, nil
}

// usage is what was used so far of what does not move with the machine as rates do.
type usage struct {
	cpu        cpu
	statements int64
}

func (b *bench) usage(ctx context.Context) (u usage, err error) {
	u.statements, err = b.statements(ctx)
	u.cpu = b.cpu()
	return u, err
}

// printUsage prints what was used since before for each of n, which are called what.
func (b *bench) printUsage(ctx context.Context, before usage, n int, what string) error {
	now, err := b.usage(ctx)
	if err != nil {
		return err
	}
	if now.statements > 0 {
		b.printf("  SQL statements per %s %.3f (%s)", what, float64(now.statements-before.statements)/float64(n), b.counting)
	} else {
		b.printf("  SQL statements %s", b.counting)
	}
	if text := now.cpu.per(before.cpu, n, what); text != "" {
		b.printf("  %s", text)
	}
	return nil
}
