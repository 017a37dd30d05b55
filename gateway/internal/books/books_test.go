package books_test

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/books"
	"leadgate/shared/fault"
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

func counter(db *pg.DB, c *clock) *books.Counter {
	return books.New(books.Deps{DB: db, Now: c.now, Log: slog.New(slog.DiscardHandler)})
}

// api is where what comes in by the API of a workspace is counted.
func api(workspace id.UUID) books.In { return books.In{Workspace: workspace, Way: tenant.WayAPI} }

// want checks the books of a workspace: day, way and outcome -> count.
func want(t *testing.T, db *pg.DB, when string, workspace id.UUID, counts map[string]int64) {
	t.Helper()
	all, err := db.ReadBooks(t.Context(), workspace, noon.AddDate(0, -1, 0), noon.AddDate(0, 1, 0), id.UUID{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, e := range all {
		got[fmt.Sprintf("%d %s %s", e.Day.Day(), e.Way, e.Outcome)] += e.N
	}
	if diff := cmp.Diff(counts, got); diff != "" {
		t.Errorf("%s: books (-want +got):\n%s", when, diff)
	}
}

// Two gateways count for the same workspaces from many goroutines, stop, and start anew: every count is there once.
func TestNothingIsLostBetweenProcesses(t *testing.T) {
	t.Parallel()
	db, now := pgtest.New(t), &clock{}
	mine, theirs := id.New(), id.New()
	for range 2 {
		gateways := []*books.Counter{counter(db, now), counter(db, now)}
		var counting, stopping sync.WaitGroup
		for _, c := range gateways {
			c.Start()
			for range 4 {
				counting.Go(func() {
					for range 500 {
						c.Count(api(mine), tenant.RefusedDuplicate.Outcome(), 1)
						c.Count(api(theirs), tenant.RefusedValidation.Outcome(), 3)
					}
					c.Count(api(mine), tenant.BookLimited, 2)
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
	want(t, db, "after two lives", mine, map[string]int64{"4 api received": 8032, "4 api refused:duplicate": 8000,
		"4 api limited": 32})
	want(t, db, "after two lives", theirs, map[string]int64{"4 api received": 24_000, "4 api refused:validation": 24_000})
}

func TestDaysEndAtMidnight(t *testing.T) {
	t.Parallel()
	db, now, ws := pgtest.New(t), &clock{}, id.New()
	c := counter(db, now)
	now.forward(12*time.Hour - time.Second)
	c.Count(api(ws), tenant.BookLimited, 1)
	now.forward(time.Second)
	c.Count(api(ws), tenant.BookLimited, 2)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, db, "around midnight", ws, map[string]int64{"4 api limited": 1, "4 api received": 1, "5 api limited": 2,
		"5 api received": 2})
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
	c.Count(api(ws), tenant.BookLimited, 1)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil { // killed, a store of tests forgets its last commits
		t.Fatal(err)
	}
	for range 3 {
		c.Count(api(ws), tenant.BookLimited, 10)
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
	want(t, db, "after the outage", ws, map[string]int64{"4 api limited": 31, "4 api received": 31})
}

// What books say of an error: whose fault it was, or nothing where it is counted elsewhere or was not received.
func TestOutcomeOf(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fault.Kind]tenant.BookOutcome{
		fault.Validation: "refused:validation", fault.Duplicate: "refused:duplicate", fault.DuplicatePhone: "refused:duplicate",
		fault.ChatbotNotFound: "refused:not_found", fault.TooLarge: "refused:too_large", fault.MediaType: "refused:media_type",
		fault.Timeout: "refused:timeout", fault.Forbidden: "refused:forbidden", fault.KeyMismatch: "refused:idempotency",
		fault.RateLimited: "limited", fault.Suppressed: "", fault.SuppressedPhone: "", fault.KeyInProgress: "",
		fault.Unavailable: "", fault.Internal: "", fault.Unauthorized: "",
	} {
		if got, ok := books.OutcomeOf(fault.New(kind, "x")); got != want || ok != (want != "") {
			t.Errorf("OutcomeOf(%s) = %q, %v, want %q", kind, got, ok, want)
		}
	}
	if got, ok := books.OutcomeOf(errors.New("a bug")); ok {
		t.Errorf("OutcomeOf(a bug) = %q, want none", got)
	}
	if got, ok := books.OutcomeOf(nil); ok {
		t.Errorf("OutcomeOf(nil) = %q, want none", got)
	}
}

// A counter that is not there is how others are tested without one.
func TestNoCounter(t *testing.T) {
	t.Parallel()
	var none *books.Counter
	none.Count(api(id.New()), tenant.BookLimited, 1)
}

// BenchmarkCount is what a refusal pays for being counted, with all processors at it: 1,000 workspaces.
func BenchmarkCount(b *testing.B) {
	c := books.New(books.Deps{})
	var all [1000]id.UUID
	for i := range all {
		all[i] = id.New()
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			c.Count(api(all[i%len(all)]), tenant.BookLimited, 1)
		}
	})
}
