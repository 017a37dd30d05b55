// Package usage counts what the leads of each workspace come to, day by day, without a statement per request.
package usage

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Outcome is what became of a lead.
type Outcome int

// What can become of it.
const (
	Accepted Outcome = iota
	Duplicates
	Rejected // what was sent cannot be a lead
	Limited
	outcomes
)

const (
	flushEvery   = time.Second
	flushTimeout = 3 * time.Second
	flushRows    = 5000    // in one statement
	maxDays      = 100_000 // of workspaces, that wait to be written
)

// Deps of New.
type Deps struct {
	DB       *pg.DB
	Now      func() time.Time      // nil: time.Now
	Log      *slog.Logger          // nil: slog.Default
	Registry prometheus.Registerer // nil: metrics are kept but not published
}

// Counter adds up in memory and writes every second. A process that is killed loses what it counted in that second; a commit whose
// answer was lost is counted again. What cannot be written waits, as far as there is room. A nil Counter counts nothing.
type Counter struct {
	db      *pg.DB
	now     func() time.Time
	log     *slog.Logger
	dropped prometheus.Counter

	mu      sync.Mutex
	days    map[workspaceDay]*[outcomes]int64
	failing bool // the last time nothing could be written

	begin  sync.Once
	end    sync.Once
	quit   chan struct{}
	ticker sync.WaitGroup
}

// day is days since 1970.
type day int32

type workspaceDay struct {
	workspace id.UUID
	day       day
}

// New makes a Counter; Start lets it write.
func New(d Deps) *Counter {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	c := &Counter{db: d.DB, now: d.Now, log: d.Log, days: map[workspaceDay]*[outcomes]int64{}, quit: make(chan struct{})}
	c.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "leadgate_usage_dropped_total", Help: "Counts of usage that were lost because too many waited for Postgres.",
	})
	if d.Registry != nil {
		d.Registry.MustRegister(c.dropped)
	}
	return c
}

// Count adds n to what became of a workspace's leads today (UTC).
func (c *Counter) Count(workspace id.UUID, what Outcome, n int) {
	if c == nil || n <= 0 {
		return
	}
	now := c.now().Unix()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(workspaceDay{workspace, day(now / (24 * 60 * 60))}, what, int64(n))
}

// CountRejected counts a rejected lead when err says that the request itself was the reason.
func (c *Counter) CountRejected(workspace id.UUID, err error) {
	if err == nil {
		return
	}
	switch fault.From(err).Kind {
	case fault.Validation, fault.ChatbotNotFound, fault.MediaType, fault.TooLarge, fault.Timeout, fault.Suppressed:
		c.Count(workspace, Rejected, 1)
	}
}

func (c *Counter) add(k workspaceDay, what Outcome, n int64) {
	counts := c.days[k]
	if counts == nil {
		if len(c.days) >= maxDays {
			c.dropped.Add(float64(n))
			return
		}
		counts = new([outcomes]int64)
		c.days[k] = counts
	}
	counts[what] += n
}

// Start begins to write, every second.
func (c *Counter) Start() {
	c.begin.Do(func() {
		c.ticker.Go(func() {
			t := time.NewTicker(flushEvery)
			defer t.Stop()
			for {
				select {
				case <-t.C:
					_ = c.Flush(context.Background()) // the log has it
				case <-c.quit:
					return
				}
			}
		})
	})
}

// Stop writes what is left and returns; again it writes what came since.
func (c *Counter) Stop(ctx context.Context) error {
	c.end.Do(func() { close(c.quit) })
	c.ticker.Wait()
	return c.Flush(ctx)
}

// Flush writes what was counted since the last time.
func (c *Counter) Flush(ctx context.Context) error {
	c.mu.Lock()
	taken := c.days
	c.days = make(map[workspaceDay]*[outcomes]int64, len(taken))
	c.mu.Unlock()
	rows := make([]tenant.Usage, 0, len(taken))
	for k, n := range taken {
		rows = append(rows, tenant.Usage{
			WorkspaceID: k.workspace, Day: time.Unix(int64(k.day)*24*60*60, 0).UTC(),
			Accepted: n[Accepted], Duplicates: n[Duplicates], Rejected: n[Rejected], Limited: n[Limited],
		})
	}
	for len(rows) > 0 {
		some := rows[:min(len(rows), flushRows)]
		if err := c.write(ctx, some); err != nil {
			c.putBack(rows)
			return err
		}
		rows = rows[len(some):]
	}
	return nil
}

func (c *Counter) write(ctx context.Context, rows []tenant.Usage) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	err := c.db.AddUsage(ctx, rows)
	c.mu.Lock()
	changed := c.failing != (err != nil)
	c.failing = err != nil
	c.mu.Unlock()
	switch {
	case changed && err != nil:
		c.log.Warn("usage not written; it waits", "error", err.Error())
	case changed:
		c.log.Info("usage is written again")
	}
	return err
}

// putBack keeps what could not be written for the next time.
func (c *Counter) putBack(rows []tenant.Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range rows {
		k := workspaceDay{u.WorkspaceID, day(u.Day.Unix() / (24 * 60 * 60))}
		for what, n := range [outcomes]int64{u.Accepted, u.Duplicates, u.Rejected, u.Limited} {
			if n > 0 {
				c.add(k, Outcome(what), n)
			}
		}
	}
}
