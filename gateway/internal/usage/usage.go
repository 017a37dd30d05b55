// Package usage counts the outcomes of each workspace's leads, day by day, without a statement per request.
package usage

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Outcome is what became of a lead.
type Outcome int

// The outcomes.
const (
	Accepted   Outcome = iota
	Duplicates         // the workspace has a lead with this email
	Rejected           // the request cannot become a lead
	Limited            // the workspace's rate limit refused it
	outcomes           // how many there are
)

const (
	flushInterval = time.Second
	flushTimeout  = 3 * time.Second
	flushRows     = 5000    // of one statement
	maxDays       = 100_000 // days of workspaces that wait to be written
)

// Deps of New.
type Deps struct {
	DB       *pg.DB
	Now      func() time.Time      // nil: time.Now
	Log      *slog.Logger          // nil: slog.Default
	Registry prometheus.Registerer // nil: metrics are kept but not published
}

// Counter counts in memory and writes every second. A process that is killed loses the counts of that second; a write
// whose answer was lost is repeated and counts twice. Counts that cannot be written wait, up to maxDays. A nil Counter
// counts nothing.
type Counter struct {
	db      *pg.DB
	now     func() time.Time
	log     *slog.Logger
	dropped prometheus.Counter
	flusher *lifecycle.Loop

	mu      sync.Mutex
	days    map[workspaceDay]*[outcomes]int64
	failing bool // the last write failed
}

// day is a number of days since 1970-01-01 (UTC).
type day int32

type workspaceDay struct {
	workspace id.UUID
	day       day
}

// New makes a Counter, which writes once it is started.
func New(d Deps) *Counter {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	c := &Counter{db: d.DB, now: d.Now, log: d.Log, days: map[workspaceDay]*[outcomes]int64{}}
	// A write that is cut off may have been committed, and would be counted again.
	c.flusher = lifecycle.Every(flushInterval, func(ctx context.Context) { _ = c.Flush(context.WithoutCancel(ctx)) })
	c.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "leadgate_usage_dropped_total", Help: "Counts of usage lost because too many waited for Postgres.",
	})
	if d.Registry != nil {
		d.Registry.MustRegister(c.dropped)
	}
	return c
}

// Count adds n leads of a workspace to an outcome of today (UTC).
func (c *Counter) Count(workspace id.UUID, outcome Outcome, n int) {
	if c == nil || n <= 0 {
		return
	}
	now := c.now().Unix()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(workspaceDay{workspace, day(now / (24 * 60 * 60))}, outcome, int64(n))
}

// CountRejected counts a rejected lead when err says that the request itself was the reason.
func (c *Counter) CountRejected(workspace id.UUID, err error) {
	if err == nil {
		return
	}
	switch fault.From(err).Kind {
	case fault.Validation, fault.ChatbotNotFound, fault.MediaType, fault.TooLarge, fault.Timeout, fault.Suppressed,
		fault.SuppressedPhone:
		c.Count(workspace, Rejected, 1)
	}
}

func (c *Counter) add(k workspaceDay, outcome Outcome, n int64) {
	counts := c.days[k]
	if counts == nil {
		if len(c.days) >= maxDays {
			c.dropped.Add(float64(n))
			return
		}
		counts = new([outcomes]int64)
		c.days[k] = counts
	}
	counts[outcome] += n
}

// Start begins to write, every second.
func (c *Counter) Start() { c.flusher.Start() }

// Stop writes what is left. Called again, it writes what was counted since.
func (c *Counter) Stop(ctx context.Context) error {
	c.flusher.Stop()
	return c.Flush(ctx)
}

// Flush writes the counts since the last call. Those that cannot be written wait for the next; a failure is logged.
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
		batch := rows[:min(len(rows), flushRows)]
		if err := c.write(ctx, batch); err != nil {
			c.putBack(rows)
			return err
		}
		rows = rows[len(batch):]
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
		c.log.Warn("write usage failed", "error", err.Error())
	case changed:
		c.log.Info("write usage recovered")
	}
	return err
}

// putBack keeps the counts that could not be written for the next flush.
func (c *Counter) putBack(rows []tenant.Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range rows {
		k := workspaceDay{u.WorkspaceID, day(u.Day.Unix() / (24 * 60 * 60))}
		for outcome, n := range [outcomes]int64{u.Accepted, u.Duplicates, u.Rejected, u.Limited} {
			if n > 0 {
				c.add(k, Outcome(outcome), n)
			}
		}
	}
}
