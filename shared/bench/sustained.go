package main

import (
	"context"
	"fmt"
	"slices"
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

// pairRate is how many leads a second pairs posts.
const pairRate = 4000

// pairs posts leads of which each causes two webhooks, and says whether these are kept up with.
func (b *bench) pairs(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	perSecond := pairRate
	if b.quick {
		perSecond = slices.Min(b.rates)
	}
	return s.sustain(ctx, perSecond, loadgen.LeadEvents())
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
	var res *result
	u, err := s.metered(ctx, func() error {
		if res, err = s.postAt(ctx, t, run, perSecond, s.duration); err != nil {
			return err
		}
		if err := sink.Await(ctx, (warm.accepted+res.accepted)*events); err != nil {
			return err
		}
		return s.awaitAllIdle(ctx)
	})
	if err != nil {
		return err
	}
	s.printf("%d/s offered for %v to an endpoint for %s: accepted %v", perSecond, s.duration, strings.Join(wanted, ", "),
		res)
	name := fmt.Sprintf("%d a second, %s", perSecond, map[int]string{1: "one type", 2: "two types"}[events])
	s.figures(name, res)
	for _, event := range wanted {
		s.sustained(name, event, seen.of(event, res.begin, perSecond), res, perSecond)
	}
	if c := sink.Count(); c.Again() > 0 {
		s.printf("  %d came again", c.Again())
	}
	s.used(name, u, per{res.accepted, "lead"}, per{res.accepted * events, "delivery"})
	return refusedBy(sink)
}

// sustained prints how late the webhooks of an event came, and whether they kept up: at the end of the load no more were
// on the way than a second brings.
func (s *fixture) sustained(name, event string, d delays, res *result, perSecond int) {
	end := d.waiting(res.begin.Add(s.duration))
	verdict := "kept up with"
	kept := 1.0
	if end > perSecond || res.rate() < .95*float64(perSecond) {
		verdict, kept = "not kept up with", 0
	}
	s.printf("  %-13s %5.0f/s delivered, after the POST was due: %v; on the way at half time %d, at the end %d: %s", event,
		d.rate(), &d, d.waiting(res.begin.Add(s.duration/2)), end, verdict)
	name += " " + event
	s.figure(name, "rate", d.rate(), "1/s")
	s.figure(name, "mean", milliseconds(d.mean()), "ms")
	s.figure(name, "p50", milliseconds(d.percentile(.50)), "ms")
	s.figure(name, "p99", milliseconds(d.percentile(.99)), "ms")
	s.figure(name, "waiting", float64(end), "deliveries")
	s.figure(name, "kept_up", kept, "1 or 0")
}

// postAt posts leads of t at a fixed rate.
func (b *bench) postAt(
	ctx context.Context, t loadgen.Tenant, run string, perSecond int, d time.Duration,
) (*result, error) {
	conns := min(openConns, max(8, perSecond))
	do, done, err := postsOf(run, b.addr(), "/api/v1/leads", t.Key, conns)
	if err != nil {
		return nil, err
	}
	defer done()
	return openLoop(ctx, offered(conns, perSecond, d), do)
}
