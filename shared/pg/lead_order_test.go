package pg_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// A subscriber that takes one webhook at a time ends with each lead as its row is, however many requests change it at
// once, through two gateways, while workers enrich it.
func TestEventsOfALeadComeInTheOrderOfItsChanges(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"clocks agree": 0, "a gateway's clock is ahead": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			gateways := [2]*pg.DB{mustOpen(t, url, pg.Options{MaxConns: 16}), mustOpen(t, url, pg.Options{MaxConns: 16})}
			ws := pgtest.Workspace(t, gateways[0]).ID
			e := pgtest.Endpoint(t, gateways[0], ws, func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
			leads := pgtest.Leads(t, gateways[0], ws, 5, func(l *lead.Lead) {
				l.Name = "0"
				l.CreatedAt = l.CreatedAt.Add(ahead)
				l.UpdatedAt = l.CreatedAt
			})
			const writers, changes = 4, 20
			enriched := enrichAllTheTime(t, gateways[1], ws)
			var writing sync.WaitGroup
			for i := range leads {
				for w := range writers {
					writing.Go(func() {
						for range changes {
							if _, err := gateways[w%2].UpdateLead(t.Context(), ws, leads[i].ID, countUp); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
			}
			writing.Wait()
			enriched()
			jobs := mustLeaseAll(t, gateways[0], ws, e.ID)
			for i := range leads {
				l, err := gateways[0].GetLead(t.Context(), ws, leads[i].ID)
				if err != nil || l.Name != strconv.Itoa(writers*changes) {
					t.Fatalf("GetLead() = %q, %v, want %d changes", l.Name, err, writers*changes)
				}
				wantInOrder(t, &l, jobs)
			}
		})
	}
}

// countUp counts the changes of a lead in its name.
func countUp(l *lead.Lead) error {
	n, err := strconv.Atoi(l.Name)
	l.Name = strconv.Itoa(n + 1)
	return err
}

// enrichAllTheTime enriches leads, each time with other facts, until the returned function is called. That returns when
// every lead is enriched as it is by then.
func enrichAllTheTime(t *testing.T, db *pg.DB, ws id.UUID) (stop func()) {
	t.Helper()
	stopped, done := make(chan struct{}), make(chan struct{})
	n := 0
	find := func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		out := make([]pg.Finding, len(leads))
		for i := range out {
			n++
			out[i].Facts = fmt.Appendf(nil, `{"n":%d}`, n)
		}
		return out
	}
	go func() {
		defer close(done)
		for last := false; ; {
			got, err := db.Enrich(t.Context(), []id.UUID{ws}, 3, find)
			if err != nil {
				t.Error(err)
				return
			}
			if last && got.Taken == 0 {
				return
			}
			select {
			case <-stopped:
				last = true
			default:
			}
		}
	}()
	return func() { close(stopped); <-done }
}

// mustLeaseAll returns all deliveries of an endpoint as one drain is given them.
func mustLeaseAll(t *testing.T, db *pg.DB, ws, endpoint id.UUID) []webhook.DueDelivery {
	t.Helper()
	b, err := db.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: ws, Endpoint: endpoint, Token: id.New(),
		Lease: time.Minute, Limit: 10_000})
	if err != nil || len(b.Due) == 0 {
		t.Fatalf("LeaseDue() = %d deliveries, %v, want all", len(b.Due), err)
	}
	return b.Due
}

// wantInOrder checks that the events of l are in the order of its changes, by place and by time, and that the last one
// has l as it is.
func wantInOrder(t *testing.T, l *lead.Lead, jobs []webhook.DueDelivery) {
	t.Helper()
	var at time.Time
	var last struct {
		Name       string
		UpdatedAt  time.Time
		Enrichment json.RawMessage
	}
	changes := 0
	for i := range jobs {
		if jobs[i].LeadID != l.ID {
			continue
		}
		former := last
		last.Enrichment = nil
		if err := json.Unmarshal(jobs[i].Data, &last); err != nil {
			t.Fatal(err)
		}
		if former.Name != "" && mustInt(t, last.Name) < mustInt(t, former.Name) {
			t.Errorf("change %s came after change %s", last.Name, former.Name)
		}
		if last.UpdatedAt.Before(former.UpdatedAt) {
			t.Errorf("updatedAt went back from %v to %v", former.UpdatedAt, last.UpdatedAt)
		}
		if !jobs[i].EventAt.After(at) {
			t.Errorf("%s happened at %v, the event before it at %v", jobs[i].EventType, jobs[i].EventAt, at)
		}
		at = jobs[i].EventAt
		changes++
	}
	if last.Name != l.Name || string(last.Enrichment) != string(l.Enrichment) {
		t.Errorf("the last of %d events has name %s and enrichment %s, the lead %s and %s", changes, last.Name,
			last.Enrichment, l.Name, l.Enrichment)
	}
}

func mustInt(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
