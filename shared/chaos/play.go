package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/devstack"
	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// takeover is how long after a blow, or after the last post, every webhook must have arrived.
const takeover = 60 * time.Second

// errStandIn is why a scenario cannot be played without redis-server.
var errStandIn = errors.New("no redis-server here, and the stand-in is a part of this process, which cannot be frozen without freezing the load")

// trial is one scenario being played.
type trial struct {
	*devstack.System
	scenario
	options
	said      *parts
	db        *pg.DB
	receivers []*loadgen.Receiver
	load      load
	outage    time.Duration // how long what is broken stays so
	was       outage        // when it really was so
}

// play runs the scenario on a system of its own: load --> blow --> repair --> the rest of the load --> all webhooks --> the books.
// The report has the numbers, as far as it came to any; the error is what was violated, or could not be done.
func (s scenario) play(ctx context.Context, opt options) (report string, err error) {
	limit := opt.duration + 4*time.Minute
	if s.imports != nil {
		limit += importLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said, err := listen(opt.logs, s.name)
	if err != nil {
		return "", err
	}
	defer said.close()
	sys, err := devstack.Start(ctx, devstack.SystemOptions{Bin: opt.bin, Workers: s.workers, Durable: !s.forgetful, InProcess: opt.inProcess, Getenv: opt.getenv, Output: said.part})
	if err != nil {
		return "", err
	}
	defer sys.Stop()
	if s.freezes && sys.Redis.PID() == 0 {
		return "", errStandIn
	}
	t := &trial{System: sys, scenario: s, options: opt, said: said, outage: opt.duration / 2}
	if t.db, err = pg.Open(sys.DatabaseURL, pg.Options{MaxConns: 4, Application: "leadgate chaos"}); err != nil {
		return "", err
	}
	defer t.db.Close()
	if s.imports != nil {
		return s.imports(ctx, t)
	}
	for range max(1, s.subscribers) {
		r, err := loadgen.Receive(s.hold)
		if err != nil {
			return "", err
		}
		defer r.Close()
		if err := r.Subscribe(ctx, sys.URL, sys.Key, s.events()...); err != nil {
			return "", err
		}
		t.receivers = append(t.receivers, r)
	}
	if s.drain != nil {
		d, err := t.drainBacklog(ctx)
		return d.String(), err
	}
	if s.retry != nil {
		r, err := t.runRetries(ctx)
		return r.String(), err
	}
	r, err := t.run(ctx)
	return r.String(), err
}

// events are what subscribers are told of.
func (s scenario) events() []string {
	if s.drain != nil {
		return []string{webhook.LeadCreated} // each lead is one delivery of the backlog
	}
	return loadgen.LeadEvents()
}

func (t *trial) run(ctx context.Context) (*report, error) {
	rep := &report{books: &books{rules: t.rules, spell: func(n int) string { return t.load.email(n, 0) }}, began: time.Now()}
	if rep.books.slowest == 0 {
		rep.books.slowest = 5 * time.Second
	}
	t.load.addr, t.load.path, t.load.key = strings.TrimPrefix(t.URL, "http://"), "/api/v1/chatbots/"+t.ChatbotID+"/leads", t.Key
	t.load.run, t.load.conns, t.load.rate = t.name, t.conns, t.rate
	t.load.start(ctx)
	pause(ctx, t.duration/4)
	err := t.blow(ctx, t)
	if !t.quiet {
		pause(ctx, t.duration/4)
	}
	rep.books.answers = t.load.end()
	rep.ended, rep.outage = time.Now(), t.was
	t.loaded()
	if err != nil {
		return rep, err
	}
	if err := t.settle(ctx); err != nil {
		return rep, err
	}
	if err := t.readBooks(ctx, rep.books); err != nil {
		return rep, err
	}
	for _, r := range t.receivers {
		rep.stall = max(rep.stall, r.Stall())
	}
	err = rep.books.check()
	select {
	case how := <-t.Exited():
		err = errors.Join(fmt.Errorf("what nobody killed ended: %w", how), err)
	default:
	}
	if _, ok := rep.firstCreated(); !ok && t.unavailable {
		err = errors.Join(err, errors.New("no lead was taken in after the repair"))
	}
	if late := rep.backlog(); late > takeover {
		err = errors.Join(err, fmt.Errorf("webhooks came %v after the repair", ms(late)))
	}
	if t.brisk > 0 {
		if all := rep.latencies(true); len(all) > 0 && all[len(all)/2] > t.brisk {
			err = errors.Join(err, fmt.Errorf("half of the answers in the outage took more than %v, want %v", ms(all[len(all)/2]), t.brisk))
		}
	}
	return rep, err
}

// during says when the blow falls and when all is repaired, around do.
func (t *trial) during(do func() error) error {
	t.was.from = time.Now()
	err := do()
	t.was.until = time.Now()
	return err
}

// settle waits until all webhooks have arrived and nothing is owed any more; what is missing then, the books show.
func (t *trial) settle(ctx context.Context) error {
	until, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	var leads int
	if err := t.db.GetContext(ctx, &leads, "select count(*) from leads"); err != nil {
		return fmt.Errorf("count leads: %w", err)
	}
	for _, r := range t.receivers {
		if !r.WaitFor(until, leads*len(loadgen.LeadEvents())) {
			return nil
		}
	}
	return t.owed(until)
}

// owed waits until nothing is, when all webhooks have arrived.
func (t *trial) owed(until context.Context) error {
	const owed = `select (select count(*) from enrichments where due_at is not null) + (select count(*) from deliveries where state = 'pending')`
	for n := 1; n > 0; {
		if err := t.db.GetContext(context.WithoutCancel(until), &n, owed); err != nil {
			return fmt.Errorf("count what is owed: %w", err)
		}
		if n > 0 && !pause(until, 50*time.Millisecond) {
			return fmt.Errorf("all webhooks arrived, but %d jobs are still owed", n)
		}
	}
	return nil
}

// readBooks reads what Postgres, the API and the subscribers have.
func (t *trial) readBooks(ctx context.Context, b *books) error {
	var rows []struct {
		ID       id.UUID `db:"id"`
		EmailKey string  `db:"email_key"`
	}
	if err := t.db.SelectContext(ctx, &rows, "select id, email_key from leads order by id"); err != nil {
		return fmt.Errorf("read leads: %w", err)
	}
	for _, r := range rows {
		b.rows = append(b.rows, row{id.Lead.Format(r.ID), r.EmailKey})
	}
	for _, r := range t.receivers {
		b.arrived = append(b.arrived, r.Arrivals())
		b.refused = append(b.refused, r.Refused()...)
	}
	return t.readAll(b)
}

// readAll asks the API for every lead, over a few connections. What it does not show stays out of b.read.
func (t *trial) readAll(b *books) error {
	const readers = 4
	b.read = make(map[string]string, len(b.rows))
	var mu sync.Mutex
	var g errgroup.Group
	for first := range readers {
		g.Go(func() error {
			c, err := loadgen.Dial(t.load.addr)
			if err != nil {
				return fmt.Errorf("the gateway takes no connection in the end: %w", err)
			}
			defer c.Close()
			for i := first; i < len(b.rows); i += readers {
				got, err := c.Get("/api/v1/leads/"+b.rows[i].lead, t.Key)
				if err != nil {
					return fmt.Errorf("read a lead: %w", err)
				}
				var said struct{ Data struct{ ID, Email string } }
				if err := json.Unmarshal(got.Body, &said); err != nil || said.Data.ID != b.rows[i].lead {
					continue
				}
				mu.Lock()
				b.read[said.Data.ID] = said.Data.Email
				mu.Unlock()
			}
			return nil
		})
	}
	return g.Wait()
}
