package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// readers scan a table each, whole, and rest for readerPause, as reports and dumps do.
const readerPause = 2 * time.Second

// readTables are the tables that grow with leads; each has a reader.
func readTables() []string { return []string{"leads", "events", "deliveries", "attempts"} }

// horizon compares take-in and drain with the same beside a transaction that stays open, so that Postgres removes no
// dead row, and beside four readers of whole tables too.
func (b *bench) horizon(ctx context.Context) error {
	var alone *horizonRun
	for _, v := range []struct {
		name          string
		open, reading bool
	}{{"alone", false, false}, {"beside an open transaction", true, false}, {"beside that and four readers", true, true}} {
		r, err := b.besideReaders(ctx, v.name, v.open, v.reading)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		if alone == nil {
			alone = r
			b.printf("%-30s drains %.0f/s, takes in %v, delivers %.0f/s of them", v.name, r.drain, r.accepted, r.delivered)
			continue
		}
		b.printf("%-30s drains %.0f/s (%.2f of alone), takes in %v (%.2f), delivers %.0f/s of them (%.2f)", v.name, r.drain,
			r.drain/alone.drain, r.accepted, r.accepted.rate()/alone.accepted.rate(), r.delivered, r.delivered/alone.delivered)
		b.figure(v.name, "times_drain", r.drain/alone.drain, "ratio")
		b.figure(v.name, "times_take_in", r.accepted.rate()/alone.accepted.rate(), "ratio")
		b.figure(v.name, "times_delivered", r.delivered/alone.delivered, "ratio")
	}
	return nil
}

// horizonRun is what one variant reached.
type horizonRun struct {
	drain     float64 // deliveries a second of a backlog
	accepted  *result
	delivered float64 // deliveries a second of what was accepted
}

// besideReaders drains a backlog and then takes leads in, all of whose webhooks it waits for.
func (b *bench) besideReaders(ctx context.Context, name string, open, reading bool) (_ *horizonRun, err error) {
	s, err := b.newFixture(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() { stop(); wg.Wait() }()
	if open {
		tx, err := b.base.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead}) // ends with ctx
		if err == nil {
			_, err = tx.ExecContext(ctx, `select count(*) from workspaces`) // which takes its snapshot
		}
		if err != nil {
			return nil, err
		}
	}
	if reading {
		for _, table := range readTables() {
			wg.Go(func() { b.readAgain(ctx, table) })
		}
	}
	sink, err := loadgen.NewSink(0, nil)
	if err != nil {
		return nil, err
	}
	defer sink.Close()
	t, err := loadgen.NewTenant(ctx, s.db, "horizon")
	if err != nil {
		return nil, err
	}
	if _, err := sink.Subscribe(ctx, s.db, t.Workspace, "/hook", webhook.Endpoint{}); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, backlog{Tenant: t, leads: b.options.backlog}); err != nil {
		return nil, err
	}
	r := &horizonRun{}
	var u usage
	if r.drain, u, err = s.drainInto(ctx, sink, b.options.backlog); err != nil {
		return nil, err
	}
	b.used(name+", drain", u, per{b.options.backlog, "delivery"})
	b.figure(name, "drain_rate", r.drain, "1/s")
	if u, err = s.takeIn(ctx, sink, t, r); err != nil {
		return nil, err
	}
	b.figures(name, r.accepted)
	b.figure(name, "delivered_rate", r.delivered, "1/s")
	b.used(name+", take in", u, per{r.accepted.accepted, "lead"})
	return r, refusedBy(sink)
}

// takeIn has the fewest connections make leads, and waits for their webhooks.
func (s *fixture) takeIn(ctx context.Context, sink *loadgen.Sink, t loadgen.Tenant, r *horizonRun) (usage, error) {
	s.step("taking leads in")
	conns, had := s.conns[0], sink.Count().Distinct
	do, done, err := postsOf(s.nextRun(), s.addr(), "/api/v1/leads", t.Key, conns)
	if err != nil {
		return usage{}, err
	}
	defer done()
	return s.metered(ctx, func() error {
		begin := time.Now()
		if r.accepted, err = closedLoop(ctx, conns, s.duration, do); err != nil {
			return err
		}
		soon, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		if err := sink.Await(soon, had+r.accepted.accepted); err != nil {
			return err
		}
		r.delivered = float64(r.accepted.accepted) / sink.Count().Last.Sub(begin).Seconds()
		return s.awaitAllIdle(ctx)
	})
}

// readAgain scans a table again and again until ctx ends.
func (b *bench) readAgain(ctx context.Context, table string) {
	for {
		_, err := b.base.db.ExecContext(ctx, "select count(t) from "+table+" t")
		if err != nil && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
			b.printf("a reader of %s failed: %v", table, err)
			return
		}
		if wait(ctx, readerPause) != nil {
			return
		}
	}
}
