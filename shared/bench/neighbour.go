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
	"leadgate/shared/webhook"
)

// The rates of neighbour: what the quiet tenant posts a second, and how many times that the noisy one does.
const (
	quietRate = 20
	noise     = 50
	hangs     = webhook.MaxTimeout // the noisy tenant's receiver
)

// street is a quiet tenant and its neighbours: one that floods, and one for whose endpoint very many deliveries wait.
type street struct {
	*stage
	length  time.Duration // of one measurement
	quiet   loadgen.Tenant
	sink    *loadgen.Sink // the quiet one's
	seen    atomic.Pointer[arrivals]
	arrived int // at sink, of the measurements before

	noisy loadgen.Tenant

	backlog     pg.EndpointRef
	backlogSink *loadgen.Sink
}

// variant is what goes on around the quiet tenant while it is measured.
type variant struct {
	name     string
	around   func(ctx context.Context, measure func() error) (note string, err error)
	p50, p99 []float64 // milliseconds, by round
	note     string    // of the last round
}

// neighbour compares a quiet tenant's delays alone with those beside one that floods a hanging endpoint, and beside one whose backlog is drained.
func (b *bench) neighbour(ctx context.Context) error {
	s, err := b.stage(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.work(ctx); err != nil {
		return err
	}
	st := &street{stage: s, length: max(b.duration, b.steady)}
	defer st.leave()
	if err := st.settleIn(ctx); err != nil {
		return err
	}
	all := []*variant{
		{name: "alone", around: func(_ context.Context, measure func() error) (string, error) { return "", measure() }},
		{name: fmt.Sprintf("beside %d leads/s to an endpoint that hangs %v", noise*quietRate, hangs), around: st.flood},
		{name: fmt.Sprintf("beside a backlog of %d being drained", b.large), around: st.drainBeside},
	}
	if _, err := st.measure(ctx, time.Second); err != nil { // connections are made, statements prepared
		return err
	}
	for range b.rounds {
		for _, v := range all {
			if err := v.round(ctx, st); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
	}
	b.printf("lead.created of a tenant with %d leads/s, after the POST was due; medians of %d rounds of %v", quietRate, b.rounds, st.length)
	for _, v := range all {
		b.printf("%-50s p50 %6.1f ms  p99 %6.1f ms  %s%s", v.name, median(v.p50), median(v.p99), v.against(all[0]), v.note)
	}
	return refusedBy(st.sink)
}

func (v *variant) round(ctx context.Context, st *street) (err error) {
	v.note, err = v.around(ctx, func() error {
		d, err := st.measure(ctx, st.length)
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

// settleIn makes the tenants, and the backlog, which rests.
func (st *street) settleIn(ctx context.Context) (err error) {
	note := func(at time.Time, body []byte) {
		if a := st.seen.Load(); a != nil {
			a.note(at, body)
		}
	}
	if st.sink, err = loadgen.NewSink(0, note); err != nil {
		return err
	}
	if st.backlogSink, err = loadgen.NewSink(0, nil); err != nil {
		return err
	}
	var owner loadgen.Tenant
	for name, t := range map[string]*loadgen.Tenant{"quiet": &st.quiet, "noisy": &st.noisy, "backlog": &owner} {
		if *t, err = loadgen.NewTenant(ctx, st.db, name); err != nil {
			return err
		}
	}
	if _, err := st.sink.Subscribe(ctx, st.db, st.quiet.Workspace, "/quiet", webhook.Endpoint{}); err != nil {
		return err
	}
	e, err := st.backlogSink.Subscribe(ctx, st.db, owner.Workspace, "/backlog", webhook.Endpoint{})
	if err != nil {
		return err
	}
	st.backlog = pg.EndpointRef{Workspace: owner.Workspace, Endpoint: e.ID}
	if err := st.rest(ctx, st.backlog); err != nil {
		return err
	}
	return st.fill(ctx, loadgen.Fill{Workspace: owner.Workspace, Run: st.nextRun(), Leads: st.large})
}

func (st *street) leave() {
	for _, s := range []*loadgen.Sink{st.sink, st.backlogSink} {
		if s != nil {
			s.Close()
		}
	}
}

// measure posts the quiet tenant's leads for d and waits for all their webhooks.
func (st *street) measure(ctx context.Context, d time.Duration) (delays, error) {
	run := st.nextRun()
	seen := newArrivals(run, int(d.Seconds()*quietRate))
	st.seen.Store(seen)
	res, err := st.postAt(ctx, st.quiet, run, quietRate, d)
	if err != nil {
		return delays{}, err
	}
	if len(res.other) > 0 {
		return delays{}, fmt.Errorf("the quiet tenant's leads were not all accepted: %v", res.other)
	}
	st.arrived += res.accepted
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := st.sink.Await(ctx, st.arrived); err != nil {
		return delays{}, err
	}
	return seen.of(webhook.LeadCreated, res.begin, quietRate), st.quietDown(ctx, st.quiet.Workspace)
}

// flood has the noisy tenant post, from before the measurement to its end, to an endpoint that hangs.
func (st *street) flood(ctx context.Context, measure func() error) (note string, err error) {
	hanging, err := loadgen.NewSink(hangs, nil)
	if err != nil {
		return "", err
	}
	defer hanging.Close()
	if _, err := hanging.Subscribe(ctx, st.db, st.noisy.Workspace, "/hang", webhook.Endpoint{Timeout: webhook.MaxTimeout}); err != nil {
		return "", err
	}
	posting, stop := context.WithCancel(ctx)
	defer stop()
	var res *result
	var failed error
	ended := make(chan struct{})
	run := st.nextRun()
	go func() {
		defer close(ended)
		res, failed = st.postAt(posting, st.noisy, run, noise*quietRate, st.length+time.Minute)
	}()
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err = hanging.Await(soon, 1); err == nil {
		err = measure()
	}
	stop()
	<-ended
	hung := hanging.Count().Arrivals
	hanging.Close() // what hangs fails now
	if err := errors.Join(err, failed, st.forget(ctx, st.noisy.Workspace)); err != nil {
		return "", err
	}
	if len(res.other) > 0 {
		note = fmt.Sprintf(", refused %v", res.other)
	}
	return fmt.Sprintf("noisy: %.0f/s accepted%s, %d requests hung", res.rate(), note, hung), nil
}

// drainBeside lets the backlog go during the measurement.
func (st *street) drainBeside(ctx context.Context, measure func() error) (note string, err error) {
	before := st.backlogSink.Count().Distinct
	if err := st.resume(ctx, st.backlog); err != nil {
		return "", err
	}
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := st.backlogSink.Await(soon, before+1); err != nil {
		return "", err
	}
	begin, first := time.Now(), st.backlogSink.Count().Distinct
	if err := measure(); err != nil {
		return "", err
	}
	took, sent := time.Since(begin), st.backlogSink.Count().Distinct
	if err := st.rest(ctx, st.backlog); err != nil {
		return "", err
	}
	note = fmt.Sprintf("drained beside it: %.0f/s", float64(sent-first)/took.Seconds())
	if sent == st.large {
		note += ", until nothing was left: the backlog is too small for this"
	}
	last := -1
	return note, errors.Join(refusedBy(st.backlogSink), until(ctx, func() (int64, error) {
		now := st.backlogSink.Count().Arrivals
		still := now == last
		last = now
		if still {
			return 0, nil
		}
		return 1, nil
	}))
}

// forget removes what is owed to the noisy tenant's endpoints, and those.
func (st *street) forget(ctx context.Context, workspace id.UUID) error {
	if err := st.exec(ctx, `update endpoints set enabled = false where workspace_id = $1`, workspace); err != nil {
		return err
	}
	err := until(ctx, func() (int64, error) {
		err := st.exec(ctx, `delete from deliveries where workspace_id = $1`, workspace)
		if pg.Code(err) == "40P01" { // attempts that broke off are just being recorded, in another order
			return 1, nil
		}
		return 0, err
	})
	if err != nil {
		return err
	}
	if err := st.exec(ctx, `delete from endpoints where workspace_id = $1`, workspace); err != nil {
		return err
	}
	return st.quietDown(ctx, workspace)
}
