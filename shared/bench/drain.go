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
	if _, err := sink.Subscribe(ctx, s.db, t.Workspace, "/hook", webhook.Endpoint{}); err != nil {
		return err
	}
	if err := s.fill(ctx, loadgen.Fill{Workspace: t.Workspace, Run: b.nextRun(), Leads: b.backlog}); err != nil {
		return err
	}
	return s.drainAll(ctx, sink, b.backlog, "1 endpoint")
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
	var fills []loadgen.Fill
	g, gctx := errgroup.WithContext(ctx)
	for range fanWorkspaces {
		t, err := loadgen.NewTenant(ctx, s.db, "fanout")
		if err != nil {
			return err
		}
		fills = append(fills, loadgen.Fill{Workspace: t.Workspace, Run: b.nextRun(), Leads: b.backlog / endpoints, Batch: 50})
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
	return s.drainAll(ctx, sink, b.backlog/endpoints*endpoints, fmt.Sprintf("%d endpoints", endpoints))
}

// drainAll starts the worker and measures until n deliveries have arrived and are recorded.
func (s *fixture) drainAll(ctx context.Context, sink *loadgen.Sink, n int, to string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	before, err := s.usage(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := s.startWorker(ctx); err != nil {
		return err
	}
	if err := sink.Await(ctx, n); err != nil {
		return err
	}
	if err := s.awaitAllIdle(ctx); err != nil {
		return err
	}
	c := sink.Count()
	took := c.Last.Sub(c.First)
	s.printf(
		"%d deliveries to %s: %.0f/s   %v from the first arrival to the last; the first came %v after the worker was started",
		n, to, float64(n-1)/took.Seconds(), took.Round(time.Millisecond), c.First.Sub(begin).Round(time.Millisecond))
	s.printf("  %d came again; %d signatures were verified, %d refused", c.Again(), c.Verified, len(sink.Refused()))
	if err := s.printUsage(ctx, before, n, "delivery"); err != nil {
		return err
	}
	other, err := s.count(ctx, `select count(*) from deliveries where state <> 'delivered'`)
	if err == nil && other > 0 {
		err = fmt.Errorf("%d deliveries are not recorded as delivered", other)
	}
	return errors.Join(err, refusedBy(sink))
}

// refusedBy is an error when something did not verify.
func refusedBy(s *loadgen.Sink) error {
	if why := s.Refused(); len(why) > 0 {
		return fmt.Errorf("webhooks do not verify: %q", why)
	}
	return nil
}
