package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/client"
	"leadgate/shared/devstack"
	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// takeover is how long after a fault, or after the last post, every webhook must have arrived.
const takeover = 60 * time.Second

// errNotHere is wrapped by why a scenario cannot run on this machine.
var errNotHere = errors.New("this machine cannot do it")

// errStandIn is why a scenario cannot run without redis-server.
var errStandIn = fmt.Errorf("%w: no redis-server here, and the stand-in is a part of this process, which cannot be "+
	"frozen without freezing the load", errNotHere)

// runner runs one scenario.
type runner struct {
	*devstack.System
	scenario
	options
	parts     *parts
	former    *former // nil: the programs under test are all there is
	stores    stores
	db        *pg.DB
	dir       string
	workspace id.UUID // the demo workspace
	receivers []*loadgen.Receiver
	load      load
	notes     strings.Builder // what inject has to tell
	outage    time.Duration   // how long what is broken stays so
	was       outage          // when it really was so
}

// run runs the scenario on a system of its own: load --> fault --> repair --> the rest of the load --> all webhooks -->
// the ledger. The report has the numbers, as far as it came to any; the error is what was violated, or could not be
// done.
func (s scenario) run(ctx context.Context, opt options) (report string, err error) {
	limit := opt.duration + 4*time.Minute
	switch {
	case s.whole != nil:
		limit += importLimit
	case s.powerCuts:
		limit += time.Duration(opt.cuts) * 10 * time.Second
	case s.stale:
		limit += takeover + time.Duration(opt.backlog)*20*time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	output, err := listen(opt.logs, s.name)
	if err != nil {
		return "", err
	}
	defer output.close()
	run := &runner{scenario: s, options: opt, parts: output, outage: opt.duration / 2}
	defer func() { run.stop() }()
	if err := run.start(ctx); err != nil {
		return "", err
	}
	if err := run.open(); err != nil {
		return "", err
	}
	if run.workspace, err = id.Workspace.Parse(run.WorkspaceID); err != nil {
		return "", err
	}
	return run.measure(ctx)
}

// measure does what the scenario is.
func (run *runner) measure(ctx context.Context) (report string, err error) {
	s := run.scenario
	if s.whole != nil {
		return s.whole(ctx, run)
	}
	for range max(1, s.subscribers) {
		r, err := loadgen.Receive(s.hold)
		if err != nil {
			return "", err
		}
		defer r.Close()
		if err := r.SubscribeWith(ctx, run.URL, run.Key, client.NewWebhook{EventTypes: s.events(), Batch: s.batch}); err != nil {
			return "", err
		}
		run.receivers = append(run.receivers, r)
	}
	if s.drain != nil {
		d, err := run.drainBacklog(ctx)
		return d.String(), err
	}
	if s.retry != nil {
		r, err := run.runRetries(ctx)
		return r.String(), err
	}
	r, err := run.runLoad(ctx)
	return r.String(), err
}

// events returns what the receivers subscribe to.
func (s scenario) events() []string {
	if s.drain != nil {
		return []string{webhook.LeadCreated} // each lead is one delivery of the backlog
	}
	return loadgen.LeadEvents()
}

// loadRegion is where the load's phones without + are from.
const loadRegion = "SE"

// takePhones lets the workspace take leads with a phone and no email, and waits until its gateways know.
func (run *runner) takePhones(ctx context.Context) error {
	_, err := run.db.UpdateWorkspace(ctx, run.workspace, func(w *tenant.Workspace) error {
		w.Settings.Identify, w.Settings.DefaultRegion = tenant.IdentifyEmailOrPhone, loadRegion
		return nil
	}, nil)
	pause(ctx, time.Second)
	run.load.phones = err == nil
	return err
}

func (run *runner) runLoad(ctx context.Context) (*report, error) {
	rep := &report{ledger: &ledger{rules: run.rules, spell: func(n int) string { return run.load.email(n, 0) }},
		began: time.Now()}
	if rep.ledger.slowest == 0 {
		rep.ledger.slowest = 5 * time.Second
	}
	run.load.addr, run.load.path, run.load.key = strings.TrimPrefix(run.URL, "http://"),
		"/api/v1/chatbots/"+run.ChatbotID+"/leads", run.Key
	run.load.run, run.load.conns, run.load.rate, run.load.random = run.name, run.conns, run.rate, run.random
	if run.former == nil && run.programs == "" { // older ones would refuse leads without an email
		if err := run.takePhones(ctx); err != nil {
			return rep, err
		}
	}
	run.load.start(ctx)
	pause(ctx, run.duration/4)
	err := run.inject(ctx, run)
	if !run.quiet {
		pause(ctx, run.duration/4)
	}
	rep.ledger.answers = run.load.end()
	rep.ended, rep.outage, rep.notes = time.Now(), run.was, run.notes.String()
	usual, slowest := rep.before()
	rep.ledger.slowest += 2 * slowest
	run.loaded()
	if err == nil && run.after != nil {
		err = run.after(ctx, run)
	}
	if err != nil {
		return rep, err
	}
	if err := run.awaitAll(ctx); err != nil {
		return rep, err
	}
	if err := run.readLedger(ctx, rep.ledger); err != nil {
		return rep, err
	}
	for _, r := range run.receivers {
		rep.stall = max(rep.stall, r.Stall())
	}
	err = rep.ledger.check()
	if run.maxPeak > 0 {
		var high error
		rep.peaks, high = run.checkPeaks()
		err = errors.Join(err, high)
	}
	select {
	case how := <-run.Exited():
		err = errors.Join(fmt.Errorf("what nobody killed ended: %w", how), err)
	default:
	}
	if _, ok := rep.firstCreated(); !ok && run.unavailable {
		err = errors.Join(err, errors.New("no lead was taken in after the repair"))
	}
	if late := rep.backlog(); late > takeover {
		err = errors.Join(err, fmt.Errorf("webhooks came %v after the repair", ms(late)))
	}
	if want := run.maxMedian + 2*usual; run.maxMedian > 0 {
		if all := rep.latencies(true); len(all) > 0 && all[len(all)/2] > want {
			err = errors.Join(err, fmt.Errorf("half of the answers in the outage took more than %v, want %v",
				ms(all[len(all)/2]), ms(want)))
		}
	}
	return rep, err
}

// during says when the fault is injected and when it is repaired, around do.
func (run *runner) during(do func() error) error {
	run.was.from = time.Now()
	err := do()
	run.was.until = time.Now()
	return err
}

// awaitAll waits until all webhooks have arrived and no job is pending any more; what is missing then, the ledger
// shows.
func (run *runner) awaitAll(ctx context.Context) error {
	until, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	leads, err := run.countLeads(ctx)
	if err != nil {
		return err
	}
	for _, r := range run.receivers {
		if !r.WaitFor(until, leads*len(loadgen.LeadEvents())) {
			return nil
		}
	}
	return run.awaitIdle(until)
}

// countLeads counts those of the demo workspace.
func (run *runner) countLeads(ctx context.Context) (n int, err error) {
	if err = run.db.GetContext(ctx, &n, "select count(*) from leads where workspace_id = $1", run.workspace); err != nil {
		err = fmt.Errorf("count leads: %w", err)
	}
	return n, err
}

// awaitIdle waits until no job is pending, when all webhooks have arrived.
func (run *runner) awaitIdle(until context.Context) error {
	const pending = `
select (select count(*) from enrichments where workspace_id = $1 and due_at is not null)
     + (select count(*) from enrichment_queue where workspace_id = $1)
     + (select count(*) from deliveries where workspace_id = $1 and state = 'pending')`
	for n := 1; n > 0; {
		if err := run.db.GetContext(context.WithoutCancel(until), &n, pending, run.workspace); err != nil {
			return fmt.Errorf("count pending jobs: %w", err)
		}
		if n > 0 && !pause(until, 50*time.Millisecond) {
			return fmt.Errorf("all webhooks arrived, but %d jobs are still pending", n)
		}
	}
	return nil
}

// readLedger reads what Postgres, the API and the subscribers have.
func (run *runner) readLedger(ctx context.Context, b *ledger) error {
	var rows []struct {
		ID       id.UUID `db:"id"`
		EmailKey string  `db:"email_key"`
	}
	const q = `select id, email_key from leads where workspace_id = $1 order by id`
	if err := run.db.SelectContext(ctx, &rows, q, run.workspace); err != nil {
		return fmt.Errorf("read leads: %w", err)
	}
	for _, r := range rows {
		b.rows = append(b.rows, row{id.Lead.Format(r.ID), r.EmailKey})
	}
	for _, r := range run.receivers {
		b.arrived = append(b.arrived, r.Arrivals())
		b.refused = append(b.refused, r.Refused()...)
	}
	return run.readAll(b)
}

// readAll asks the API for every lead, over a few connections. What it does not show stays out of b.read.
func (run *runner) readAll(b *ledger) error {
	const readers = 4
	b.read = make(map[string]string, len(b.rows))
	var mu sync.Mutex
	var g errgroup.Group
	for first := range readers {
		g.Go(func() error {
			c, err := loadgen.Dial(run.load.addr)
			if err != nil {
				return fmt.Errorf("the gateway takes no connection in the end: %w", err)
			}
			defer c.Close()
			for i := first; i < len(b.rows); i += readers {
				got, err := c.Get("/api/v1/leads/"+b.rows[i].lead, run.Key)
				if err != nil {
					return fmt.Errorf("read a lead: %w", err)
				}
				var shown struct {
					Data struct{ ID, Email, Phone string }
				}
				if err := json.Unmarshal(got.Body, &shown); err != nil || shown.Data.ID != b.rows[i].lead {
					continue
				}
				mu.Lock()
				b.read[shown.Data.ID] = cmp.Or(shown.Data.Email, shown.Data.Phone)
				mu.Unlock()
			}
			return nil
		})
	}
	return g.Wait()
}
