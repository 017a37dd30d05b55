package main

import (
	"fmt"
	"leadgate/shared/loadgen"
	"maps"
	"slices"
	"strings"
	"time"
)

// outage is when the fault was injected and when it was repaired.
type outage struct{ from, until time.Time }

// report is the numbers of a scenario.
type report struct {
	outage
	began, ended time.Time // the load
	ledger       *ledger
	stall        time.Duration // the longest silence of a subscriber
	notes        string        // what else there is to tell; ""
	peaks        string        // the most memory that each process had; "": no matter
}

func (r *report) String() string {
	if r == nil {
		return ""
	}
	b := &strings.Builder{}
	count := map[int]int{}
	for i := range r.ledger.answers {
		count[r.ledger.answers[i].status]++
	}
	fmt.Fprintf(b, "  %d posts in %v:", len(r.ledger.answers), ms(r.ended.Sub(r.began)))
	for _, status := range slices.Sorted(maps.Keys(count)) {
		if status == 0 {
			fmt.Fprintf(b, "  unanswered %d", count[0])
		} else {
			fmt.Fprintf(b, "  %d %d", status, count[status])
		}
	}
	fmt.Fprintf(b, "\n  answers in the outage of %v: %s; else: %s\n", ms(r.until.Sub(r.from)), r.latency(true),
		r.latency(false))
	created := "none was posted"
	if d, ok := r.firstCreated(); ok {
		created = ms(d).String()
	}
	fmt.Fprintf(b,
		"  first 201 after it: %s; webhooks of all leads from before its end: %v; silence of a subscriber up to %v\n",
		created, ms(r.backlog()), ms(r.stall))
	events, again := 0, 0
	for _, seen := range r.ledger.arrived {
		for _, leads := range seen {
			for _, a := range leads {
				events++
				again += a.Times - 1
			}
		}
	}
	fmt.Fprintf(b, "  %d leads, %d webhooks, of which %d came more than once\n", len(r.ledger.rows), events, again)
	return b.String() + r.notes + r.peaks
}

func (r *report) latencies(within bool) (all []time.Duration) {
	for i := range r.ledger.answers {
		a := &r.ledger.answers[i]
		// A request is of the outage if a part of it is.
		if a.status != 0 && within == (a.at().After(r.from) && a.sent.Before(r.until)) {
			all = append(all, a.took)
		}
	}
	slices.Sort(all)
	return all
}

// before is how long half of the answers, and the slowest of them, took before the outage: what this machine takes as
// busy as it is, by which the bounds of the scenarios are widened.
func (r *report) before() (median, slowest time.Duration) {
	var all []time.Duration
	for i := range r.ledger.answers {
		if a := &r.ledger.answers[i]; a.status != 0 && a.at().Before(r.from) {
			all = append(all, a.took)
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

func (r *report) latency(within bool) string {
	all := r.latencies(within)
	if len(all) == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %v, p99 %v, slowest %v", ms(all[len(all)/2]), ms(all[len(all)*99/100]), ms(all[len(all)-1]))
}

// firstCreated is how long after the outage a lead was taken in again.
func (r *report) firstCreated() (first time.Duration, ok bool) {
	for i := range r.ledger.answers {
		a := &r.ledger.answers[i]
		if d := a.at().Sub(r.until); a.status == 201 && d >= 0 && (!ok || d < first) {
			first, ok = d, true
		}
	}
	return first, ok
}

// backlog is how long after the outage the last webhook of a lead made before its end arrived, 0 when all had arrived.
func (r *report) backlog() (longest time.Duration) {
	before := map[string]bool{}
	for i := range r.ledger.answers {
		a := &r.ledger.answers[i]
		if a.status == 201 && a.at().Before(r.until) {
			before[a.lead] = true
		}
	}
	for _, seen := range r.ledger.arrived {
		for _, event := range loadgen.LeadEvents() {
			for lead, a := range seen[event] {
				if before[lead] {
					longest = max(longest, a.First.Sub(r.until))
				}
			}
		}
	}
	return longest
}

func ms(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
