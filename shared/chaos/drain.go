package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/rdb"
	"leadgate/shared/webhook"
)

// drains are the scenarios in which a backlog is going out when something breaks.
func drains() []scenario {
	return []scenario{
		{name: "drain-worker-kill", what: "the worker is killed while it drains a backlog, and started again", drain: killDraining},
		{name: "drain-flush", what: "Redis is flushed while a backlog is drained", drain: flushDraining},
		{name: "drain-postgres", what: "Postgres dies while a backlog is drained, and is started again", drain: stopPostgresDraining},
		{name: "drain-worker-flush", what: "the worker is killed while it drains a backlog, Redis is flushed, and the worker is started again", drain: killAndFlushDraining},
	}
}

// drained is the numbers of a drain.
type drained struct {
	outage
	backlog        int
	sent, recorded int // at the blow: deliveries that had arrived, and those that Postgres knew to have
	began, ended   time.Time
	again          int
	stall          time.Duration
}

// inFlight is how many deliveries had been sent without that being recorded when the blow fell. They are all that may come again.
func (d *drained) inFlight() int { return max(0, d.sent-d.recorded) }

func (d *drained) String() string {
	if d == nil {
		return ""
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "  %d deliveries waited; the blow fell when %d had arrived and %d were recorded: %d in flight\n", d.backlog, d.sent, d.recorded, d.inFlight())
	fmt.Fprintf(b, "  broken for %v; the last arrived %v after the first, silence up to %v; %d came again\n", ms(d.until.Sub(d.from)), ms(d.ended.Sub(d.began)), ms(d.stall), d.again)
	return b.String()
}

// drainBacklog lets deliveries pile up while no worker runs, has it drain them, and breaks something in the middle.
func (t *trial) drainBacklog(ctx context.Context) (*drained, error) {
	worker, r := t.Workers()[0], t.receivers[0]
	worker.Kill()
	workspace, err := id.Workspace.Parse(t.WorkspaceID)
	if err != nil {
		return nil, err
	}
	if err := (loadgen.Fill{Workspace: workspace, Run: t.name, Leads: t.backlog}).Into(ctx, t.db); err != nil {
		return nil, err
	}
	d := &drained{backlog: t.backlog}
	if err := worker.Start(ctx); err != nil {
		return d, err
	}
	if !r.WaitFor(ctx, 1) {
		return d, errors.New("the drain did not begin")
	}
	d.began = time.Now()
	if !r.WaitFor(ctx, t.backlog*3/10) {
		return d, errors.New("the drain stopped before the blow")
	}
	err = t.drain(ctx, t, d)
	t.loaded()
	d.outage = t.was
	if err != nil {
		return d, err
	}
	until, cancel := context.WithTimeout(ctx, takeover+time.Duration(t.backlog)*time.Millisecond)
	defer cancel()
	all := r.WaitFor(until, t.backlog)
	d.ended = time.Now()
	if all {
		err = t.owed(until) // what is missing, the books show
	}
	arrivals, distinct := r.Count()
	d.again, d.stall = arrivals-distinct, r.Stall()
	return d, errors.Join(err, t.checkDrain(ctx, d))
}

// checkDrain reads the books of a drain and checks them.
func (t *trial) checkDrain(ctx context.Context, d *drained) error {
	r := t.receivers[0]
	b := drainBooks{drained: d, arrived: r.Arrivals()[webhook.LeadCreated], refused: r.Refused()}
	var leads []id.UUID
	err := t.db.SelectContext(ctx, &leads, "select id from leads")
	for _, l := range leads {
		b.leads = append(b.leads, id.Lead.Format(l))
	}
	if err == nil {
		b.delivered, err = t.recorded(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the books: %w", err)
	}
	select {
	case how := <-t.Exited():
		err = fmt.Errorf("what nobody killed ended: %w", how)
	default:
	}
	return errors.Join(err, b.check())
}

// drainBooks is all that is known when a drain is over.
type drainBooks struct {
	*drained
	leads     []string
	arrived   map[string]loadgen.Arrival // by lead
	delivered int                        // deliveries recorded as such
	refused   []string
}

// check returns what is not as promised: all arrived, is recorded, and came again only if it was in flight.
func (b *drainBooks) check() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if len(b.leads) != b.backlog {
		say("Postgres has %d leads, but %d were put in", len(b.leads), b.backlog)
	}
	if b.delivered != b.backlog {
		say("%d of %d deliveries are recorded as delivered", b.delivered, b.backlog)
	}
	if b.again > b.inFlight() {
		say("%d came again, though only %d were in flight", b.again, b.inFlight())
	}
	if more := len(b.arrived) - len(b.leads); more > 0 {
		say("%d webhooks of leads that do not exist arrived", more)
	}
	for _, l := range b.leads {
		if b.arrived[l].Times == 0 {
			say("%s of %s never arrived", webhook.LeadCreated, l)
		}
	}
	for _, why := range b.refused {
		say("a webhook does not verify: %s", why)
	}
	return few(wrong)
}

// recorded is how many deliveries Postgres knows to have arrived.
func (t *trial) recorded(ctx context.Context) (n int, err error) {
	err = t.db.GetContext(ctx, &n, "select count(*) from deliveries where state = 'delivered'")
	return n, err
}

func (d *drained) arrivedAt(r *loadgen.Receiver) { _, d.sent = r.Count() }

// afterlife is what a killed worker's last requests, and its statements, may still take.
const afterlife = 200 * time.Millisecond

func killDraining(ctx context.Context, t *trial, d *drained) error {
	return t.during(func() (err error) {
		t.Workers()[0].Kill()
		pause(ctx, afterlife)
		d.arrivedAt(t.receivers[0])
		if d.recorded, err = t.recorded(ctx); err != nil {
			return err
		}
		return t.Workers()[0].Start(ctx)
	})
}

func killAndFlushDraining(ctx context.Context, t *trial, d *drained) error {
	return t.during(func() (err error) {
		t.Workers()[0].Kill()
		if err := t.flushRedis(ctx); err != nil {
			return err
		}
		pause(ctx, afterlife)
		d.arrivedAt(t.receivers[0])
		if d.recorded, err = t.recorded(ctx); err != nil {
			return err
		}
		return t.Workers()[0].Start(ctx)
	})
}

func flushDraining(ctx context.Context, t *trial, d *drained) (err error) {
	if d.recorded, err = t.recorded(ctx); err != nil {
		return err
	}
	return t.during(func() error {
		err := t.flushRedis(ctx)
		d.arrivedAt(t.receivers[0])
		return err
	})
}

func stopPostgresDraining(ctx context.Context, t *trial, d *drained) (err error) {
	if d.recorded, err = t.recorded(ctx); err != nil {
		return err
	}
	return t.during(func() error {
		t.Postgres.Kill()
		pause(ctx, t.outage/5)
		d.arrivedAt(t.receivers[0]) // what had been taken before went on being sent
		return t.Postgres.Start(ctx)
	})
}

func (t *trial) flushRedis(ctx context.Context) error {
	c, err := rdb.Open(t.RedisURL, rdb.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}
