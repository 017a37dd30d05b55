package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// The rates of neighbour: what the quiet tenant posts a second, and how many times that the noisy one does.
const (
	quietRate = 20
	noise     = 50
	hangs     = webhook.MaxTimeout // the noisy tenant's receiver
)

// tenants are a quiet tenant and its neighbours: one that floods, and one for whose endpoint very many deliveries wait.
type tenants struct {
	*fixture
	length  time.Duration // of one measurement
	quiet   loadgen.Tenant
	sink    *loadgen.Sink // the quiet one's
	seen    atomic.Pointer[arrivals]
	arrived int // at sink, of the measurements before

	noisy loadgen.Tenant

	waiting     pg.EndpointRef // has the backlog
	backlogSink *loadgen.Sink
}

// variant is what goes on around the quiet tenant while it is measured.
type variant struct {
	slug     string // in the names of figures
	name     string
	around   func(ctx context.Context, measure func() error) (note string, err error)
	p50, p99 []float64 // milliseconds, by round
	note     string    // of the last round
	usage    usage     // of all rounds
}

// neighbour compares a quiet tenant's delays alone with those beside one that floods a hanging endpoint, and beside one
// whose backlog is drained.
func (b *bench) neighbour(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	ts := &tenants{fixture: s, length: max(b.duration, b.steady)}
	defer ts.closeSinks()
	if err := ts.setUp(ctx); err != nil {
		return err
	}
	all := []*variant{
		{slug: "alone", name: "alone", around: func(_ context.Context, measure func() error) (string, error) { return "", measure() }},
		{slug: "beside hanging", name: fmt.Sprintf("beside %d leads/s to an endpoint that hangs %v", noise*quietRate, hangs), around: ts.flood},
		{slug: "beside backlog", name: fmt.Sprintf("beside a backlog of %d being drained", b.large), around: ts.drainBeside},
	}
	if _, err := ts.measure(ctx, time.Second); err != nil { // connections are made, statements prepared
		return err
	}
	for range b.rounds {
		for _, v := range all {
			if err := v.round(ctx, ts); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
	}
	b.printf("lead.created of a tenant with %d leads/s, after the POST was due; medians of %d rounds of %v", quietRate,
		b.rounds, ts.length)
	for _, v := range all {
		b.figure(v.slug, "p50", median(v.p50), "ms")
		b.figure(v.slug, "p99", median(v.p99), "ms")
		b.used(v.slug, v.usage, per{max(1, int(v.usage.elapsed.Seconds())), "second"})
		b.printf("%-50s p50 %6.1f ms  p99 %6.1f ms  %s%s", v.name, median(v.p50), median(v.p99), v.against(all[0]), v.note)
	}
	return refusedBy(ts.sink)
}

func (v *variant) round(ctx context.Context, ts *tenants) (err error) {
	v.note, err = v.around(ctx, func() error {
		var d delays
		u, err := ts.metered(ctx, func() (err error) {
			d, err = ts.measure(ctx, ts.length)
			return err
		})
		v.usage.add(u)
		v.p50 = append(v.p50, float64(d.percentile(.50).Microseconds())/1000)
		v.p99 = append(v.p99, float64(d.percentile(.99).Microseconds())/1000)
		return err
	})
	return err
}

// against compares p99 with that of alone, round by round.
func (v *variant) against(alone *variant) string {
	if v == alone {
		return ""
	}
	var times []float64
	var each []string
	for i := range v.p99 {
		r := v.p99[i] / alone.p99[i]
		times, each = append(times, r), append(each, fmt.Sprintf("%.2f", r))
	}
	return fmt.Sprintf("p99 %.2f times that alone (rounds: %s)  ", median(times), strings.Join(each, ", "))
}

// setUp makes the tenants, and the backlog, whose lease it holds.
func (ts *tenants) setUp(ctx context.Context) (err error) {
	record := func(at time.Time, body []byte) {
		if a := ts.seen.Load(); a != nil {
			a.record(at, body)
		}
	}
	if ts.sink, err = loadgen.NewSink(0, record); err != nil {
		return err
	}
	if ts.backlogSink, err = loadgen.NewSink(0, nil); err != nil {
		return err
	}
	var owner loadgen.Tenant
	for name, t := range map[string]*loadgen.Tenant{"quiet": &ts.quiet, "noisy": &ts.noisy, "backlog": &owner} {
		if *t, err = loadgen.NewTenant(ctx, ts.db, name); err != nil {
			return err
		}
	}
	if _, err := ts.sink.Subscribe(ctx, ts.db, ts.quiet.Workspace, "/quiet", webhook.Endpoint{}); err != nil {
		return err
	}
	e, err := ts.backlogSink.Subscribe(ctx, ts.db, owner.Workspace, "/backlog", webhook.Endpoint{})
	if err != nil {
		return err
	}
	ts.waiting = pg.EndpointRef{Workspace: owner.Workspace, Endpoint: e.ID}
	if err := ts.holdLease(ctx, ts.waiting); err != nil {
		return err
	}
	return ts.fill(ctx, backlog{Tenant: owner, leads: ts.large})
}

func (ts *tenants) closeSinks() {
	for _, s := range []*loadgen.Sink{ts.sink, ts.backlogSink} {
		if s != nil {
			s.Close()
		}
	}
}

// measure posts the quiet tenant's leads for d and waits for all their webhooks.
func (ts *tenants) measure(ctx context.Context, d time.Duration) (delays, error) {
	run := ts.nextRun()
	seen := newArrivals(run, int(d.Seconds()*quietRate))
	ts.seen.Store(seen)
	res, err := ts.postAt(ctx, ts.quiet, run, quietRate, d)
	if err != nil {
		return delays{}, err
	}
	if len(res.other) > 0 {
		return delays{}, fmt.Errorf("the quiet tenant's leads were not all accepted: %v", res.other)
	}
	ts.arrived += res.accepted
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := ts.sink.Await(ctx, ts.arrived); err != nil {
		return delays{}, err
	}
	return seen.of(webhook.LeadCreated, res.begin, quietRate), ts.awaitIdle(ctx, ts.quiet.Workspace)
}

// flood has the noisy tenant post, from before the measurement to its end, to an endpoint that hangs.
func (ts *tenants) flood(ctx context.Context, measure func() error) (note string, err error) {
	hanging, err := loadgen.NewSink(hangs, nil)
	if err != nil {
		return "", err
	}
	defer hanging.Close()
	if _, err := hanging.Subscribe(ctx, ts.db, ts.noisy.Workspace, "/hang",
		webhook.Endpoint{Timeout: webhook.MaxTimeout}); err != nil {
		return "", err
	}
	posting, stop := context.WithCancel(ctx)
	defer stop()
	var res *result
	var failed error
	ended := make(chan struct{})
	run := ts.nextRun()
	go func() {
		defer close(ended)
		res, failed = ts.postAt(posting, ts.noisy, run, noise*quietRate, ts.length+time.Minute)
	}()
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err = hanging.Await(soon, 1); err == nil {
		err = measure()
	}
	stop()
	<-ended
	hung := hanging.Count().Arrivals
	hanging.Close() // what hangs fails now
	if err := errors.Join(err, failed, ts.removeEndpoints(ctx, ts.noisy.Workspace)); err != nil {
		return "", err
	}
	if len(res.other) > 0 {
		note = fmt.Sprintf(", refused %v", res.other)
	}
	return fmt.Sprintf("noisy: %.0f/s accepted%s, %d requests hung", res.rate(), note, hung), nil
}

// drainBeside lets the backlog go during the measurement.
func (ts *tenants) drainBeside(ctx context.Context, measure func() error) (note string, err error) {
	before := ts.backlogSink.Count().Distinct
	if err := ts.releaseLease(ctx, ts.waiting); err != nil {
		return "", err
	}
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := ts.backlogSink.Await(soon, before+1); err != nil {
		return "", err
	}
	begin, first := time.Now(), ts.backlogSink.Count().Distinct
	if err := measure(); err != nil {
		return "", err
	}
	took, sent := time.Since(begin), ts.backlogSink.Count().Distinct
	if err := ts.holdLease(ctx, ts.waiting); err != nil {
		return "", err
	}
	note = fmt.Sprintf("drained beside it: %.0f/s", float64(sent-first)/took.Seconds())
	if sent == ts.large {
		note += ", until nothing was left: the backlog is too small for this"
	}
	last := -1
	return note, errors.Join(refusedBy(ts.backlogSink), until(ctx, func() (int64, error) {
		now := ts.backlogSink.Count().Arrivals
		still := now == last
		last = now
		if still {
			return 0, nil
		}
		return 1, nil
	}))
}

// removeEndpoints removes a workspace's endpoints and their deliveries.
func (ts *tenants) removeEndpoints(ctx context.Context, workspace id.UUID) error {
	if err := ts.exec(ctx, `update endpoints set enabled = false where workspace_id = $1`, workspace); err != nil {
		return err
	}
	err := until(ctx, func() (int64, error) {
		err := ts.exec(ctx, `delete from deliveries where workspace_id = $1`, workspace)
		if conn.SQLState(err) == "40P01" { // attempts that broke off are just being recorded, in another order
			return 1, nil
		}
		return 0, err
	})
	if err != nil {
		return err
	}
	if err := ts.exec(ctx, `delete from endpoints where workspace_id = $1`, workspace); err != nil {
		return err
	}
	return ts.awaitIdle(ctx, workspace)
}
