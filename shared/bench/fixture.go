package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// fixture is where the scenarios of deliveries begin: no leads, no endpoints, an empty Redis, and no worker yet.
type fixture struct {
	*bench
	db    *pg.DB
	waker *task.Waker
}

func (b *bench) newFixture(ctx context.Context) (s *fixture, err error) {
	s = &fixture{bench: b}
	if err := b.Workers()[0].Kill(); err != nil {
		return nil, err
	}
	if s.db, err = b.openDB(); err != nil {
		return nil, err
	}
	s.waker = task.NewWaker(s.redis)
	// Another version may lack the columns of endpoints that our own statement names; it does not look at them.
	const (
		widen = `
alter table endpoints add column if not exists batch_max smallint, add column if not exists batch_wait_ms integer`
		clear = `truncate leads, enrichments, enrichment_queue, events, deliveries, attempts, replays, endpoints cascade`
	)
	for _, q := range []string{widen, clear} {
		if err := s.exec(ctx, q); err != nil {
			s.close()
			return nil, err
		}
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

// openDB opens the database for what the scenarios themselves do in it.
func (b *bench) openDB() (*pg.DB, error) {
	return pg.Open(uncounted(b.DatabaseURL), pg.Options{StatementTimeout: time.Minute, Application: "leadgate bench"})
}

func (s *fixture) close() { s.db.Close() }

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

// backlog is leads of a tenant that are there before something is measured.
type backlog struct {
	loadgen.Tenant
	leads int
	batch int // in one request; 0: 500
}

// fill makes leads over the API, whichever version it is of, whose deliveries wait, and have waited for a minute.
func (s *fixture) fill(ctx context.Context, all ...backlog) error {
	return s.unenriched(ctx, func() error {
		for _, stmt := range []string{
			`create or replace function bench_waited() returns trigger language plpgsql as $$
			 begin new.next_at := new.next_at - interval '1 minute'; return new; end $$`,
			`create or replace trigger bench_waited before insert on deliveries for each row execute function bench_waited()`,
		} {
			if err := s.exec(ctx, stmt); err != nil {
				return err
			}
		}
		for _, f := range all {
			s.step("filling %d leads", f.leads)
			f.batch = min(cmp.Or(f.batch, batchLeads), f.leads)
			if err := s.postBatches(ctx, f); err != nil {
				return fmt.Errorf("fill: %w", err)
			}
		}
		return s.exec(ctx, `drop trigger bench_waited on deliveries`)
	})
}

// unenriched has leads made that wait for no enrichment, as that is not what is measured.
func (s *fixture) unenriched(ctx context.Context, fill func() error) error {
	for _, stmt := range []string{
		`create or replace function bench_no_enrichment() returns trigger language plpgsql as $$ begin return null; end $$`,
		`create trigger bench_no_enrichment before insert on enrichments for each row execute function bench_no_enrichment()`,
		`create trigger bench_no_enrichment before insert on enrichment_queue for each row execute function bench_no_enrichment()`,
	} {
		if err := s.exec(ctx, stmt); err != nil {
			return err
		}
	}
	if err := fill(); err != nil {
		return err
	}
	for _, table := range []string{"enrichments", "enrichment_queue"} {
		if err := s.exec(ctx, `drop trigger bench_no_enrichment on `+table); err != nil {
			return err
		}
	}
	// A backlog that grew by and by was seen by autovacuum, and is on the disk, which would otherwise write it while commits
	// are to be synced.
	if err := s.exec(ctx, `analyze leads, events, deliveries`); err != nil {
		return err
	}
	return s.exec(ctx, `checkpoint`)
}

// fillTries is how often a batch of a backlog is posted at most.
const fillTries = 20

// postBatches posts as many whole batches as f has.
func (s *fixture) postBatches(ctx context.Context, f backlog) error {
	do, done, err := batchesOf(s.nextRun(), s.addr(), batches{[]string{f.Key}, batchSlots, f.batch})
	if err != nil {
		return err
	}
	defer done()
	again := func(worker int, n int64) (status int, err error) {
		for range fillTries { // a machine that is busy with something else refuses some
			if status, err = do(worker, n); err != nil || status == http.StatusCreated {
				return status, err
			}
			if err := wait(ctx, time.Second); err != nil {
				return status, err
			}
		}
		return status, fmt.Errorf("a batch was answered %d, again and again", status)
	}
	_, err = openLoop(ctx, offer{workers: batchSlots, perSecond: 1_000_000, total: f.leads / f.batch}, again)
	return err
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
