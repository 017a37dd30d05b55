package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// sustained posts leads at fixed rates and measures how long after each was due its webhooks came, with everything on.
func (b *bench) sustained(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for _, events := range [][]string{{webhook.LeadCreated}, loadgen.LeadEvents()} {
		for _, perSecond := range b.rates {
			if err := s.sustain(ctx, perSecond, events); err != nil {
				return fmt.Errorf("%d/s: %w", perSecond, err)
			}
		}
	}
	return nil
}

func (s *fixture) sustain(ctx context.Context, perSecond int, wanted []string) error {
	ctx, cancel := context.WithTimeout(ctx, s.duration+3*time.Minute)
	defer cancel()
	t, err := loadgen.NewTenant(ctx, s.db, "sustained")
	if err != nil {
		return err
	}
	run := s.nextRun()
	seen := newArrivals(run, int(s.duration.Seconds()*float64(perSecond)))
	sink, err := loadgen.NewSink(0, seen.record)
	if err != nil {
		return err
	}
	defer sink.Close()
	if _, err := sink.Subscribe(ctx, s.db, t.Workspace, "/hook", webhook.Endpoint{EventTypes: wanted}); err != nil {
		return err
	}
	warm, err := s.postAt(ctx, t, s.nextRun(), 100, time.Second)
	if err != nil {
		return err
	}
	events := len(wanted)
	if err := sink.Await(ctx, warm.accepted*events); err != nil {
		return err
	}
	if err := s.awaitAllIdle(ctx); err != nil {
		return err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return err
	}
	res, err := s.postAt(ctx, t, run, perSecond, s.duration)
	if err != nil {
		return err
	}
	if err := sink.Await(ctx, (warm.accepted+res.accepted)*events); err != nil {
		return err
	}
	if err := s.awaitAllIdle(ctx); err != nil {
		return err
	}
	s.printf("%d/s offered for %v to an endpoint for %s: accepted %v", perSecond, s.duration, strings.Join(wanted, ", "),
		res)
	for _, event := range wanted {
		d := seen.of(event, res.begin, perSecond)
		s.printf("  %-13s %5.0f/s delivered, after the POST was due: %v; on the way at half time %d, at the end %d",
			event, d.rate(), &d, d.waiting(res.begin.Add(s.duration/2)), d.waiting(res.begin.Add(s.duration)))
	}
	if c := sink.Count(); c.Again() > 0 {
		s.printf("  %d came again", c.Again())
	}
	if err := s.printUsage(ctx, before, res.accepted, "lead"); err != nil {
		return err
	}
	return refusedBy(sink)
}

// clients is how many connections an open loop has; more than are ever in flight, unless something is slow.
const clients = 256

// postAt posts leads of t at a fixed rate.
func (b *bench) postAt(
	ctx context.Context, t loadgen.Tenant, run string, perSecond int, d time.Duration,
) (*result, error) {
	conns := min(clients, max(8, perSecond))
	do, done, err := postsOf(run, strings.TrimPrefix(b.URL, "http://"), "/api/v1/leads", t.Key, conns)
	if err != nil {
		return nil, err
	}
	defer done()
	return openLoop(ctx, conns, perSecond, d, do)
}
