package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// fixture is where the scenarios of deliveries begin: no leads, no endpoints, an empty Redis, and no worker yet.
type fixture struct {
	*bench
	db    *pg.DB
	redis redis.UniversalClient
	waker *task.Waker
}

func (b *bench) newFixture(ctx context.Context) (s *fixture, err error) {
	s = &fixture{bench: b}
	if err := b.Workers()[0].Kill(); err != nil {
		return nil, err
	}
	if err := b.countStatements(ctx); err != nil {
		return nil, err
	}
	if s.db, err = pg.Open(b.DatabaseURL, pg.Options{StatementTimeout: time.Minute,
		Application: "leadgate bench"}); err != nil {
		return nil, err
	}
	if s.redis, err = rdb.Open(b.RedisURL, rdb.Options{Timeout: 10 * time.Second}); err != nil {
		s.close()
		return nil, err
	}
	s.waker = task.NewWaker(s.redis)
	const clear = `truncate leads, enrichments, events, deliveries, attempts, replays, endpoints cascade`
	if err := s.exec(ctx, clear); err != nil {
		s.close()
		return nil, err
	}
	if err := s.redis.FlushAll(ctx).Err(); err != nil {
		s.close()
		return nil, fmt.Errorf("flush Redis: %w", err)
	}
	return s, nil
}

// newRunningFixture is newFixture with the worker running.
func (b *bench) newRunningFixture(ctx context.Context) (*fixture, error) {
	s, err := b.newFixture(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.startWorker(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *fixture) close() {
	s.db.Close()
	if s.redis != nil {
		s.redis.Close()
	}
}

// startWorker starts the worker.
func (s *fixture) startWorker(ctx context.Context) error { return s.Workers()[0].Start(ctx) }

func (s *fixture) exec(ctx context.Context, query string, args ...any) error {
	if _, err := s.base.db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

func (s *fixture) count(ctx context.Context, query string, args ...any) (n int64, err error) {
	if err := s.base.db.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
}

// fill makes a backlog: leads whose deliveries wait and which wait for no enrichment, as that is not what is measured.
func (s *fixture) fill(ctx context.Context, fills ...loadgen.Fill) error {
	for _, stmt := range []string{
		`create or replace function bench_no_enrichment() returns trigger language plpgsql as 'begin new.due_at := null; return new; end'`,
		`create trigger bench_no_enrichment before insert on enrichments for each row execute function bench_no_enrichment()`,
	} {
		if err := s.exec(ctx, stmt); err != nil {
			return err
		}
	}
	for _, f := range fills {
		if err := f.Into(ctx, s.db); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, `drop trigger bench_no_enrichment on enrichments`); err != nil {
		return err
	}
	return s.exec(ctx, `analyze leads, events, deliveries`) // a backlog that grew by and by was seen by autovacuum
}

// wake notifies workers of a commit, as the gateway does.
func (s *fixture) wake(ctx context.Context, refs []pg.EndpointRef) error {
	keys := make([]task.Key, len(refs))
	for i, r := range refs {
		keys[i] = task.Drain(r.Workspace, r.Endpoint)
	}
	return s.waker.Wake(ctx, keys)
}

// holdLease takes an endpoint's drain lease, so that nothing of its backlog is sent until releaseLease.
func (s *fixture) holdLease(ctx context.Context, e pg.EndpointRef) error {
	return s.exec(ctx,
		`update endpoints set drain_token = $3, drain_until = now() + interval '1 day' where workspace_id = $1 and id = $2`,
		e.Workspace, e.Endpoint, id.New())
}

func (s *fixture) releaseLease(ctx context.Context, e pg.EndpointRef) error {
	if err := s.exec(ctx,
		`update endpoints set drain_token = null, drain_until = null where workspace_id = $1 and id = $2`, e.Workspace,
		e.Endpoint); err != nil {
		return err
	}
	return s.wake(ctx, []pg.EndpointRef{e})
}

// awaitIdle waits until a workspace has no pending jobs.
func (s *fixture) awaitIdle(ctx context.Context, workspace id.UUID) error {
	const pending = `
select (select count(*) from enrichments where workspace_id = $1 and due_at is not null)
     + (select count(*) from deliveries where workspace_id = $1 and state = 'pending')`
	return until(ctx, func() (int64, error) { return s.count(ctx, pending, workspace) })
}
