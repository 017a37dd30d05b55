package usage_test

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/usage"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return noon.Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

func counter(db *pg.DB, c *clock) *usage.Counter {
	return usage.New(usage.Deps{DB: db, Now: c.now, Log: slog.New(slog.DiscardHandler)})
}

func want(t *testing.T, db *pg.DB, when string, workspace id.UUID, days ...tenant.Usage) {
	t.Helper()
	got, err := db.ReadUsage(t.Context(), workspace, noon.AddDate(0, -1, 0), noon.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range days {
		days[i].WorkspaceID = workspace
	}
	if diff := cmp.Diff(days, got); diff != "" {
		t.Errorf("%s: usage (-want +got):\n%s", when, diff)
	}
}

// Two gateways count for the same workspaces from many goroutines, stop, and start anew: every count is there once.
func TestNothingIsLostBetweenProcesses(t *testing.T) {
	t.Parallel()
	db, now := pgtest.New(t), &clock{}
	mine, theirs := id.New(), id.New()
	for range 2 {
		gateways := []*usage.Counter{counter(db, now), counter(db, now)}
		var counting, stopping sync.WaitGroup
		for _, c := range gateways {
			c.Start()
			for range 4 {
				counting.Go(func() {
					for range 500 {
						c.Count(mine, usage.Accepted, 1)
						c.Count(theirs, usage.Rejected, 3)
					}
					c.Count(mine, usage.Duplicates, 1)
					c.Count(mine, usage.Limited, 2)
				})
			}
			counting.Go(func() {
				for range 5 { // in between
					if err := c.Flush(t.Context()); err != nil {
						t.Errorf("Flush = %v, want nil", err)
					}
				}
			})
		}
		counting.Wait()
		for _, c := range gateways {
			stopping.Go(func() {
				for range 2 {
					if err := c.Stop(t.Context()); err != nil {
						t.Errorf("Stop = %v, want what was counted to be written", err)
					}
				}
			})
		}
		stopping.Wait()
	}
	today := tenant.Day(noon)
	want(t, db, "after two lives", mine, tenant.Usage{Day: today, Accepted: 8000, Duplicates: 16, Limited: 32})
	want(t, db, "after two lives", theirs, tenant.Usage{Day: today, Rejected: 24_000})
}

func TestDaysEndAtMidnight(t *testing.T) {
	t.Parallel()
	db, now, ws := pgtest.New(t), &clock{}, id.New()
	c := counter(db, now)
	now.forward(12*time.Hour - time.Second)
	c.Count(ws, usage.Accepted, 1)
	now.forward(time.Second)
	c.Count(ws, usage.Accepted, 2)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	today := tenant.Day(noon)
	want(t, db, "around midnight", ws, tenant.Usage{Day: today.AddDate(0, 0, 1), Accepted: 2}, tenant.Usage{Day: today,
		Accepted: 1})
}

// What is counted while Postgres is away is written when it is back, each count once.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	p, url := pgtest.Start(t)
	db, err := pg.Open(url, pg.Options{MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ws, c := id.New(), counter(db, &clock{})
	c.Count(ws, usage.Accepted, 1)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil { // killed, a store of tests forgets its last commits
		t.Fatal(err)
	}
	for range 3 {
		c.Count(ws, usage.Accepted, 10)
		c.Count(ws, usage.Duplicates, 1)
		if err := c.Flush(t.Context()); err == nil {
			t.Fatal("Flush without Postgres = nil, want an error")
		}
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, db, "after the outage", ws, tenant.Usage{Day: tenant.Day(noon), Accepted: 31, Duplicates: 3})
}

// A counter that is not there is how others are tested without one.
func TestNoCounter(t *testing.T) {
	t.Parallel()
	var none *usage.Counter
	none.Count(id.New(), usage.Accepted, 1)
}

// BenchmarkCount is what a lead pays for being counted, with all processors at it: 1,000 workspaces.
func BenchmarkCount(b *testing.B) {
	c := usage.New(usage.Deps{})
	var all [1000]id.UUID
	for i := range all {
		all[i] = id.New()
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			c.Count(all[i%len(all)], usage.Accepted, 1)
		}
	})
}
