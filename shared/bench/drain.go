package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// drain measures how fast a backlog goes out to one healthy endpoint.
func (b *bench) drain(ctx context.Context) error {
	return b.drainTo(ctx, "1 endpoint", webhook.Endpoint{})
}

// batched measures the same to an endpoint that takes many events in a request.
func (b *bench) batched(ctx context.Context) error {
	e := webhook.Endpoint{Batch: webhook.Batch{Max: webhook.MaxBatch}}
	return b.drainTo(ctx, fmt.Sprintf("1 endpoint, %d in a request", e.Batch.Max), e)
}

func (b *bench) drainTo(ctx context.Context, name string, e webhook.Endpoint) error {
	s, err := b.newFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	sink, err := loadgen.NewSink(0, nil)
	if err != nil {
		return err
	}
	defer sink.Close()
	t, err := loadgen.NewTenant(ctx, s.db, "drain")
	if err != nil {
		return err
	}
	if _, err := sink.Subscribe(ctx, s.db, t.Workspace, "/hook", e); err != nil {
		return err
	}
	if err := s.fill(ctx, backlog{Tenant: t, leads: b.options.backlog}); err != nil {
		return err
	}
	return s.drainAll(ctx, sink, b.options.backlog, name)
}

// fanWorkspaces, each with as many endpoints as it can have, are a thousand endpoints.
const fanWorkspaces = 20

// fanout measures the same number of deliveries to a thousand endpoints.
func (b *bench) fanout(ctx context.Context) error {
	const endpoints = fanWorkspaces * webhook.MaxEndpoints
	s, err := b.newFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	sink, err := loadgen.NewSink(0, nil)
	if err != nil {
		return err
	}
	defer sink.Close()
	var fills []backlog
	g, gctx := errgroup.WithContext(ctx)
	for range fanWorkspaces {
		t, err := loadgen.NewTenant(ctx, s.db, "fanout")
		if err != nil {
			return err
		}
		fills = append(fills, backlog{Tenant: t, leads: b.options.backlog / endpoints, batch: 50})
		g.Go(func() error {
			for n := range webhook.MaxEndpoints {
				if _, err := sink.Subscribe(gctx, s.db, t.Workspace, fmt.Sprintf("/%s/%d", t.Workspace, n),
					webhook.Endpoint{}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := s.fill(ctx, fills...); err != nil {
		return err
	}
	return s.drainAll(ctx, sink, b.options.backlog/endpoints*endpoints, fmt.Sprintf("%d endpoints", endpoints))
}

// drainAll starts the worker and measures until n deliveries have arrived and are recorded.
func (s *fixture) drainAll(ctx context.Context, sink *loadgen.Sink, n int, to string) error {
	perSecond, u, err := s.drainInto(ctx, sink, n)
	if err != nil {
		return err
	}
	c := sink.Count()
	s.printf("%d deliveries to %s: %.0f/s", n, to, perSecond)
	s.printf("  in %d requests; %d came again; %d signatures were verified, %d refused", c.Requests, c.Again(), c.Verified,
		len(sink.Refused()))
	s.figure("", "rate", perSecond, "1/s")
	s.used(to, u, per{n, "delivery"})
	return nil
}

// drainInto starts the worker and returns how many deliveries a second the sink got, until all n are recorded.
func (s *fixture) drainInto(ctx context.Context, sink *loadgen.Sink, n int) (perSecond float64, u usage, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	s.step("%d deliveries", n)
	u, err = s.metered(ctx, func() error {
		if err := s.startWorker(ctx); err != nil {
			return err
		}
		if err := sink.Await(ctx, n); err != nil {
			return err
		}
		return s.awaitAllIdle(ctx)
	})
	if err != nil {
		return 0, u, err
	}
	c := sink.Count()
	perSecond = float64(n-1) / c.Last.Sub(c.First).Seconds()
	other, err := s.count(ctx, `select count(*) from deliveries where state <> 'delivered'`)
	if err == nil && other > 0 {
		err = fmt.Errorf("%d deliveries are not recorded as delivered", other)
	}
	return perSecond, u, errors.Join(err, refusedBy(sink))
}

// refusedBy is an error when something did not verify.
func refusedBy(s *loadgen.Sink) error {
	if why := s.Refused(); len(why) > 0 {
		return fmt.Errorf("webhooks do not verify: %q", why)
	}
	return nil
}
