package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/rdb"
	"leadgate/shared/webhook"
)

// drains are the scenarios in which a backlog is going out when something breaks.
func drains() []scenario {
	return []scenario{
		{name: "drain-worker-kill", what: "the worker is killed while it drains a backlog, and started again",
			drain: killDraining},
		{name: "drain-batched-worker-kill",
			what:  "the worker is killed while it drains to an endpoint that takes 100 events in a request, and started again",
			batch: &client.WebhookBatch{Max: webhook.MaxBatch}, drain: killDraining},
		{name: "drain-flush", what: "Redis is flushed while a backlog is drained", drain: flushDraining},
		{name: "drain-postgres", what: "Postgres dies while a backlog is drained, and is started again",
			drain: stopPostgresDraining},
		{name: "drain-worker-flush",
			what:  "the worker is killed while it drains a backlog, Redis is flushed, and the worker is started again",
			short: true, drain: killAndFlushDraining},
	}
}

// drained is the numbers of a drain.
type drained struct {
	outage
	backlog        int
	sent, recorded int // at the inject: deliveries that had arrived, and those that Postgres knew to have
	began, ended   time.Time
	again          int
	stall          time.Duration
}

// inFlight is how many deliveries had been sent without that being recorded when the fault was injected. They are all
// that may come again.
func (d *drained) inFlight() int { return max(0, d.sent-d.recorded) }

func (d *drained) String() string {
	if d == nil {
		return ""
	}
	b := &strings.Builder{}
	fmt.Fprintf(b,
		"  %d deliveries waited; the fault was injected when %d had arrived and %d were recorded: %d in flight\n", d.backlog,
		d.sent, d.recorded, d.inFlight())
	fmt.Fprintf(b, "  broken for %v; the last arrived %v after the first, silence up to %v; %d came again\n",
		ms(d.until.Sub(d.from)), ms(d.ended.Sub(d.began)), ms(d.stall), d.again)
	return b.String()
}

// drainBacklog lets deliveries pile up while no worker runs, has it drain them, and breaks something in the middle.
func (run *runner) drainBacklog(ctx context.Context) (*drained, error) {
	worker, r := run.Workers()[0], run.receivers[0]
	worker.Kill()
	if err := (loadgen.Fill{Workspace: run.workspace, Run: run.name, Leads: run.backlog}).Into(ctx, run.db); err != nil {
		return nil, err
	}
	// A backlog is what has waited for a while: a worker reads such a one ahead.
	const waited = "update deliveries set next_at = next_at - interval '1 minute' where state = 'pending'"
	if _, err := run.db.ExecContext(ctx, waited); err != nil {
		return nil, err
	}
	d := &drained{backlog: run.backlog}
	if err := worker.Start(ctx); err != nil {
		return d, err
	}
	if !r.WaitFor(ctx, 1) {
		return d, errors.New("the drain did not begin")
	}
	d.began = time.Now()
	if !r.WaitFor(ctx, run.backlog*3/10) {
		return d, errors.New("the drain stopped before the fault")
	}
	err := run.drain(ctx, run, d)
	run.loaded()
	d.outage = run.was
	if err != nil {
		return d, err
	}
	until, cancel := context.WithTimeout(ctx, takeover+time.Duration(run.backlog)*time.Millisecond)
	defer cancel()
	all := r.WaitFor(until, run.backlog)
	d.ended = time.Now()
	if all {
		err = run.awaitIdle(until) // what is missing, the ledger shows
	}
	arrivals, distinct := r.Count()
	d.again, d.stall = arrivals-distinct, r.Stall()
	return d, errors.Join(err, run.checkDrain(ctx, d))
}

// checkDrain reads the ledger of a drain and checks them.
func (run *runner) checkDrain(ctx context.Context, d *drained) error {
	r := run.receivers[0]
	b := drainLedger{drained: d, arrived: r.Arrivals()[webhook.LeadCreated], refused: r.Refused()}
	var leads []id.UUID
	err := run.db.SelectContext(ctx, &leads, "select id from leads")
	for _, l := range leads {
		b.leads = append(b.leads, id.Lead.Format(l))
	}
	if err == nil {
		b.delivered, err = run.recorded(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	select {
	case how := <-run.Exited():
		err = fmt.Errorf("what nobody killed ended: %w", how)
	default:
	}
	return errors.Join(err, b.check())
}

// drainLedger is all that is known when a drain is over.
type drainLedger struct {
	*drained
	leads     []string
	arrived   map[string]loadgen.Arrival // by lead
	delivered int                        // deliveries recorded as such
	refused   []string
}

// check returns what is not as promised: all arrived, is recorded, and came again only if it was in flight.
func (b *drainLedger) check() error {
	var violations []error
	violated := func(format string, args ...any) { violations = append(violations, fmt.Errorf(format, args...)) }
	if len(b.leads) != b.backlog {
		violated("Postgres has %d leads, but %d were put in", len(b.leads), b.backlog)
	}
	if b.delivered != b.backlog {
		violated("%d of %d deliveries are recorded as delivered", b.delivered, b.backlog)
	}
	if b.again > b.inFlight() {
		violated("%d came again, though only %d were in flight", b.again, b.inFlight())
	}
	if more := len(b.arrived) - len(b.leads); more > 0 {
		violated("%d webhooks of leads that do not exist arrived", more)
	}
	for _, l := range b.leads {
		if b.arrived[l].Times == 0 {
			violated("%s of %s never arrived", webhook.LeadCreated, l)
		}
	}
	for _, why := range b.refused {
		violated("a webhook does not verify: %s", why)
	}
	return joinFirst(violations)
}

// recorded is how many deliveries Postgres knows to have arrived.
func (run *runner) recorded(ctx context.Context) (n int, err error) {
	err = run.db.GetContext(ctx, &n, "select count(*) from deliveries where state = 'delivered'")
	return n, err
}

func (d *drained) noteSent(r *loadgen.Receiver) { _, d.sent = r.Count() }

// killLag is how long a killed worker's last requests, and its statements, may still take.
const killLag = 200 * time.Millisecond

func killDraining(ctx context.Context, run *runner, d *drained) error {
	return run.during(func() (err error) {
		run.Workers()[0].Kill()
		pause(ctx, killLag)
		d.noteSent(run.receivers[0])
		if d.recorded, err = run.recorded(ctx); err != nil {
			return err
		}
		return run.Workers()[0].Start(ctx)
	})
}

func killAndFlushDraining(ctx context.Context, run *runner, d *drained) error {
	return run.during(func() (err error) {
		run.Workers()[0].Kill()
		if err := run.flushRedis(ctx); err != nil {
			return err
		}
		pause(ctx, killLag)
		d.noteSent(run.receivers[0])
		if d.recorded, err = run.recorded(ctx); err != nil {
			return err
		}
		return run.Workers()[0].Start(ctx)
	})
}

func flushDraining(ctx context.Context, run *runner, d *drained) (err error) {
	if d.recorded, err = run.recorded(ctx); err != nil {
		return err
	}
	return run.during(func() error {
		err := run.flushRedis(ctx)
		d.noteSent(run.receivers[0])
		return err
	})
}

func stopPostgresDraining(ctx context.Context, run *runner, d *drained) (err error) {
	if d.recorded, err = run.recorded(ctx); err != nil {
		return err
	}
	return run.during(func() error {
		run.Postgres.Kill()
		pause(ctx, run.outage/5)
		d.noteSent(run.receivers[0]) // what had been taken before went on being sent
		return run.Postgres.Start(ctx)
	})
}

func (run *runner) flushRedis(ctx context.Context) error {
	c, err := rdb.Open(run.RedisURL, rdb.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}
