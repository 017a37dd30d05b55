package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadgate/shared/loadgen"
)

// contender is one of those compared, round by round.
type contender struct {
	name  string
	do    func(conns int) (call, func(), error)
	rates []float64
	last  *result
	cpu   string
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
			{name: "leadgate", do: b.posts(strings.TrimPrefix(b.URL, "http://"), "/api/v1/chatbots/"+b.ChatbotID+"/leads",
				b.Key)},
		}
		for range b.rounds {
			for _, c := range all {
				if err := b.measure(ctx, c, conns); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
		}
		b.printf("%d connections, median of %d rounds of %v", conns, b.rounds, b.duration)
		for _, c := range all {
			b.printf("%-26s %8.0f/s   last round: %v", c.name, median(c.rates), c.last)
		}
		ours := all[len(all)-1]
		if ours.cpu != "" {
			b.printf("%-26s %s", "", ours.cpu)
		}
		for _, c := range all[:len(all)-1] {
			b.printf("leadgate : %-20s %.2f", c.name, median(ours.rates)/median(c.rates))
		}
	}
	return nil
}

// bareInserts inserts one row for each lead, without HTTP.
func (b *bench) bareInserts(ctx context.Context) *contender {
	return &contender{name: "INSERT, one prepared row", do: func(int) (call, func(), error) {
		return b.base.inserts(ctx, b.nextRun()), func() {}, nil
	}}
}

func (b *bench) measure(ctx context.Context, c *contender, conns int) error {
	do, done, err := c.do(conns)
	if err != nil {
		return err
	}
	defer done()
	before := b.cpu()
	res, err := closedLoop(ctx, conns, b.duration, do)
	if err != nil {
		return err
	}
	c.cpu = b.cpu().per(before, res.accepted, "lead")
	c.rates, c.last = append(c.rates, res.rate()), res
	return b.awaitAllIdle(ctx)
}

// posts makes leads of a new run at addr over one connection per worker.
func (b *bench) posts(addr, path, key string) func(conns int) (call, func(), error) {
	return func(conns int) (call, func(), error) { return postsOf(b.nextRun(), addr, path, key, conns) }
}

func postsOf(run, addr, path, key string, conns int) (do call, done func(), err error) {
	all := make([]*loadgen.Conn, conns)
	done = func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	}
	bodies := make([][]byte, conns)
	for i := range all {
		if all[i], err = loadgen.Dial(addr); err != nil {
			done()
			return nil, nil, err
		}
	}
	return func(worker int, n int64) (int, error) {
		bodies[worker] = leadBody(bodies[worker][:0], run, n)
		got, err := all[worker].Post(path, key, bodies[worker])
		return got.Status, err
	}, done, nil
}

// leadBody appends the contract's example lead with an email of its own.
func leadBody(dst []byte, run string, n int64) []byte {
	return loadgen.AppendLead(dst, emailOf(run)+strconv.FormatInt(n, 10)+"@example.com")
}

// emailOf is what the emails of a run begin with; a number follows.
func emailOf(run string) string { return "john.doe." + run + "." }

// awaitAllIdle waits until the worker has done what the measurement left it, so that the next one has the machine to
// itself.
func (b *bench) awaitAllIdle(ctx context.Context) error {
	const pending = `select (select count(*) from enrichments where due_at is not null) + (select count(*) from deliveries where state = 'pending')`
	return until(ctx, func() (n int64, err error) {
		err = b.base.db.QueryRowContext(ctx, pending).Scan(&n)
		return n, err
	})
}

// until polls until nothing is left, for two minutes at most.
func until(ctx context.Context, left func() (int64, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		n, err := left()
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d jobs are still pending after two minutes", n)
		}
	}
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// open sends at a fixed rate, whatever the answers do.
func (b *bench) open(ctx context.Context) error {
	for _, perSecond := range []int{100, 1000, 3000} {
		do, done, err := b.posts(strings.TrimPrefix(b.URL, "http://"), "/api/v1/leads", b.Key)(256)
		if err != nil {
			return err
		}
		res, err := openLoop(ctx, 256, perSecond, b.duration, do)
		done()
		if err != nil {
			return err
		}
		b.printf("%5d/s offered: %v", perSecond, res)
		if err := b.awaitAllIdle(ctx); err != nil {
			return err
		}
	}
	return nil
}
