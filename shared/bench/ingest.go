package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"leadgate/shared/loadgen"
)

// contender is one of those compared, round by round.
type contender struct {
	name  string
	do    func(conns int) (call, func(), error)
	rates []float64
	last  *result
	sum   usage // of all rounds
	leads int
}

// ingest compares accepted leads per second, closed loop: the baselines, and leadgate with everything on.
func (b *bench) ingest(ctx context.Context) error {
	rows, stop, err := b.startRows(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, conns := range b.conns {
		all := []*contender{
			b.bareInserts(ctx),
			{name: "bare handler", do: b.posts(rows, "/bare", "none")},
			{name: "handler, row by row", do: b.posts(rows, "/facts", "none")},
			{name: "leadgate", do: b.posts(b.addr(), "/api/v1/chatbots/"+b.ChatbotID+"/leads", b.Key)},
		}
		memory := watchMemory(ctx, b.Gateway().PID(), b.Workers()[0].PID())
		for round := range b.rounds {
			for _, c := range all {
				b.step("%d connections, round %d of %d: %s", conns, round+1, b.rounds, c.name)
				if err := b.contend(ctx, c, conns); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
		}
		b.printf("%d connections, median of %d rounds of %v", conns, b.rounds, b.duration)
		name := fmt.Sprintf("%d connections", conns)
		b.compared(name, all)
		b.memoryFigures(name, memory())
	}
	return nil
}

// compared prints what contenders reached, the last of whom is ours.
func (b *bench) compared(name string, all []*contender) {
	ours := all[len(all)-1]
	for _, c := range all {
		b.printf("%-26s %8.0f/s   last round: %v", c.name, median(c.rates), c.last)
	}
	b.figures(name, ours.last)
	b.figure(name, "rate", median(ours.rates), "1/s")
	for _, c := range all[:len(all)-1] {
		b.printf("leadgate : %-20s %.2f", c.name, median(ours.rates)/median(c.rates))
		b.figure(name, "rate_"+slug(c.name), median(c.rates), "1/s")
		b.figure(name, "times_"+slug(c.name), median(ours.rates)/median(c.rates), "ratio")
	}
	b.used(name, ours.sum, per{ours.leads, "lead"})
}

// bareInserts inserts one row for each lead, without HTTP.
func (b *bench) bareInserts(ctx context.Context) *contender {
	return &contender{name: "INSERT, one prepared row", do: func(int) (call, func(), error) {
		return b.base.inserts(ctx, b.nextRun()), func() {}, nil
	}}
}

// contend has a contender make leads for one round.
func (b *bench) contend(ctx context.Context, c *contender, conns int) error {
	do, done, err := c.do(conns)
	if err != nil {
		return err
	}
	defer done()
	u, err := b.metered(ctx, func() error {
		if c.last, err = closedLoop(ctx, conns, b.duration, do); err != nil {
			return err
		}
		return b.awaitAllIdle(ctx)
	})
	if err != nil {
		return err
	}
	c.rates, c.leads = append(c.rates, c.last.rate()), c.leads+c.last.accepted
	c.sum.add(u)
	return nil
}

// addr is where the gateway listens.
func (b *bench) addr() string { return strings.TrimPrefix(b.URL, "http://") }

// posts makes leads of a new run at addr over one connection per worker.
func (b *bench) posts(addr, path, key string) func(conns int) (call, func(), error) {
	return func(conns int) (call, func(), error) { return postsOf(b.nextRun(), addr, path, key, conns) }
}

func postsOf(run, addr, path, key string, conns int) (do call, done func(), err error) {
	return postsBy(run, addr, path, func(int64) string { return key }, conns)
}

// postsBy is postsOf with a key for each lead.
func postsBy(run, addr, path string, key func(n int64) string, conns int) (do call, done func(), err error) {
	all, done, err := dial(addr, conns)
	if err != nil {
		return nil, nil, err
	}
	bodies := make([][]byte, conns)
	return func(worker int, n int64) (int, error) {
		bodies[worker] = leadBody(bodies[worker][:0], run, n)
		got, err := all[worker].Post(path, key(n), bodies[worker])
		return got.Status, err
	}, done, nil
}

// dial makes so many connections, and what closes them.
func dial(addr string, conns int) (all []*loadgen.Conn, done func(), err error) {
	done = func() {
		for _, c := range all {
			c.Close()
		}
	}
	for range conns {
		c, err := loadgen.Dial(addr)
		if err != nil {
			done()
			return nil, nil, err
		}
		all = append(all, c)
	}
	return all, done, nil
}

// leadBody appends the contract's example lead with an email of its own.
func leadBody(dst []byte, run string, n int64) []byte {
	return loadgen.AppendLead(dst, emailOf(run)+strconv.FormatInt(n, 10)+"@example.com")
}

// emailOf is what the emails of a run begin with; a number follows.
func emailOf(run string) string { return "john.doe." + run + "." }

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
