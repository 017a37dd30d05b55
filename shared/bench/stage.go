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

// stage is where the scenarios of deliveries begin: no leads, no endpoints, an empty Redis, and no worker yet.
type stage struct {
	*bench
	db    *pg.DB
	redis redis.UniversalClient
	waker *task.Waker
}

func (b *bench) stage(ctx context.Context) (s *stage, err error) {
	s = &stage{bench: b}
	if err := b.Workers()[0].Kill(); err != nil {
		return nil, err
	}
	if err := b.countStatements(ctx); err != nil {
		return nil, err
	}
	if s.db, err = pg.Open(b.DatabaseURL, pg.Options{StatementTimeout: time.Minute, Application: "leadgate bench"}); err != nil {
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

func (s *stage) close() {
	s.db.Close()
	if s.redis != nil {
		s.redis.Close()
	}
}

// work starts the worker.
func (s *stage) work(ctx context.Context) error { return s.Workers()[0].Start(ctx) }

func (s *stage) exec(ctx context.Context, query string, args ...any) error {
	if _, err := s.base.db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

func (s *stage) count(ctx context.Context, query string, args ...any) (n int64, err error) {
	if err := s.base.db.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
}

// fill makes a backlog: leads whose deliveries wait and which are owed no enrichment, which is not what is measured.
func (s *stage) fill(ctx context.Context, fills ...loadgen.Fill) error {
	for _, stmt := range []string{
		`create or replace function bench_not_owed() returns trigger language plpgsql as 'begin new.due_at := null; return new; end'`,
		`create trigger bench_not_owed before insert on enrichments for each row execute function bench_not_owed()`,
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
	if err := s.exec(ctx, `drop trigger bench_not_owed on enrichments`); err != nil {
		return err
	}
	return s.exec(ctx, `analyze leads, events, deliveries`) // a backlog that grew by and by was seen by autovacuum
}

// wake is how the gateway tells workers of a commit.
func (s *stage) wake(ctx context.Context, refs []pg.EndpointRef) error {
	keys := make([]task.Key, len(refs))
	for i, r := range refs {
		keys[i] = task.Drain(r.Workspace, r.Endpoint)
	}
	return s.waker.Wake(ctx, keys)
}

// rest takes an endpoint's drain lease, so that nothing of its backlog is sent until resume.
func (s *stage) rest(ctx context.Context, e pg.EndpointRef) error {
	return s.exec(ctx, `update endpoints set drain_token = $3, drain_until = now() + interval '1 day' where workspace_id = $1 and id = $2`, e.Workspace, e.Endpoint, id.New())
}

func (s *stage) resume(ctx context.Context, e pg.EndpointRef) error {
	if err := s.exec(ctx, `update endpoints set drain_token = null, drain_until = null where workspace_id = $1 and id = $2`, e.Workspace, e.Endpoint); err != nil {
		return err
	}
	return s.wake(ctx, []pg.EndpointRef{e})
}

// quietDown waits until nothing is owed to a workspace any more.
func (s *stage) quietDown(ctx context.Context, workspace id.UUID) error {
	const owed = `
select (select count(*) from enrichments where workspace_id = $1 and due_at is not null)
     + (select count(*) from deliveries where workspace_id = $1 and state = 'pending')`
	return until(ctx, func() (int64, error) { return s.count(ctx, owed, workspace) })
}
